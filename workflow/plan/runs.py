"""The cells that a configuration asks for, and the plan of each job.

For Snakemake's process. A plan is JSON, as train.job and train.probe_randomness take it; a job
whose plan has changed runs again.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import product
from typing import Any

PUBLISHED = "published"  # the change of a run in which nothing is changed
# What a job writes, below the folder of the results.
RUN_FILE = "runs/{environment}/{api}/{job}.jsonl"
# A plan has these keys of the section `experiment`, if the configuration has them.
TOLD = ("data", "data_seed", "python_seed", "time_limit")


def training_jobs(config: dict) -> dict[str, tuple[list[str], list[int]]]:
    """Return {job: (its variants, its seeds)}, the same in every environment and API.

    A job is named after the place of its variants and after its first and last seed, so that a
    variant or seed at the end of the configuration makes a job of its own or joins the last one.
    """
    variants = in_chunks(list(config["variants"]), config["variants_per_job"])
    seeds = in_chunks(config["seeds"], config["seeds_per_job"])
    return {
        f"variants{number}-{name_seeds(some)}": (together, some)
        for (number, together), some in product(enumerate(variants, start=1), seeds)
    }


def in_chunks(items: Sequence, size: int) -> list[Sequence]:
    """Return a list as lists of `size` items or what is left, in their order."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def name_seeds(seeds: list[int]) -> str:
    """Return "seed3" for one seed, else "seeds3-102", after the first and the last."""
    first, *others = map(str, seeds)
    return f"seeds{first}-{others[-1]}" if others else f"seed{first}"


def jobs_of_seed(jobs: dict, seed: int) -> list[str]:
    """Return the names of the training jobs that train a seed."""
    return [job for job, (_, seeds) in jobs.items() if seed in seeds]


def run_files(config: dict, jobs: Iterable[str]) -> list[str]:
    """Return the files of training jobs, in every environment and API."""
    return [
        f"{config['results']}/{RUN_FILE}".format(environment=environment, api=api, job=job)
        for environment, entry in config["environments"].items()
        for api, job in product(entry["apis"], jobs)
    ]


def make_plan(config: dict, cells: list[dict], seeds: list[int], **process: object) -> str:
    """Return the plan of a job of train.job, with the variants and protocols of `cells` alone.

    A cell has the keys change, variant and protocol, and what is changed in its start. `process`
    has what all cells share: environment, api, repeats, threads, eager, matrix_kernel.
    """
    variants = {**config["variants"], **config["control_runs"]["variants"]}
    experiment = config["experiment"]
    plan = {
        **{name: experiment[name] for name in TOLD if name in experiment},
        "variants": {cell["variant"]: variants[cell["variant"]]["layers"] for cell in cells},
        "protocols": {cell["protocol"]: config["protocols"][cell["protocol"]] for cell in cells},
        "cells": cells,
        "seeds": seeds,
    }
    return json.dumps({**process, **plan})


def cross(change: str, variants: Iterable[str], protocols: Iterable[str]) -> list[dict]:
    """Return a cell of each variant under each protocol."""
    return [
        {"change": change, "variant": variant, "protocol": protocol}
        for variant, protocol in product(variants, protocols)
    ]


def plan_runs(config: dict, jobs: dict) -> Callable[[Any], tuple[str, str]]:
    """Return a function that gives the plan of a training job by its wildcards, in two pieces.

    The first piece, the job's variants under every protocol, is made once for all seeds.
    """

    @cache
    def plan_variants(environment: str, api: str, *variants: str) -> str:
        cells = cross(PUBLISHED, variants, config["protocols"])
        process = {"repeats": config["repeats"][api], "threads": config["training_threads"]}
        plan = make_plan(config, cells, [], environment=environment, api=api, **process)
        return plan.removesuffix("[]}")

    def plan(wildcards: Any) -> tuple[str, str]:
        variants, seeds = jobs[wildcards.job]
        return plan_variants(wildcards.environment, wildcards.api, *variants), f"{seeds}}}"

    return plan


def release_modes(config: dict) -> list[tuple[str, str]]:
    """Return [(release, mode)] of the sweep, in table order: mode by mode, oldest first."""
    releases = config["sweep"]["releases"]
    return [
        (release, mode)
        for mode in ("default", "switched")
        for release, entry in releases.items()
        if mode in entry["modes"]
    ]


def plan_release(
    config: dict, variants: Iterable[str], protocols: Iterable[str], wildcards: Any
) -> str:
    """Return the plan of a release in a mode, which its cells have for their change."""
    return make_plan(
        config,
        cross(wildcards.mode, variants, protocols),
        [config["seed"]],
        environment=wildcards.environment,
        api="tf.keras",
        threads=1,
        eager=wildcards.mode,
    )


def grow(amount: int) -> Callable[[Any, int], int]:
    """Return a resource that is `amount` at the first attempt, twice that at the second, ..."""
    return lambda wildcards, attempt: amount * attempt
