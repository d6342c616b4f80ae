"""`snakemake --use-conda` with the front-end: the calls and the life of an environment."""

from deployment import DRIVER, copy_modules


def test_conda_prefix_create_envs_only_and_reuse(snakemake, workflow, tmp_path):
    own = ("--conda-prefix", tmp_path / "my envs")
    created = snakemake("--conda-create-envs-only", *own)
    assert created.code == 0, created.output
    assert not (workflow / "told.txt").exists()
    assert not list((workflow / ".snakemake/conda").glob("*_"))
    (history,) = (tmp_path / "my envs").glob("*_/conda-meta/history")
    before = history.stat().st_mtime_ns

    done = snakemake(*own)
    assert done.code == 0, done.output
    assert "Creating conda environment" not in done.output
    assert history.stat().st_mtime_ns == before
    assert (workflow / "told.txt").read_text() == f"{history.parents[1]} 42\n"


def test_failure_is_told_and_nothing_runs(snakemake, workflow, write_env):
    write_env(python="=3.4", folder=workflow)
    failed = snakemake()
    assert failed.code == 1
    assert "conda front-end of bn-yes-or-no: Python ==3.4.* is needed" in failed.output
    assert not (workflow / "told.txt").exists()
    assert list((workflow / ".snakemake/conda").glob("*_")) == []


def test_paths_with_spaces(snakemake, workflow, tmp_path):
    """Of the workflow, and of the clone whose front-end makes its environment."""
    clone = tmp_path / "my clone"
    copy_modules(clone)
    (clone / ".driver").symlink_to(DRIVER)
    front_end = clone / "workflow/deploy/conda/bin"
    done = snakemake(PATH=f"{DRIVER / 'bin'}:/usr/bin:/bin:{front_end}")
    assert done.code == 0, done.output
    prefix = next((workflow / ".snakemake/conda").glob("*_"))
    assert (workflow / "told.txt").read_text() == f"{prefix} 42\n"
