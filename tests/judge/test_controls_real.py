"""The controls on planted cases in the real frameworks, through the workflow.

The planted variants differ in one line of the configuration; the answer is known beforehand.
"""

import pytest
from judge.tables import read_table
from repository import ROOT, copy_repository, run_driver, write_yaml
from waiting import HANGS

pytestmark = pytest.mark.slow

OLD, NEW = "tf1.14-keras2.2.4", "tf2.0-keras2.3.1"


def between(*layers):
    """Return a variant with layers between the two Dense layers."""
    return {"label": "planted", "layers": {"between": list(layers)}}


VARIANTS = {
    "plain": between(),
    "linear": between({"Activation": {"activation": "linear"}}),
    "tanh": between({"Activation": {"activation": "tanh"}}),
    "bn": between("BatchNormalization"),
    "bn_momentum": between({"BatchNormalization": {"momentum": 0.5}}),
}
HELD_OUT, TRAINED = "90:100", "80:90"
# name: (environment, variants, rows, what the controls have to find, first step that differs
# from equal initial weights)
CASES = {
    "tanh_for_linear": (OLD, ("linear", "tanh"), (HELD_OUT, HELD_OUT), "computation", 1),
    "tanh_for_none": (OLD, ("plain", "tanh"), (HELD_OUT, HELD_OUT), "computation and draws", 1),
    "linear_for_none": (OLD, ("plain", "linear"), (HELD_OUT, HELD_OUT), "draws", None),
    "other_rows": (OLD, ("plain", "plain"), (HELD_OUT, TRAINED), "evaluation", None),
    "tanh_for_linear_2_0": (NEW, ("linear", "tanh"), (HELD_OUT, HELD_OUT), "computation", 1),
    "linear_for_none_2_0": (NEW, ("plain", "linear"), (HELD_OUT, HELD_OUT), "no difference", None),
    "other_averages_2_0": (NEW, ("bn", "bn_momentum"), (HELD_OUT, HELD_OUT), "computation", None),
}


def comparison(environment, variants, rows, *_):
    """Return the entry of a case in `comparisons`."""
    first, second = (
        f"{environment}/tf.keras/{variant}/loop/{name}"
        for variant, name in zip(variants, rows, strict=True)
    )
    return {"label": "planted", "first": first, "second": second}


@pytest.fixture(scope="module")
def planted(framework_pythons, committed_config, tmp_path_factory):
    """The tables of a run of the workflow on the planted cases, an epoch each."""
    folder = copy_repository(tmp_path_factory.mktemp("planted") / "copy")
    page = committed_config
    config = {
        "results": "planted",
        "experiment": page["experiment"],
        "seeds": [3],
        "variants_per_job": len(VARIANTS),
        "environments": {
            name: page["environments"][name] | {"apis": ["tf.keras"]} for name in (OLD, NEW)
        },
        "variants": VARIANTS,
        "protocols": {"loop": page["protocols"]["answer"] | {"epochs": 1}},
        "comparisons": {name: comparison(*case) for name, case in CASES.items()},
    }
    write_yaml(config, folder / "planted.yaml")
    command = ["snakemake", "planted/tables/verdicts.csv", "--cores", 2]
    command += ["--use-conda", "--conda-prefix", ROOT / ".snakemake/conda"]
    done = run_driver(*command, "--configfile", "planted.yaml", cwd=folder, timeout=HANGS)
    assert done.returncode == 0, done.stdout
    assert not (folder / "results").exists()
    return {
        name: read_table(folder / f"planted/tables/{name}.csv") for name in ("controls", "verdicts")
    }


@pytest.mark.parametrize(("name", "case"), CASES.items(), ids=CASES)
def test_cause(planted, name, case):
    *_, cause, step = case
    verdict = planted["verdicts"].set_index("comparison").loc[name]
    assert verdict["deterministic"] == "yes"
    assert verdict["causes"] == cause
    controls = planted["controls"]
    rows = controls[controls["comparison"] == name].set_index("control")
    for start in ("start_of_first", "start_of_second", "explicit_seeds"):
        found = rows.loc[start, "first_difference_step"]
        assert found == step if step is not None else found != found


def test_every_control_was_made(planted):
    controls = planted["controls"]
    assert len(controls) == len(CASES) * controls["control"].nunique()
    assert not set(controls["observed"]) - {"equal", "differ"}
