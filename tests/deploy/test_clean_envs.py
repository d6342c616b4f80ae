"""`make clean-envs` removes environments, all or one, and says what that frees."""

import os
import shutil
import subprocess

import pytest
from deploy.locking import USING, Lock, own_name
from deployment import DRIVER, copy_modules


@pytest.fixture
def clone(tmp_path):
    """A clone with two environments, one of which shares a file with a cache."""
    copy_modules(tmp_path)
    prefixes = tmp_path / ".snakemake/conda"
    for name in ("one", "two"):
        (tmp_path / "envs").mkdir(exist_ok=True)
        (tmp_path / f"envs/{name}.yaml").write_text(f"# {name}\n")
        (prefixes / f"{name}_/bin").mkdir(parents=True)
        (prefixes / f"{name}_/bin/file").write_bytes(b"x" * 3_000_000)
        shutil.copy(tmp_path / f"envs/{name}.yaml", prefixes / f"{name}_.yaml")
        (prefixes / f"{name}_.env_setup_done").touch()
    os.link(prefixes / "two_/bin/file", tmp_path / "cached")
    return tmp_path


@pytest.fixture
def clean(clone):
    """Run it and return what it prints."""

    def clean(*arguments: str, **more: str) -> str:
        environ = {k: v for k, v in os.environ.items() if k != "SNAKEMAKE_CONDA_PREFIX"} | more
        done = subprocess.run(
            [DRIVER / "bin/python", "-s", clone / "workflow", "deploy.clean_envs", *arguments],
            env=environ,
            capture_output=True,
            text=True,
        )
        return done.stdout + done.stderr

    return clean


def test_one_environment(clone, clean):
    told = clean("one")
    assert (
        told
        == "Removed 1 environment from .snakemake/conda: 3 MB are free now, caches keep the rest.\n"
    )
    left = {path.name for path in (clone / ".snakemake/conda").iterdir()}
    assert left == {"two_", "two_.yaml", "two_.env_setup_done"}


def test_all_environments(clone, clean):
    """What a cache shares is not freed."""
    told = clean()
    assert told.startswith("Removed 2 environments from .snakemake/conda: 3 MB are free now")
    assert list((clone / ".snakemake/conda").iterdir()) == []
    assert clean().startswith("Removed 0 environments")


def test_unknown_name(clean):
    assert clean("three") == "There is no environment 'three'; there are one, two.\n"


@pytest.fixture
def shared(clone):
    """The clone's environments in a folder that others use too, and one of theirs."""
    folder = (clone / ".snakemake/conda").rename(clone / "shared")
    (folder / "theirs_").mkdir()
    (folder / "theirs_.yaml").write_text("# of another clone\n")
    return folder


@pytest.mark.parametrize("by", ["option", "variable"])
def test_elsewhere_only_ours_are_removed(shared, clean, by):
    told = (
        clean("--prefix", str(shared))
        if by == "option"
        else clean(SNAKEMAKE_CONDA_PREFIX=str(shared))
    )
    assert told.startswith("Removed 2 environments from shared: ")
    assert {path.name for path in shared.iterdir()} == {"theirs_", "theirs_.yaml"}


def test_nothing_that_a_run_uses_is_removed(clone, clean):
    """The lock is that of a run, which lives; once it has ended, the environments are removed."""
    folder = clone / ".snakemake/conda"
    with Lock(folder / own_name(USING), "runs the workflow in another clone"):
        told = clean()
        assert f"in use by process {os.getpid()} on " in told
        assert "which runs the workflow in another clone since " in told
        assert (folder / "one_").exists() and (folder / "two_").exists()
    assert clean().startswith("Removed 2 environments")
    assert list(folder.iterdir()) == []
