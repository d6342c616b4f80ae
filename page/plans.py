"""Which trainings the seed study asks for, and what each job is told: its plan.

For Snakemake's process. A plan is JSON, as page.train_study and page.compare_with_stock take it.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plan.runs import in_chunks

# What a job writes, below the folder of the results.
CHUNK_FILE = "study/{part}/{environment}/seeds{first}-{last}.npz"


def study_parts(config: dict) -> tuple[list[str], list[str]]:
    """Return the parts of the seed study in the default run, and all others."""
    study = config["study"]
    return study["default"], [part for part in study["parts"] if part not in study["default"]]


def study_trainings(config: dict, parts: list[str]) -> dict[str, list[str]]:
    """Return {"part": [...], "environment": [...]}: where each of these parts is trained."""
    study = config["study"]["parts"]
    pairs = [(part, environment) for part in parts for environment in study[part]["environments"]]
    return {"part": [part for part, _ in pairs], "environment": [name for _, name in pairs]}


def chunk_files(config: dict, part: list[str], environment: list[str]) -> list[str]:
    """Return the chunks of each part and environment: `chunk` seeds each, or what is left."""
    return [
        f"{config['results']}/{CHUNK_FILE}".format(
            part=part, environment=environment, first=chunk[0], last=chunk[-1]
        )
        for part, environment in zip(part, environment, strict=True)
        for settings in [config["study"]["parts"][part]]
        for chunk in in_chunks(range(settings["seeds"]), settings["chunk"])
    ]


def effects_of_this_run(config: dict, asked: bool, modified: Callable = str) -> list[str]:
    """Return the effects of the whole study, if asked for or made by an earlier run here.

    The table in the repository is of another run: only the chunks behind the table tell. `modified`
    returns a path as it is in a module.
    """
    others = study_parts(config)[1] if "study" in config else []
    chunks = chunk_files(config, **study_trainings(config, others)) if others else []
    if chunks and (asked or all(Path(modified(chunk)).is_file() for chunk in chunks)):
        return [f"{config['results']}/tables/sensitivity_effects.csv"]
    return []


def plan_chunk(config: dict, wildcards: Any) -> str:
    """Return the plan of a chunk of the seed study."""
    settings = config["study"]["parts"][wildcards.part]
    cells = settings["cells"]
    return json.dumps(
        {
            "part": wildcards.part,
            "environment": wildcards.environment,
            "first_seed": int(wildcards.first),
            "last_seed": int(wildcards.last),
            "cells": cells,
            "noted": settings.get("noted", []),
            "experiment": {key: config["experiment"][key] for key in ("data", "data_seed")},
            "protocols": {name: config["protocols"][name] for name in values_of(cells, "protocol")},
        }
    )


def plan_sample(config: dict, wildcards: Any) -> str:
    """Return the plan of the comparison of a part's sample with stock Keras."""
    settings = config["study"]["parts"][wildcards.part]
    cells = settings["cells"]
    variants = [*values_of(cells, "variant"), *values_of(cells, "start")]
    return json.dumps(
        {
            "count": settings["compared"],
            "sample_seed": config["study"]["sample_seed"],
            "protocols": {name: config["protocols"][name] for name in values_of(cells, "protocol")},
            "variants": {
                name: config["variants"][name]["layers"] for name in variants if name != "own"
            },
        }
    )


def values_of(cells: list[dict], setting: str) -> list:
    """Return every value of a setting in the cells of a part, in their order."""
    given = [cell[setting] for cell in cells if setting in cell]
    values = [each for one in given for each in (one if isinstance(one, list) else [one])]
    return list(dict.fromkeys(values))
