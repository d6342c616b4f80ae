"""The places of files: the workflow's own files, and the files that a configuration names.

For Snakemake's process. Everything that is written goes to the working directory, which need not be
the folder of the workflow.
"""

from collections.abc import Iterable
from pathlib import Path

from snakemake.io import local, sourcecache_entry
from snakemake.utils import simplify_path, update_config

from plan.documents import find_entries

ROOT = Path(__file__).resolve().parents[2]  # the repository
# Where a configuration names files. The sign "*" is any key.
FILES = (
    "claims",
    "experiment/module",
    "experiment/files",
    "environments/*/file",
    "sweep/releases/*/file",
)


def source(path: str) -> str:
    """Return the path of a file that no job makes, marked as such for Snakemake.

    No prefix of a module is put before them. A file of the workflow is recorded under its name in
    the repository: when the workflow has moved, nothing runs again.
    """
    full = Path(path).resolve()
    name = str(full.relative_to(ROOT)) if full.is_relative_to(ROOT) else path
    return local(path if name == path else sourcecache_entry(path, name))


def sources(paths: Iterable[str]) -> list[str]:
    """Return paths, each marked by `source`."""
    return [source(path) for path in paths]


def of_workflow(name: str) -> str:
    """Return the path of a file of the repository, marked."""
    return source(simplify_path(str(ROOT / name)))


def workflow_files(*patterns: str) -> list[str]:
    """Return the paths of all files of the repository that match one of these patterns, marked."""
    found = {path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()}
    return [of_workflow(str(path.relative_to(ROOT))) for path in sorted(found)]


def find_files(config: dict, folders: Iterable[str | Path]) -> None:
    """Replace the paths that a configuration names, in place, by paths that lead to the files.

    A path starts from the first of the folders in which the path leads to a file; a path that leads
    nowhere stays as it is. A setting of experiment/data that is in experiment/files is a path, too.
    """

    def find(path: str) -> str:
        there = (Path(folder, path) for folder in folders)
        found = next((file.absolute() for file in there if is_file(file)), None)
        return simplify_path(str(found)) if found else path

    files = [entry.value for entry in find_entries(config, "experiment/files")]
    entries = [entry for path in FILES for entry in find_entries(config, path)]
    entries += [one for one in find_entries(config, "experiment/data/*") if one.value in files]
    for entry in entries:
        if isinstance(entry.value, str):
            entry.holder[entry.place] = find(entry.value)


def is_file(path: Path) -> bool:
    """Tell whether a path leads to a file; a path that is too long leads to none."""
    try:
        return path.is_file()
    except OSError:
        return False


def amend(config: dict, page: dict) -> None:
    """Add the entries of the page's configuration that a configuration leaves out, in place."""
    find_files(page, [ROOT])
    update_config(page, config)
    config.update(page)
