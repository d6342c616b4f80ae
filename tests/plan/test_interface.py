"""A module that does not fit the interface is told what is missing, in one line, before the work.

Before anything is built: from its source, by `check_config`. At run time: by train.job, which looks
at the module before it imports a framework (these tests have none).
"""

import copy
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy
import pytest
from plan import interface
from plan.cells import name_cell, parse_cell
from plan.configuration import ConfigurationError, check_config
from plan.controls import applicable
from plan.documents import read_yaml
from plan.interface import read_interface
from repository import ROOT, copy_repository, run_driver, write_yaml
from train import run

EXAMPLE = ROOT / "examples/classifier/experiment.py"
CONFIG = ROOT / "examples/classifier/config.yaml"
PROCEDURE = "model, inputs, targets, settings, observer"
BUILD_MODEL = "keras, inputs, slots, optimizer, initializer"

# what is changed in the example: (old, new, what is said)
MISTAKES = {
    "no SLOTS": ("SLOTS =", "PLACES =", "also has to define SLOTS (example: "),
    "no make_data": ("def make_data", "def read_data", "also has to define make_data (example: "),
    "no build_model": ("def build_model", "def build", "also has to define build_model (example"),
    "no PROCEDURES": ("PROCEDURES =", "WAYS =", "also has to define PROCEDURES (example: "),
    "make_data: another argument": (
        "def make_data(path)", "def make_data(file)",
        "make_data(file): called as (path), missing a required argument: 'file'",
    ),
    "make_data: one more": (
        "def make_data(path)", "def make_data(path, rows)",
        "make_data(path, rows): called as (path), missing a required argument: 'rows'",
    ),
    "make_data: none": (
        "def make_data(path)", "def make_data()",
        "make_data(): called as (path), got an unexpected keyword argument 'path'",
    ),
    "build_model: one less": (
        f"def build_model({BUILD_MODEL})", "def build_model(keras, inputs, slots, optimizer)",
        f"build_model(keras, inputs, slots, optimizer): called as ({BUILD_MODEL}), "
        "got an unexpected keyword argument 'initializer'",
    ),
    "build_model: one more": (
        f"def build_model({BUILD_MODEL})", f"def build_model({BUILD_MODEL}, units)",
        f"called as ({BUILD_MODEL}), missing a required argument: 'units'",
    ),
    "procedure: one less": (
        f"def fit({PROCEDURE})", "def fit(model, inputs, targets, settings)",
        "PROCEDURES: fit(model, inputs, targets, settings): called as "
        f"({PROCEDURE}), got an unexpected keyword argument 'observer'",
    ),
    "procedure: another name": (
        f"def fit({PROCEDURE})", "def fit(net, inputs, targets, settings, observer)",
        f"called as ({PROCEDURE}), missing a required argument: 'net'",
    ),
    "PROCEDURES: no dictionary": ('{"fit": fit}', "[fit]", "PROCEDURES"),
}  # fmt: skip
FITTING = {
    "unchanged": ("SLOTS", "SLOTS"),
    "defaults": ("def make_data(path)", "def make_data(path, rows=180, *, kinds=3)"),
    "annotations": ("def make_data(path)", "def make_data(path: Unknown) -> Unknown"),
    "any arguments": (f"def build_model({BUILD_MODEL})", "def build_model(keras, inputs, **more)"),
    "another order": (
        f"def fit({PROCEDURE})", "def fit(observer, settings, model, targets, inputs)"
    ),
}  # fmt: skip


@pytest.fixture
def change(tmp_path):
    """Write the example's module with one change; return its path."""

    def change(old, new):
        source = EXAMPLE.read_text(encoding="utf-8")
        assert old in source
        module = tmp_path / "changed.py"
        module.write_text(source.replace(old, new), encoding="utf-8")
        return module

    return change


@pytest.fixture
def own_config():
    """The example's configuration."""
    return read_yaml(CONFIG)


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES.values(), ids=MISTAKES)
def test_told_before_anything_is_built(change, own_config, old, new, said):
    own_config["experiment"]["module"] = str(change(old, new))
    with pytest.raises(ConfigurationError) as caught:
        check_config(own_config, ROOT)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(own_config["experiment"]["module"] + ": ")
    assert said in line


def test_told_by_the_training_script(change, tmp_path):
    """One of them: it reads the interface with the same function."""
    old, new, said = MISTAKES["procedure: one less"]
    module = change(old, new)
    done = train(module, tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"train.job: {module}: ")
    assert said in line
    assert not (tmp_path / "runs.jsonl").exists()


def train(module, folder):
    """Run train.job on a module, with the example's data."""
    protocols = read_yaml(CONFIG)["protocols"]
    plan = {
        **{"environment": "none", "api": "tf.keras", "seeds": [1]},
        **{"data": {"path": "flowers.csv"}, "variants": {"none": {}}, "protocols": protocols},
        "cells": [{"variant": "none", "protocol": protocol} for protocol in protocols],
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    command = [
        *(sys.executable, ROOT / "workflow", "train.job", "--experiment", module),
        *("--plan", folder / "plan.json", "--output", folder / "runs.jsonl"),
    ]
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("old", "new"), FITTING.values(), ids=FITTING)
def test_module_that_fits(change, own_config, old, new):
    module = change(old, new)
    own_config["experiment"]["module"] = str(module)
    check_config(own_config, ROOT)
    if "Unknown" not in new:
        run.load_experiment(module, own_config["experiment"]["data"])


def test_functions_from_elsewhere_are_left_to_the_run(tmp_path):
    module = tmp_path / "imported.py"
    module.write_text(
        "from other import build_model, make_data, fit\nSLOTS = ()\nPROCEDURES = {'fit': fit}\n"
    )
    assert read_interface(module, {"path": "x"}) == ([], ["fit"])


def test_snakemake_says_it_and_builds_nothing(tmp_path):
    folder = copy_repository(tmp_path / "copy")
    config = read_yaml(CONFIG)
    config["experiment"]["data"] = {"file": "flowers.csv"}
    write_yaml(config, folder / "own.yaml")
    done = run_driver("snakemake", "--use-conda", "-c1", "--configfile", "own.yaml", cwd=folder)
    assert done.returncode == 1
    line = "make_data(path): called as (file), missing a required argument: 'path'"
    assert [one for one in done.stdout.splitlines() if line in one]
    assert not (folder / ".snakemake/conda").exists()


# --- what only a run can show --------------------------------------------------------------------

SETTINGS = {"training_rows": [0, 90], "evaluation_rows": [[80, 90], [90, 100]]}


@pytest.mark.parametrize("returned", [None, [1, 2], ([1], [1], [1])])
def test_data_have_to_be_a_pair(returned):
    with pytest.raises(ValueError, match=r"x.py: make_data: expected it to return \(inputs, targ"):
        interface.check_data("x.py", returned)


def test_inputs_and_targets_have_as_many_rows():
    with pytest.raises(ValueError, match="make_data: found 2 rows of inputs and 1 of targets"):
        interface.check_data("x.py", (NUMBERS, NUMBERS[1:]))


NUMBERS = numpy.zeros((2, 3), dtype="float32")


@pytest.mark.parametrize(
    ("inputs", "targets", "said"),
    [
        ([1, 2], NUMBERS, "found inputs of list"),
        (NUMBERS, numpy.array(["a", "b"]), "found targets of <U1"),
        (NUMBERS.astype(object), NUMBERS, "found inputs of object"),
    ],
)
def test_data_are_numbers(inputs, targets, said):
    interface.check_data("x.py", (NUMBERS, numpy.arange(2)))
    with pytest.raises(ValueError, match=f"make_data: {said}, expected one array of numbers"):
        interface.check_data("x.py", (inputs, targets))


def test_rows_have_to_be_among_the_data():
    interface.check_rows(SETTINGS, 100)
    with pytest.raises(ValueError, match=r"evaluation_rows: found \[90, 100\], expected rows amo"):
        interface.check_rows(SETTINGS, 95)
    with pytest.raises(ValueError, match=r"training_rows: found \[0, 90\], .* 50 of the data"):
        interface.check_rows(SETTINGS, 50)


@pytest.mark.parametrize("model", [None, SimpleNamespace(layers=[], optimizer=None)])
def test_model_has_to_be_compiled(model):
    with pytest.raises(ValueError, match="build_model: expected it to return a compiled"):
        interface.check_model("x.py", model, {})


def test_layers_of_a_slot_have_to_be_used():
    used, left_out = object(), object()
    model = SimpleNamespace(layers=[used], optimizer="adam")
    interface.check_model("x.py", model, {"between": [used]})
    with pytest.raises(ValueError, match=r"build_model: left out layers of slots\['between'\]"):
        interface.check_model("x.py", model, {"between": [used, left_out]})


@pytest.mark.parametrize(("steps", "epochs"), [([], []), ([1.0], []), ([], [{}])])
def test_observer_has_to_be_told(steps, epochs):
    observer = SimpleNamespace(step_losses=steps, epoch_logs=epochs)
    with pytest.raises(ValueError, match="PROCEDURES: fit: expected it to tell the observer"):
        interface.check_observed("x.py", "fit", observer)


@pytest.mark.parametrize(
    ("layers", "procedure", "said"),
    [
        ({"middle": []}, "fit", "x.py: found no slot middle, expected one of between"),
        ({"between": []}, "guess", "x.py: found no procedure guess, expected one of fit"),
    ],
)
def test_names_of_a_cell_are_known(layers, procedure, said):
    module = run.load_experiment(EXAMPLE)
    with pytest.raises(ValueError, match=said):
        cell = {"layers": layers, "settings": {"procedure": procedure}}
        interface.check_cell("x.py", module, cell)


def test_initializer_seeds_are_counted_on():
    seeds = run.initializer_seeds([11, 12])
    assert [next(seeds) for _ in range(4)] == [11, 12, 13, 14]
    assert next(run.initializer_seeds(None)) is None


# --- what a configuration of one's own may leave out ---------------------------------------------


def test_the_least_configuration(own_config):
    least = ("experiment", "seeds", "environments", "variants", "protocols", "comparisons")
    config = {key: own_config[key] for key in least}
    written = copy.deepcopy(config)
    planned = check_config(config, ROOT)
    assert config == written | {
        "results": "results",
        "environments": {
            name: {**entry, "apis": ["tf.keras"]}
            for name, entry in own_config["environments"].items()
        },
        "repeats": {"tf.keras": 1, "keras": 1},
        "training_threads": 1,
        "variants_per_job": 1,
        "seeds_per_job": 1,
        "controls": read_yaml(ROOT / "workflow/defaults/controls.yaml"),
        "control_runs": {"variants": {}},
        "figures": {"formats": ["svg", "pdf", "png"]},
    }
    assert check_config(config, ROOT) == planned  # what is filled in is a configuration, too
    applied = {name for name, _, _ in applicable(planned)}
    assert applied == set(config["controls"]) - {"eager_switched"}
    assert planned["seed"] == own_config["seeds"][0]


@pytest.mark.parametrize("name", ["new_process", "start_of_second"])
def test_a_control_that_is_not_wanted(own_config, name):
    own_config["controls"] = {name: {"comparisons": []}}
    planned = check_config(own_config, ROOT)
    assert planned["controls"][name]["observable"].startswith("trajectory")
    assert name not in {applied for applied, _, _ in applicable(planned)}


def test_a_control_of_ones_own_is_added(own_config):
    own_config["controls"] = {"seven": {"change": {"threads": 7}}}
    with pytest.raises(ConfigurationError, match="controls/seven: found nothing, expected the key"):
        check_config(own_config, ROOT)
    control = read_yaml(ROOT / "workflow/defaults/controls.yaml")["default_threads"]
    own_config["controls"]["seven"] |= {key: control[key] for key in ("observable", "predicts")}
    assert [*check_config(own_config, ROOT)["controls"]][-2:] == ["new_process", "seven"]


@pytest.mark.parametrize("controls", [3, {"new_process": 3}])
def test_controls_that_are_no_mapping_are_told(own_config, controls):
    own_config["controls"] = controls
    with pytest.raises(ConfigurationError, match=r"controls.*: found 3, expected an object"):
        check_config(own_config, ROOT)


CELL = "tf2.0-keras2.3.1/tf.keras/dropout_0/fit"


@pytest.mark.parametrize("line", [f"{CELL}/7/120:180", f"{CELL}/120:180", f"{CELL}/7", CELL])
def test_a_cell_is_one_line(line):
    assert name_cell(parse_cell(line)) == line
    assert parse_cell(line)["variant"] == "dropout_0"


@pytest.mark.parametrize("line", [CELL, f"{CELL}/7/120:180", f"{CELL}/120-180", "a/torch/b/c/0:9"])
def test_a_cell_of_a_comparison_has_its_rows(own_config, line):
    own_config["comparisons"]["dropout_0_in_2_0"]["first"] = line
    with pytest.raises(
        ConfigurationError, match=r"comparisons/dropout_0_in_2_0/first: found .*ROWS"
    ):
        check_config(own_config, ROOT)


@pytest.mark.parametrize(
    "key", ["experiment", "seeds", "environments", "variants", "protocols", "comparisons"]
)
def test_what_it_may_not_leave_out(own_config, key):
    del own_config[key]
    with pytest.raises(ConfigurationError, match=f"found nothing, expected the key {key}"):
        check_config(own_config, ROOT)
