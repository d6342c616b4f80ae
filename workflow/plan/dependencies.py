"""A rule depends on its data, on the code that a module imports, and on its settings."""

import hashlib
import json
import re
from functools import cache
from pathlib import Path

from plan.places import ROOT

WORKFLOW = ROOT / "workflow"
IMPORT = re.compile(r"^ *(?:from ([\w.]+) )?import (?:\(([^)]*)\)|(.*))", re.MULTILINE)


@cache
def code_of(*modules: str) -> str:
    """Return what the code of modules is known by, for `params`: a rule runs again when it changes.

    As input files, all of this code would take a quarter of the time and memory of a dry run.
    """
    content = b"".join(file.read_bytes() for file in code_files(*modules))
    return f"{modules[0]} {hashlib.sha256(content).hexdigest()[:16]}"


def code_files(*modules: str) -> list[Path]:
    """Return the files of modules, such as "judge.claims", and of the modules that these import.

    The files of workflow/schemas with the names of these modules belong to them. No module is run.
    A module from elsewhere (numpy, say) belongs to the environment of the job.
    """
    files: set[Path] = set()
    left = {file for module in modules for file in files_of(module)}
    while left:
        file = left.pop()
        files.add(file)
        left |= imported_by(file) - files
    data = {WORKFLOW / "schemas" / f"{file.stem}.yaml" for file in files}
    return sorted(files | {file for file in data if file.is_file()})


@cache
def imported_by(file: Path) -> set[Path]:
    """Return the files of the workflow that a file imports by itself, in a function or outside.

    Each file is read once, and as text: Python's own modulefinder finds the same, which a test
    holds, and takes a sixth of the time of a dry run.
    """
    named = set()
    for package, several, line in IMPORT.findall(file.read_text(encoding="utf-8")):
        names = re.findall(r"[\w.]+", several or line)
        named |= {package, *(f"{package}.{name}" for name in names)} if package else {*names}
    return {file for name in named for file in files_of(name)}


@cache
def files_of(module: str) -> list[Path]:
    """Return the file of a module and the files of the packages around the module."""
    found = []
    for root in (WORKFLOW, WORKFLOW.parent):
        path = root.joinpath(*module.split("."))
        found += [path.with_suffix(".py"), path / "__init__.py"]
        found += [parent / "__init__.py" for parent in path.parents if root in parent.parents]
    return [file for file in found if file.is_file()]


def settings(config: dict, *paths: str) -> str:
    """Return the parts of a configuration at these paths as JSON, each in its place.

    A path is written as for Snakemake's `lookup`: "figures/seed", "variants/*/label". Where the
    configuration lacks the end of a path, so does the result. A script that is given only what it
    uses runs again only when that has changed.
    """
    chosen: dict = {}
    for path in paths:
        copy_at(path.split("/"), config, chosen)
    return json.dumps(chosen)


def copy_at(keys: list[str], source: dict, target: dict) -> None:
    """Copy what is under these keys, one below the other; "*" stands for every key."""
    first, *others = keys
    for key in source if first == "*" else {first} & source.keys():
        if others:
            copy_at(others, source[key], target.setdefault(key, {}))
        else:
            target[key] = source[key]
