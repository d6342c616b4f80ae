"""Copies of the repository in which the small experiment, tests/small.yaml, has run to its end.

Environments are those of the
repository, found through --conda-prefix, so that nothing is installed again.
"""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from plan.documents import read_yaml, write_yaml
from repository import ROOT, copy_small, run_driver
from waiting import HANGS


@dataclass
class Workspace:
    """A copy of the repository, and what it takes to run Snakemake in it."""

    folder: Path

    def copy(self, target):
        """Copy it as it is; return the copy."""
        return Workspace(shutil.copytree(self.folder, target))

    def snakemake(self, *arguments):
        """Run the workflow as a user would; return the finished process."""
        prefix = ROOT / ".snakemake/conda"
        command = ["snakemake", "--use-conda", "--conda-prefix", prefix, "--cores", 2]
        return run_driver(*command, *arguments, cwd=self.folder, timeout=HANGS)

    def planned(self, *arguments):
        """Return the messages of the jobs that a dry run would start."""
        done = self.snakemake("--dry-run", *arguments)
        assert done.returncode == 0, done.stdout
        return set(re.findall(r"^ *(?:local)?job \d+: (.+)$", done.stdout, re.MULTILINE | re.I))

    def change_config(self, change):
        """Let a function change the configuration, then write it."""
        config = read_yaml(self.folder / "config.yaml")
        change(config)
        write_yaml(config, self.folder / "config.yaml")

    def files(self):
        """Return {path: (time of change, content)} of everything under results/."""
        found = (self.folder / "results").rglob("*")
        return {
            str(path.relative_to(self.folder)): (path.stat().st_mtime_ns, path.read_bytes())
            for path in found
            if path.is_file()
        }


@pytest.fixture(scope="session")
def small(framework_pythons, tmp_path_factory):
    """A copy with the small experiment, not run yet. Only read it."""
    return Workspace(copy_small(tmp_path_factory.mktemp("small") / "copy"))


@pytest.fixture(scope="session")
def finished_run(small, made_once, tmp_path_factory):
    """A copy in which it has run, and what that printed. Only read it."""

    def run(path):
        workspace = small.copy(tmp_path_factory.mktemp("finished") / "copy")
        done = workspace.snakemake()
        assert done.returncode == 0, done.stdout
        path.write_text(json.dumps([str(workspace.folder), done.stdout]))

    folder, printed = json.loads(made_once("finished.json", run).read_text())
    return Workspace(Path(folder)), printed


@pytest.fixture
def finished(finished_run, tmp_path):
    """A copy of one's own in which the small experiment has run."""
    return finished_run[0].copy(tmp_path / "copy")


@pytest.fixture(scope="module")
def finished_for_file(finished_run, tmp_path_factory):
    """The same for all tests of a file together."""
    return finished_run[0].copy(tmp_path_factory.mktemp("finished_for_file") / "copy")
