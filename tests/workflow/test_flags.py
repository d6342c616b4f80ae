"""Flags that `snakemake --conda-cleanup-envs` leaves must not make a killed creation pass."""

import pytest

pytestmark = pytest.mark.slow


def test_flag_without_its_environment_is_removed(finished):
    """With it, Snakemake would take a half-made environment for a whole one."""
    folder = finished.folder / ".snakemake/conda"
    (folder / "whole_").mkdir(parents=True)
    for name in ("whole_", "removed_"):
        (folder / f"{name}.env_setup_done").touch()
    done = finished.snakemake("--dry-run", "--conda-prefix", folder)
    assert done.returncode == 0, done.stdout
    assert {path.name for path in folder.iterdir()} == {"whole_", "whole_.env_setup_done"}
