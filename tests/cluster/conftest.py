"""A Slurm cluster for the tests, and Snakemake runs on it that never outlive their test."""

import os
import re
import signal
import subprocess

import pytest
from repository import ACTIVATE, ROOT
from slurm import IMPATIENT, Cluster, Unavailable, install, run, wait_until

TEST_SECONDS = 240  # no test may take longer, whatever happens
WITHOUT_SLURMDBD = ROOT / "profiles/slurm/without-slurmdbd"


@pytest.fixture(autouse=True)
def hard_limit():
    """End a test that hangs."""

    def stop(*_):
        raise TimeoutError(f"the test took more than {TEST_SECONDS} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)


@pytest.fixture(scope="module")
def cluster():
    """A running cluster. Skips where there can be none, fails in continuous integration."""
    try:
        install()
    except Unavailable as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no Slurm, which must be tested here: {reason}")
        pytest.skip(f"no Slurm: {reason}")
    with Cluster() as running:
        yield running


@pytest.fixture(scope="module")
def start(cluster):
    """Start Snakemake, with profiles/slurm; no run, and no job of it, outlives the tests."""
    started = []

    def start(folder, *arguments, profile="profiles/slurm"):
        chosen = ("--profile", ROOT / profile) if profile else ()
        started.append(Run(folder, *chosen, *arguments))
        return started[-1]

    yield start
    for each in started:
        each.kill()


@pytest.fixture(scope="module")
def toy(start, tmp_path_factory):
    """Start the workflow in toy.smk; a resumed one is given its folder."""

    def toy(*arguments, chunks, folder=None, profile="profiles/slurm", **config):
        if folder is None:
            folder = tmp_path_factory.mktemp("toy")
            (folder / "profiles").symlink_to(ROOT / "profiles")
        settings = [f"{key}={value}" for key, value in {"chunks": chunks, **config}.items()]
        snakefile = ROOT / "tests/cluster/toy.smk"
        where = ("--snakefile", snakefile, "--directory", folder)
        options = (*where, *IMPATIENT, *arguments, "--config", *settings)
        return start(folder, *options, profile=profile)

    return toy


class Run:
    """One Snakemake process, in a session of its own."""

    def __init__(self, folder, *arguments):
        """Start it; what it prints goes to the file run.log in the folder."""
        self.folder = folder
        self.log = folder / "run.log"
        environment = {key: value for key, value in os.environ.items() if key != "SLURM_CONF"}
        command = f'PATH="{WITHOUT_SLURMDBD}:$PATH"; {ACTIVATE}'
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                ["bash", "-c", command, ROOT, "snakemake", *map(str, arguments)],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def finish(self, seconds):
        """Wait for its end; return its exit code."""
        return self.process.wait(seconds)

    def kill(self, cancel=True):
        """Kill it with -9, and cancel what it left in the queue, as a user would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            if cancel:
                run("scancel", *self.slurm_ids())

    def slurm_ids(self):
        """Return the Slurm job ids of all jobs that it has submitted."""
        return re.findall(r"with SLURM jobid (\d+)", self.log.read_text())

    def history(self, word):
        """Return what the chunks noted: [chunk, node, Slurm job id] for "start", else [chunk]."""
        file = self.folder / "history.txt"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split()[1:] for line in lines if line.startswith(f"{word} ")]

    def wait_for(self, word, count, seconds=60):
        """Wait until so many chunks have noted the word."""
        what = f"{count} chunks to {word} (see {self.log})"
        wait_until(lambda: len(self.history(word)) >= count, what, seconds)
