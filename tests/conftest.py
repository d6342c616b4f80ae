"""What all tests share: the configuration, and the interpreters of the environments."""

import copy
import fcntl
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser import Browser, install
from debian import Unavailable, install_packages
from plan.configuration import check_config
from plan.documents import read_yaml
from repository import (
    EVERYTHING,
    ROOT,
    ask_snakemake,
    copy_repository,
    copy_results,
    copy_small,
    messages_of,
    run_driver,
    skip_or_fail,
    write_yaml,
)
from waiting import HANGS

# What takes longest, in this order: a file of these that came last would leave a core idle. The
# first one makes the environments, and most others need them, so two that do not come next.
LONGEST = (
    *("cluster/test_slurm", "deploy/test_setup", "deploy/test_frontend"),
    *("workflow/test_workflow", "train/test_fidelity", "workflow/test_tutorial"),
    *("diagnose/test_recorder", "workflow/test_anywhere"),
    *("workflow/test_report", "judge/test_controls_real", "workflow/test_documentation"),
    *("diagnose/test_cases", "judge/test_sweep_real", "workflow/test_committed_figures"),
    *("page/test_study_training", "deploy/test_locks", "workflow/test_bills"),
)


def pytest_collection_modifyitems(items):
    """Put the files that take longest first; pytest-xdist then hands out files in this order."""
    order = {f"tests/{name}.py": position for position, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.nodeid.partition("::")[0], len(order)))


@pytest.fixture(scope="session")
def committed_config():
    """The experiment as it is committed, and as the rules use it."""
    return check_config(read_yaml(ROOT / "config.yaml"), ROOT)


@pytest.fixture
def planned(committed_config):
    """The same, to be changed at will."""
    return copy.deepcopy(committed_config)


@pytest.fixture
def config():
    """The experiment as it is written, to be changed at will and checked."""
    return read_yaml(ROOT / "config.yaml")


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Let the first of pytest's processes that asks make a file; made_once(name, make) -> path."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # where those of all workers are

    def made_once(name, make):
        path = folder / name
        with path.with_suffix(".lock").open("w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            if not path.exists():
                make(path)
        return path

    return made_once


@pytest.fixture(scope="session")
def framework_pythons(made_once):
    """The interpreter of each environment, {name of its file: path}, built by the workflow."""
    listed = made_once("environments.txt", list_environments).read_text().splitlines()
    rows = [line.split("\t") for line in listed if line.startswith("envs/")]
    return {
        file.removeprefix("envs/").removesuffix(".yaml"): ROOT / location / "bin/python"
        for file, _, location in rows
    }


def list_environments(path):
    """Build the environments of the default run; write what Snakemake lists of them."""
    built = run_driver("snakemake", "--use-conda", "--conda-create-envs-only", "--cores", 1)
    assert built.returncode == 0, built.stdout
    path.write_text(run_driver("snakemake", "--list-conda-envs").stdout)


@pytest.fixture(scope="session")
def asked(made_once, tmp_path_factory):
    """A copy of the repository with its results: its folder, all rules, the jobs for EVERYTHING."""

    def ask(path):
        folder = copy_results(copy_repository(tmp_path_factory.mktemp("asked") / "copy"))
        found = ask_snakemake(folder, *EVERYTHING)
        path.write_text(json.dumps({"folder": str(folder), **found}))

    return json.loads(made_once("asked.json", ask).read_text())


@pytest.fixture(scope="session")
def in_environment(framework_pythons):
    """Run an environment's interpreter: in_environment(name, *arguments) -> finished process."""

    def in_environment(environment, *arguments):
        return subprocess.run(
            [framework_pythons[environment], "-s", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONWARNINGS": "ignore"},
            timeout=HANGS,
        )

    return in_environment


@dataclass
class Workspace:
    """A copy of the repository, and what it takes to run Snakemake in it.

    Environments are those of the repository, found through --conda-prefix, so that nothing is
    installed again.
    """

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
        return messages_of(done.stdout)

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


@pytest.fixture(scope="session")
def node_modules(made_once):
    """The folder with what tests/node/package-lock.json lists; npm installs each by its hash."""

    def install_modules(path):
        folder = shutil.copytree(ROOT / "tests/node", path.with_name("node"), dirs_exist_ok=True)
        if not shutil.which("npm"):
            install_packages("npm")
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=HANGS)
        if done.returncode:
            raise Unavailable(f"npm: {done.stderr[-500:]}")
        path.write_text(str(folder / "node_modules"))

    try:
        return Path(made_once("node_modules.txt", install_modules).read_text())
    except Unavailable as reason:
        skip_or_fail(str(reason))


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """Chromium, installed if need be. Skips where it cannot be; in continuous integration fails."""
    try:
        install()
    except Unavailable as reason:
        skip_or_fail(f"no browser: {reason}")
    with Browser(tmp_path_factory.mktemp("chromium")) as chromium:
        yield chromium


@pytest.fixture
def browser(chromium):
    """The same for each test, as if nothing had been opened before."""
    chromium.clear()
    return chromium


@pytest.fixture
def findings(browser, node_modules):
    """Return a function: what axe-core finds serious on a page, in a narrow and a wide window."""

    def look(path):
        found = []
        for width in (400, 1300):
            browser.set_window_size(width, 900)
            browser.open(path)
            found += browser.findings(node_modules / "axe-core/axe.min.js")
        return found

    return look
