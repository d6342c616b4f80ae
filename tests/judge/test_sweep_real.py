"""The sweep through the workflow, restricted to the two releases whose environments exist."""

import pytest
from judge.records import Records
from judge.tables import read_table
from plan.runs import cross, make_plan, release_modes
from repository import ROOT, copy_repository, run_driver, write_yaml
from waiting import HANGS

pytestmark = pytest.mark.slow

OLD, NEW = "tf1.14-keras2.2.4", "tf2.0-keras2.3.1"
# Whether V1 and V2 are equal, the op-level seeds, and what changes weights besides another seed.
EAGER = (True, [1022050301, 560161641], {})
GRAPH = (False, [4, 24], {"extra_op": [1, 1], "extra_layer": [0, 1]})
EXPECTED = {
    **{(OLD, "default"): GRAPH, (OLD, "switched"): EAGER},
    **{(NEW, "default"): EAGER, (NEW, "switched"): GRAPH},
}


@pytest.fixture(
    scope="module",
    params=[["switched"], pytest.param(["default", "switched"], marks=pytest.mark.long)],
    ids=["in three modes", "in all modes"],
)
def swept(request, framework_pythons, committed_config, tmp_path_factory):
    """A copy of the repository in which the sweep has run, an epoch each.

    The default of the older release, in which all other tests train, comes with the long tests.
    """
    folder = copy_repository(tmp_path_factory.mktemp("swept") / "copy")
    page = committed_config
    releases = page["sweep"]["releases"]
    modes = {OLD: releases[OLD] | {"modes": request.param}, NEW: releases[NEW]}
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
        "sweep": page["sweep"] | {"releases": modes},
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


@pytest.fixture(scope="module")
def expected(swept):
    """EXPECTED, of the releases and modes that were swept."""
    return {mode: EXPECTED[mode] for mode in release_modes(swept[1])}


def test_eager_execution_makes_v1_and_v2_equal(results, expected):
    table = read_table(results / "tables/releases.csv")
    modes = table[table["variant"] == "plain"].groupby(["release", "mode"])
    equal = {mode: set(rows["pair_equal"].astype(str)) for mode, rows in modes}
    assert equal == {mode: {str(pair_equal)} for mode, (pair_equal, *_) in expected.items()}
    eagerly = modes["executes_eagerly"].first().to_dict()
    assert eagerly == {mode: one is EAGER for mode, one in expected.items()}


def test_sources_of_the_initial_weights(results, expected):
    table = read_table(results / "tables/randomness.csv").groupby(["release", "mode"])
    assert table.groups.keys() == expected.keys()
    for mode, rows in table:
        changing = {
            source: [int(changes) for changes in of_source["changes_initial_weights"]]
            for source, of_source in rows.groupby("source")
            if of_source["changes_initial_weights"].any()
        }
        _, seeds, sources = expected[mode]
        assert changing == {"graph_seed": [1, 1], "extra_draw": [1, 1], **sources}, mode
        nothing = rows[rows["source"] == "nothing_again"]
        assert nothing["op_seed_with_nothing_varied"].tolist() == seeds
        assert nothing["op_seed"].tolist() == seeds


# That of the release's own mode, tests/train/test_fidelity.py compares with bare scripts.
@pytest.mark.parametrize("release", [NEW, pytest.param(OLD, marks=pytest.mark.long)])
def test_last_cell_of_a_process_is_that_of_a_new_process(
    swept, results, framework_pythons, tmp_path, release
):
    _, config = swept
    mode = "switched"
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
