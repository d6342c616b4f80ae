"""Machines that are not like this one: the plan is the same, and the documentation lists them."""

import os
import re

import pytest
from machines import ELSEWHERE, PAGE, PLANNED, TABLE, Planned, write_table
from repository import ROOT, copy_small, run_driver

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A copy with the small experiment, a link to it, and broken things beside it."""
    folder = tmp_path_factory.mktemp("machines") / "größe ω"
    folder.mkdir()
    copy_small(folder)
    (folder.parent / "link").symlink_to(folder)
    for name in ("yaml", "numpy"):
        (folder / "broken").mkdir(exist_ok=True)
        (folder / f"broken/{name}.py").write_text("raise RuntimeError('of another Python')\n")
    (folder / "no git").mkdir()
    (folder / "no git/git").write_text("#!/bin/sh\nexit 127\n")
    (folder / "no git/git").chmod(0o755)
    return folder


def plan(folder, machine):
    """Return what a dry run on a machine says of its jobs."""
    environ = {**os.environ, **machine.variables}
    environ = {name: value for name, value in environ.items() if value is not None}
    command = (
        *machine.before,
        "snakemake",
        "--dry-run",
        "--cores",
        1,
        "--quiet",
        "rules",
        "reason",
    )
    done = run_driver(*command, cwd=folder, env=environ)
    assert done.returncode == 0, done.stdout
    return re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE)


@pytest.fixture(scope="module")
def usual(clone):
    """The jobs that are planned on this machine as it is."""
    jobs = plan(clone, PLANNED["one core"]._replace(before=()))
    assert {"train_runs", "render_figure", "total"} <= {name for name, _ in jobs}
    return jobs


def test_plan_is_the_same_where_all_of_it_comes_together(clone, usual):
    variables, before = {}, ()
    for machine in PLANNED.values():
        variables |= machine.variables
        before += machine.before
    for home in (None, "/proc/nobody"):
        assert plan(clone, Planned({**variables, "HOME": home}, before)) == usual


@pytest.mark.long
@pytest.mark.parametrize("machine", PLANNED)
def test_plan_is_the_same(clone, usual, machine):
    assert plan(clone, PLANNED[machine]) == usual


def test_documentation_lists_what_was_tried():
    (shown,) = TABLE.findall(PAGE.read_text(encoding="utf-8"))
    assert shown == write_table(), "run: python tests/machines.py"
    there = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")
    )
    assert [test for _, test in ELSEWHERE.values() if f"\ndef test_{test}(" not in there] == []
