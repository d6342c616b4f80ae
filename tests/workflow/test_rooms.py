"""Rooms import in the direction of the data: plan, train, judge, plot, publish; the page apart.

Every import statement counts, those within functions too; the rule files count for the page.
"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

WORKFLOW = ROOT / "workflow"
ROOMS = ["plan", "train", "judge", "plot", "publish"]
MAY_IMPORT = {
    **{room: {*ROOMS[: position + 1]} for position, room in enumerate(ROOMS)},
    "page": {"plan", "train", "judge", "plot", "page"},
    "diagnose": {"plan", "judge", "diagnose", "plot"},
    "deploy": {"deploy", "train"},
}
# Runs under Python 3.7 in both processes, as all of train/ does.
FOR_TRAINING = "plan.interface"
STANDARD = sys.stdlib_module_names
RULES_OF_THE_PAGE = {"study.smk", "claims.smk"}


def imported(path: Path) -> set[str]:
    """Return the modules, such as "judge.tables", that a file imports from any room."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: every import names its room"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
            found.add(node.module)
    return {name for name in found if name.partition(".")[0] in MAY_IMPORT}


def test_every_folder_with_modules_is_a_room():
    assert {path.parent.name for path in WORKFLOW.glob("*/*.py")} == MAY_IMPORT.keys() - {"page"}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_from_those_before_it(room):
    files = [*(ROOT / "page" if room == "page" else WORKFLOW / room).rglob("*.py")]
    assert files
    against = {
        (str(path.relative_to(ROOT)), name)
        for path in files
        for name in imported(path)
        if name.partition(".")[0] not in MAY_IMPORT[room]
    }
    assert against == set()


def test_training_imports_of_the_plans_what_runs_under_python_3_7():
    names = {name for path in (WORKFLOW / "train").glob("*.py") for name in imported(path)}
    assert {name for name in names if name.startswith("plan.")} == {FOR_TRAINING}


def test_only_its_own_rules_use_the_page():
    rules = [*WORKFLOW.glob("*/*.smk"), *ROOT.glob("page/*.smk"), *ROOT.glob("paper/*.smk")]
    files = [ROOT / "Snakefile", WORKFLOW / "Snakefile", WORKFLOW / "diagnose/Snakefile", *rules]
    modules = "|".join(path.stem for path in (ROOT / "page").glob("*.py"))
    use = re.compile(rf"\bpage[./]({modules})\b(?!\.smk)|\b(?:from|import) page\b")
    using = {path.name for path in files if use.search(path.read_text(encoding="utf-8"))}
    assert using == RULES_OF_THE_PAGE


def test_set_up_needs_nothing_but_python_until_the_driver_is_there():
    found, missing = set(), {"__main__", "deploy.setup"}
    while missing:
        name = missing.pop()
        found.add(name)
        file = WORKFLOW / f"{name.replace('.', '/')}.py"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert {one.name.partition(".")[0] for one in node.names} <= STANDARD, name
            elif isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] in MAY_IMPORT:
                missing |= {node.module} - found
            elif isinstance(node, ast.ImportFrom):
                assert node.module.partition(".")[0] in STANDARD, name
    assert {"deploy.installed", "train.end_with_run"} <= found


COMMAND = """
import atexit

class Kept:
    def __del__(self):
        print("taken apart")

kept = Kept()

def main():
    print("done")
    atexit.register(print, "locks are released")
"""


@pytest.mark.parametrize("disk", ["free", "full"])
def test_a_command_ends_at_once_and_has_written_all(tmp_path, disk):
    (tmp_path / "told.py").write_text(COMMAND)
    log = tmp_path / "log" if disk == "free" else Path("/dev/full")
    with log.open("w") as stream:
        done = subprocess.run(
            [sys.executable, "-s", WORKFLOW, "told"],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            stdout=stream,
            stderr=subprocess.PIPE,
            text=True,
        )
    if disk == "full":
        assert (done.returncode, done.stderr[:15]) == (1, "told: [Errno 28")
    else:
        assert (done.returncode, log.read_text()) == (0, "done\nlocks are released\n")
