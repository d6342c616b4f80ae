"""train.py as a command line: what is wrong is told in one line, nothing half-made is left."""

import ast
import json
import sys
from pathlib import Path

import pytest
from repository import ROOT

pytestmark = pytest.mark.slow

NEW, OLD = "tf2.0-keras2.3.1", "tf1.14-keras2.2.4"
SCRIPTS = ROOT / "workflow/scripts"
UNDER_PYTHON_37 = [
    *sorted(SCRIPTS.glob("train*.py")),
    *(SCRIPTS / "compare_with_stock.py", SCRIPTS / "probe_randomness.py"),
    SCRIPTS / "list_packages.py",
    *sorted(SCRIPTS.glob("bnyesno/training/*.py")),
    *sorted(ROOT.glob("workflow/experiments/*.py")),
]


@pytest.fixture(scope="module")
def mistaken(start, train_arguments, committed_config, tmp_path_factory):
    """Every mistake at once, in the background: {what: (future, output folder)}."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "empty.py").write_text("SLOTS = ()\n")
    (folder / "file").touch()
    protocol = committed_config["protocols"]["question"] | {"optimizer": "Best"}
    changes = {
        "layer": {"--layers": '{"between": ["Dens"]}'},
        "argument of a layer": {"--layers": '{"between": [{"Dense": {"unit": 3}}]}'},
        "optimizer": {"--protocols": json.dumps({"question": protocol})},
        "JSON": {"--layers": '{"between": ['},
        "experiment": {"--experiment": folder / "empty.py"},
        "absent experiment": {"--experiment": folder / "nowhere.py"},
        "unwritable folder": {"--output-folder": folder / "file/runs"},
        "API": {"--api": "pytorch"},
    }
    started = {}
    for what, change in changes.items():
        output = folder / what
        arguments = train_arguments(NEW, output, ["plain"], protocols=["question"])
        for option, value in change.items():
            arguments[arguments.index(option) + 1] = value
        started[what] = (start(NEW, *arguments), output)
    return started


MESSAGES = {
    "layer": "train.py: layer 'Dens': this release of Keras has none by that name",
    "argument of a layer": "train.py: layer 'Dense': ",
    "optimizer": "train.py: optimizer 'Best': this release of Keras has none by that name",
    "JSON": "train.py: error: argument --layers: invalid",
    "experiment": "an experiment also has to define make_data, build_model, PROCEDURES",
    "absent experiment": "nowhere.py",
    "unwritable folder": "Not a directory",
    "API": "train.py: error: argument --api: invalid choice: 'pytorch'",
}


@pytest.mark.parametrize(("what", "message"), MESSAGES.items())
def test_mistake_is_told_in_one_line(mistaken, what, message):
    process, output = mistaken[what]
    done = process.result()
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    assert message in done.stderr.splitlines()[-1]
    assert not output.exists()


def test_pure_python_parts_under_the_real_python(in_environment):
    tests = Path(__file__).with_name("python37.py")
    done = in_environment(OLD, tests, SCRIPTS, *UNDER_PYTHON_37)
    assert done.returncode == 0, done.stderr
    assert "OK" in done.stderr


@pytest.mark.parametrize("path", UNDER_PYTHON_37, ids=lambda path: path.stem)
def test_only_standard_library_numpy_and_framework_are_imported(path):
    siblings = {script.stem for script in UNDER_PYTHON_37}
    allowed = {"numpy", "tensorflow", "keras", "bnyesno", *siblings, *sys.stdlib_module_names}
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))
    assert imported_by(tree) <= allowed
    ours = {name for name in module_names(tree) if name.startswith("bnyesno")}
    assert all(name.startswith("bnyesno.training") for name in ours)


def module_names(tree):
    """Return the full names of what is imported."""
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import)
             for alias in node.names}  # fmt: skip
    return names | {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def imported_by(tree):
    """Return the top-level names of what is imported."""
    return {name.partition(".")[0] for name in module_names(tree)}
