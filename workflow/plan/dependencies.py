"""What a rule depends on besides its data: the code that a script imports, its settings."""

import json
from functools import cache
from modulefinder import ModuleFinder
from pathlib import Path

from snakemake.utils import simplify_path

from plan.places import ROOT, sources

WORKFLOW = ROOT / "workflow"


@cache
def code_of(*modules: str) -> list[str]:
    """Return the files of modules, such as "judge.claims", and of those that they import.

    With them the data that a module reads from workflow/schemas under its own name. Nothing is run.
    What lies elsewhere (numpy, say) belongs to the environment of the job.
    """
    finder = ModuleFinder(path=[str(WORKFLOW)])
    for module in modules:
        finder.import_hook(module)
    found = [module.__file__ for module in finder.modules.values()]  # type: ignore[attr-defined]
    files = [Path(file) for file in found if file]  # modules within Python itself have no file
    data = [WORKFLOW / "schemas" / f"{file.stem}.yaml" for file in files]
    paths = {str(file) for file in [*files, *data] if file.is_file()}
    return sources(map(simplify_path, sorted(paths)))


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
