"""A Slurm cluster for the tests, and Snakemake runs on it that never outlive their test."""

import signal

import pytest
from debian import Unavailable
from repository import ROOT, skip_or_fail
from slurm import Cluster, install
from submission import IMPATIENT, Run
from waiting import HANGS


@pytest.fixture(autouse=True)
def hard_limit():
    """End a test that hangs."""

    def stop(*_):
        raise TimeoutError(f"the test took more than {HANGS} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(HANGS)
    yield
    signal.alarm(0)


@pytest.fixture(scope="module")
def cluster(framework_pythons):
    """A running cluster. Skips where there can be none, fails in continuous integration.

    It has no network, so the environments are built before.
    """
    try:
        install()
    except Unavailable as reason:
        skip_or_fail(f"no Slurm: {reason}")
    with Cluster() as running:
        yield running


@pytest.fixture(scope="module")
def start(cluster):
    """Start Snakemake, with profiles/slurm; no run, and no job of it, outlives the tests."""
    started = []

    def start(folder, *arguments, profile="profiles/slurm"):
        chosen = ("--profile", ROOT / profile) if profile else ()
        started.append(Run(folder, *chosen, *arguments, cancel=cluster.cancel, ask=cluster.ask))
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
