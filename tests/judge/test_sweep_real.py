"""The sweep through the workflow, restricted to the two releases whose environments exist."""

import pytest
from judge.records import Records
from judge.tables import read_table
from plan.runs import cross, make_plan
from repository import ROOT, copy_repository, run_driver, write_yaml
from waiting import HANGS

pytestmark = pytest.mark.slow

OLD, NEW = "tf1.14-keras2.2.4", "tf2.0-keras2.3.1"
COUNTER_OF_OPS, SEEDED_COUNTER = [4, 24], [1022050301, 560161641]


@pytest.fixture(scope="module")
def swept(framework_pythons, committed_config, tmp_path_factory):
    """A copy of the repository in which the sweep has run, an epoch each."""
    folder = copy_repository(tmp_path_factory.mktemp("swept") / "copy")
    page = committed_config
    config = {
        "experiment": page["experiment"],
        "seeds": [3],
        "environments": {
            name: page["environments"][name] | {"apis": ["tf.keras"]} for name in (OLD, NEW)
        },
        "variants": {name: page["variants"][name] for name in ("plain", "activation", "bn")},
        "protocols": {
            name: settings | {"epochs": 1} for name, settings in page["protocols"].items()
        },
        "comparisons": {},
        "sweep": page["sweep"]
        | {"releases": {name: page["sweep"]["releases"][name] for name in (OLD, NEW)}},
    }
    write_yaml(config, folder / "two.yaml")
    prefix = ROOT / ".snakemake/conda"
    options = ["--use-conda", "--conda-prefix", prefix, "--cores", 2, "--configfile", "two.yaml"]

    done = run_driver("snakemake", "sweep", *options, cwd=folder, timeout=HANGS)
    assert done.returncode == 0, done.stdout
    return folder / "results", config


@pytest.fixture(scope="module")
def results(swept):
    """The folder of its results."""
    return swept[0]


def test_eager_execution_makes_v1_and_v2_equal(results):
    table = read_table(results / "tables/releases.csv")
    pairs = table[table["variant"] == "plain"].groupby(["release", "mode"])
    equal = {key: set(rows["pair_equal"].astype(str)) for key, rows in pairs}
    assert equal == {
        (OLD, "default"): {"False"},
        (OLD, "switched"): {"True"},
        (NEW, "default"): {"True"},
        (NEW, "switched"): {"False"},
    }
    assert table.groupby(["release", "mode"])["executes_eagerly"].first().tolist() == [
        False, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("release", "mode", "seeds", "expected"),
    [
        (OLD, "default", COUNTER_OF_OPS, {"extra_op": [1, 1], "extra_layer": [0, 1]}),
        (OLD, "switched", SEEDED_COUNTER, {}),
        (NEW, "default", SEEDED_COUNTER, {}),
        (NEW, "switched", COUNTER_OF_OPS, {"extra_op": [1, 1], "extra_layer": [0, 1]}),
    ],
)
def test_sources_of_the_initial_weights(results, release, mode, seeds, expected):
    table = read_table(results / "tables/randomness.csv")
    rows = table[(table["release"] == release) & (table["mode"] == mode)]
    changing = {
        source: [int(changes) for changes in of_source["changes_initial_weights"]]
        for source, of_source in rows.groupby("source")
        if of_source["changes_initial_weights"].any()
    }
    assert changing == {"graph_seed": [1, 1], "extra_draw": [1, 1], **expected}
    nothing = rows[rows["source"] == "nothing_again"]
    assert nothing["op_seed_with_nothing_varied"].tolist() == seeds
    assert nothing["op_seed"].tolist() == seeds


# That of the release's own mode, tests/train/test_fidelity.py compares with bare scripts.
@pytest.mark.parametrize(("release", "mode"), [(OLD, "switched"), (NEW, "switched")])
def test_last_cell_of_a_process_is_that_of_a_new_process(
    swept, results, framework_pythons, tmp_path, release, mode
):
    _, config = swept
    config = {**config, "control_runs": {"variants": {}}}
    runs = cross(mode, ["bn"], ["answer"])
    process = {"environment": release, "api": "tf.keras", "threads": 1, "eager": mode}
    (tmp_path / "plan.json").write_text(make_plan(config, runs, [3], **process))
    command = [framework_pythons[release], "-s", "workflow", "train.job"]
    command += ["--experiment", config["experiment"]["module"]]
    command += ["--plan", tmp_path / "plan.json", "--output", tmp_path / "alone.jsonl"]
    done = run_driver(*command, timeout=HANGS)
    assert done.returncode == 0, done.stdout
    cell = {"environment": release, "api": "tf.keras", "variant": "bn", "protocol": "answer"}
    files = (tmp_path / "alone.jsonl", results / f"sweep/{release}/{mode}.jsonl")
    alone, among_others = (Records([file], seed=3).find(mode, cell) for file in files)
    for key in ("initial_weights", "step_weights_sha256", "evaluations", "random_draws"):
        assert alone[key] == among_others[key]


def test_its_figure_is_drawn(results):
    files = sorted(results.glob("figures/releases.*"))
    assert [path.suffix for path in files] == [".pdf", ".png", ".svg"]
    assert all(path.stat().st_size > 1000 for path in files)
