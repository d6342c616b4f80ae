"""`make figures` in a fresh clone: the committed figures, byte for byte, and nothing trained."""

import pytest
from judge.tables import read_table, write_table
from repository import ROOT, clone_repository, messages_of, run_make

pytestmark = pytest.mark.slow


def make_figures(folder, *settings):
    """Run `make figures` in a clone; return the messages of the jobs."""
    done = run_make("figures", folder, *settings)
    assert done.returncode == 0, done.stdout
    return messages_of(done.stdout)


def figures_of(folder):
    """Return {name: bytes} of the figures in a clone."""
    return {path.name: path.read_bytes() for path in (folder / "results/figures").iterdir()}


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone of the working tree, with one figure gone and one that is another."""
    folder = clone_repository(tmp_path_factory.mktemp("clone") / "copy")
    (folder / "results/figures/weight_sums.png").unlink()
    (folder / "results/figures/val_loss.svg").write_text("<svg/>")
    return folder


def test_all_are_those_of_the_committed_tables(clone):
    """In one job, so in one environment: no framework is installed."""
    assert make_figures(clone) == {"Plotting all figures"}
    assert not (clone / "results/runs").exists()
    drawn, committed = figures_of(clone), figures_of(ROOT)
    assert set(drawn) == set(committed)
    assert [name for name in drawn if drawn[name] != committed[name]] == []


def test_one_figure_by_name(clone):
    figure = clone / "results/figures/trajectories.pdf"
    before, others = figure.read_bytes(), figures_of(clone)
    figure.write_bytes(b"")
    assert make_figures(clone, "NAME=trajectories") == {"Plotting trajectories"}
    assert figure.read_bytes() == before
    assert figures_of(clone) == others


@pytest.mark.parametrize(
    ("api", "status", "message"),
    [
        ("keras", 0, "tables differ from HEAD: within the spread."),
        ("tf.keras", 2, "1 columns beyond the spread"),
    ],
)
def test_check_says_how_far_a_run_is_and_fails_beyond_the_spread(clone, api, status, message):
    path = clone / "results/tables/runs.csv"
    committed = path.read_bytes()
    table = read_table(path)
    table.loc[table["api"].eq(api).idxmax(), "val_loss"] += 1e-6
    write_table(table, path)
    done = run_make("check", clone)
    path.write_bytes(committed)
    assert done.returncode == status, done.stdout
    assert message in done.stdout
