"""train.job as a command line: what is wrong is told in one line, nothing half-made is left."""

import ast
import json
import sys
from pathlib import Path

import pytest
from repository import ROOT

pytestmark = pytest.mark.slow

NEW, OLD = "tf2.0-keras2.3.1", "tf1.14-keras2.2.4"
WORKFLOW = ROOT / "workflow"
ROOMS = {"page", *(path.name for path in WORKFLOW.iterdir() if path.is_dir())}
PAGE = ["autoencoder", "engine", "study", "train_study", "train_stock", "compare_with_stock"]
RECORDER = ("record", "calls", "configured", "data", "draws", "loops", "probe", "steps")
UNDER_PYTHON_37 = [
    WORKFLOW / "__main__.py",
    WORKFLOW / "plan/interface.py",
    *sorted(WORKFLOW.glob("train/*.py")),
    *(ROOT / f"page/{name}.py" for name in PAGE),
    *(WORKFLOW / f"diagnose/{name}.py" for name in RECORDER),
    WORKFLOW / "publish/list_packages.py",
    WORKFLOW / "publish/locks.py",
]


@pytest.fixture(scope="module")
def mistaken(in_environment, plan, train_arguments, committed_config, tmp_path_factory):
    """Return a function that makes a mistake: mistaken(what) -> finished process, output."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "empty.py").write_text("SLOTS = ()\n")
    (folder / "file").touch()
    (folder / "endless.py").write_text("while True:\n    pass\n")
    (folder / "exit.py").write_text("import sys\n\nsys.exit(0)\n")
    (folder / "crash.py").write_text("import ctypes\n\nctypes.string_at(0)\n")
    (folder / "import.py").write_text("import pandas\n")
    module = (ROOT / committed_config["experiment"]["module"]).read_text(encoding="utf-8")
    text = module.replace("    model = keras", "    {}['no key']\n    model = keras", 1)
    (folder / "raise.py").write_text(text)
    (folder / "inputs.py").write_text(module.replace("return inputs, ", "return [inputs] * 2, "))
    protocol = committed_config["protocols"]["question"] | {"optimizer": "Best"}
    right = plan(NEW, [("plain", "question")])
    cell = right["cells"][0]
    plans = {
        "layer": right | {"variants": {"plain": {"between": ["Dens"]}}},
        "argument of a layer": right | {"variants": {"plain": {"between": [{"Dense": {"un": 3}}]}}},
        "value of an argument": right
        | {"variants": {"plain": {"between": [{"Activation": {"activation": "lineer"}}]}}},
        "optimizer": right | {"protocols": {"question": protocol}},
        "rows": right | {"data": right["data"] | {"rows": 95}},
        "JSON": '{"variants": [',
        "lacking": {name: value for name, value in right.items() if name != "seeds"},
        "unknown": right | {"epochz": 20},
        "variant": right | {"cells": [cell | {"variant": "plane"}]},
        "donor": right
        | {"cells": [cell | {"initial_weights": {"file": "nowhere.jsonl", "variant": "bn"}}]},
        "API": right | {"api": "pytorch"},
        "endless experiment": right | {"time_limit": 0.005},
    }
    options = {
        "experiment": ("--experiment", folder / "empty.py"),
        "endless experiment": ("--experiment", folder / "endless.py"),
        **{
            name: ("--experiment", folder / f"{name}.py")
            for name in ("exit", "crash", "import", "raise", "inputs")
        },
        "absent experiment": ("--experiment", folder / "nowhere.py"),
        "absent plan": ("--plan", folder / "nowhere.json"),
        "unwritable folder": ("--output", folder / "file/runs/runs.jsonl"),
    }

    def mistaken(what):
        output = folder / f"{what}.jsonl"
        arguments = train_arguments(plans.get(what, right), output)
        if what in options:  # with what the plan says, where there is one of that name
            option, value = options[what]
            arguments[arguments.index(option) + 1] = value
        return in_environment(NEW, *arguments), output

    return mistaken


# Told where others are told, by the framework's process; tests/plan has the sentences.
LONG = ("value of an argument", "rows", "inputs")
MESSAGES = {
    "layer": "train.job: config: variants/plain/layers/between: found Dens, expected a class of "
    "this release: Dense",
    "argument of a layer": "variants/plain/layers/between: found Dense with {'un': 3}, expected "
    "(self, units, ",
    "value of an argument": "layers/between: found Activation with {'activation': 'lineer'}, "
    "expected ",
    "optimizer": "train.job: config: protocols/question/optimizer: found Best, expected a class of "
    "this release: ",
    "rows": "config: protocols/question: evaluation_rows: found [90, 100], expected rows among ",
    "inputs": "inputs.py: make_data: found inputs of list, expected one array of numbers",
    "JSON": "JSON.plan.json: Expecting value: line 1",
    "lacking": "lacking.plan.json: lacks seeds",
    "unknown": "unknown.plan.json: unknown epochz",
    "variant": "variant.plan.json: cells: found variant 'plane', expected one of variants",
    "donor": "nowhere.jsonl",
    "API": "API.plan.json: api: found 'pytorch', expected tf.keras or keras",
    "endless experiment": "endless.py: no end after 0.005 minutes, which is the limit",
    "experiment": "an experiment also has to define make_data, build_model, PROCEDURES",
    "absent experiment": "nowhere.py",
    "absent plan": "nowhere.json",
    "unwritable folder": "Not a directory",
}


@pytest.mark.parametrize(
    "what",
    [pytest.param(what, marks=[pytest.mark.long] * (what in LONG)) for what in MESSAGES],
)
def test_mistake_is_told_in_one_line(mistaken, what):
    done, output = mistaken(what)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    assert MESSAGES[what] in done.stderr.splitlines()[-1]
    assert not output.exists()


@pytest.mark.parametrize(
    ("what", "message"),
    {
        "exit": "exit.py, line 3, in <module>: sys.exit was called: 0 (when it was imported); ",
        "import": "import.py, line 1, in <module>: ModuleNotFoundError: No module named 'pandas'",
        "raise": "in build_model: KeyError: 'no key' (in the training of plain, ",
        "crash": "Fatal Python error: Segmentation fault",
    }.items(),
)
def test_what_a_module_raises_is_told_before_the_traceback(mistaken, what, message):
    done, output = mistaken(what)
    assert done.returncode != 0
    assert message in done.stderr.splitlines()[0]
    assert f"{what}.py" in done.stderr
    assert not output.exists()


def test_the_example_in_the_docstring(in_environment, committed_config, tmp_path):
    source = (WORKFLOW / "train/job.py").read_text(encoding="utf-8")
    documented = ast.get_docstring(ast.parse(source))
    plan, output = tmp_path / "plan.json", tmp_path / "runs.jsonl"
    start = documented.index("{")
    plan.write_text(json.dumps(json.JSONDecoder().raw_decode(documented[start:])[0]))
    experiment = ROOT / committed_config["experiment"]["module"]
    options = ["--experiment", experiment, "--plan", plan, "--output", output]
    done = in_environment(OLD, WORKFLOW, "train.job", *options)
    assert done.returncode == 0, done.stderr
    (record,) = map(json.loads, output.read_text().splitlines())
    assert record["cell"]["variant"] == "bn"
    assert list(record["evaluations"]) == ["90:100"]


def test_pure_python_parts_under_the_real_python(in_environment):
    tests = Path(__file__).with_name("python37.py")
    done = in_environment(OLD, tests, WORKFLOW, *UNDER_PYTHON_37)
    assert done.returncode == 0, done.stderr
    assert "OK" in done.stderr


@pytest.mark.parametrize("path", UNDER_PYTHON_37, ids=lambda path: path.stem)
def test_only_standard_library_numpy_and_framework_are_imported(path):
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))
    assert imported_by(tree) <= {"numpy", "tensorflow", "keras", *ROOMS, *sys.stdlib_module_names}
    ours = {name for name in module_names(tree) if name.partition(".")[0] in ROOMS}
    assert ours <= {*ROOMS, *(module_of(each) for each in UNDER_PYTHON_37)}


def module_of(path):
    """Return the name under which a file of the workflow is imported."""
    root = WORKFLOW if WORKFLOW in path.parents else ROOT
    return ".".join(path.relative_to(root).with_suffix("").parts)


def module_names(tree):
    """Return the full names of what is imported."""
    nodes = list(ast.walk(tree))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in (node for node in nodes if isinstance(node, ast.ImportFrom)):
        parts = [f"{node.module}.{alias.name}" for alias in node.names]
        names |= set(parts) if node.module in ROOMS else {node.module}
    return names


def imported_by(tree):
    """Return the top-level names of what is imported."""
    return {name.partition(".")[0] for name in module_names(tree)}
