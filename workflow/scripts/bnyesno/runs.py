"""Which runs a configuration asks for, and where their records are."""

import re
from itertools import product

RECORD = "{results}/runs/{environment}/{api}/{variant}/{protocol}/seed{seed}-repeat{repeat}.json"

RELEASE_RECORD = "{results}/sweep/{release}/{mode}/{variant}/{protocol}/seed{seed}-repeat1.json"
RANDOMNESS_RECORD = "{results}/sweep/{release}/{mode}/randomness.json"

CHUNK = "{results}/study/{part}/{environment}/seeds{first}-{last}.npz"
STUDY_FILES = {
    "study": [
        "study.parquet",
        "study.csv",
        "study_cells.csv",
        "percentiles.csv",
        "effects.csv",
        "yardsticks.csv",
    ],
    "sensitivity": [
        "sensitivity.parquet",
        "sensitivity.csv",
        "sensitivity_cells.csv",
        "sensitivity_effects.csv",
        "sensitivity_yardsticks.csv",
    ],
}
COMPARED = "{results}/study/{part}/{environment}/compared.json"


def record_paths(config):
    """Return the path of every record that the configuration asks for, in table order."""
    return [
        RECORD.format(
            results=config["results"],
            environment=environment,
            api=api,
            variant=variant,
            protocol=protocol,
            seed=seed,
            repeat=repeat,
        )
        for environment, entry in config["environments"].items()
        for api in entry["apis"]
        for variant, protocol, seed in product(
            config["variants"], config["protocols"], config["seeds"]
        )
        for repeat in range(1, config["repeats"][api] + 1)
    ]


def split_variants(config):
    """Return [[variants of a training job], ...], in the order of the configuration."""
    return in_chunks(list(config["variants"]), config["variants_per_job"])


def split_seeds(config):
    """Return [[seeds of a training job], ...]; one by one they are a wildcard.

    A rule for every seed would be slow to read; a chunk of seeds cannot be a wildcard, since its
    records are named after each of them.
    """
    if config["seeds_per_job"] == 1:
        return [["{seed}"]]
    return in_chunks(config["seeds"], config["seeds_per_job"])


def in_chunks(items, size):
    """Return a list as lists of `size` items or what is left, in their order."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def name_seeds(seeds):
    """Return "seed3" for one seed, else "seeds3-102", after the first and the last."""
    first, *others = map(str, seeds)
    return f"seeds{first}-{others[-1]}" if others else f"seed{first}"


def release_modes(config):
    """Return [(release, mode)] of the sweep, in table order: mode by mode, oldest first."""
    releases = config["sweep"]["releases"]
    return [
        (release, mode)
        for mode in ("default", "switched")
        for release, entry in releases.items()
        if mode in entry["modes"]
    ]


def release_records(config, release, mode):
    """Return the path of every record of the sweep for a release and mode."""
    return [
        RELEASE_RECORD.format(
            results=config["results"],
            release=release,
            mode=mode,
            variant=variant,
            protocol=protocol,
            seed=config["sweep"]["seed"],
        )
        for variant, protocol in product(config["variants"], config["protocols"])
    ]


def study_trainings(config, parts=None):
    """Return [(part, environment)] of the seed study, of all parts or of these."""
    study = config["study"]["parts"]
    return [(part, name) for part in parts or study for name in study[part]["environments"]]


def trained_settings(config, part):
    """Return what decides the runs of a part, but for the seeds: what its training is told."""
    settings = config["study"]["parts"][part]
    return {key: settings[key] for key in ("runs", "noted") if key in settings}


def chunk_paths(config, part, environment):
    """Return the chunks of a part and environment, each of `chunk` seeds or what is left."""
    settings = config["study"]["parts"][part]
    seeds, size = settings["seeds"], settings["chunk"]
    return [
        CHUNK.format(
            results=config["results"],
            part=part,
            environment=environment,
            first=first,
            last=min(first + size, seeds) - 1,
        )
        for first in range(0, seeds, size)
    ]


def study_files(config, parts):
    """Return every chunk of these parts, and what stock Keras made of the samples."""
    files = []
    for part, environment in study_trainings(config, parts):
        files += chunk_paths(config, part, environment)
        files.append(COMPARED.format(results=config["results"], part=part, environment=environment))
    return files


def tables_of_study(config):
    """Return {table: its parts}: `study` has those of the default run, `sensitivity` the rest."""
    study = config["study"]
    others = [part for part in study["parts"] if part not in study["default"]]
    tables = {"study": study["default"], "sensitivity": others}
    return {table: parts for table, parts in tables.items() if parts}


def name_rule(*words):
    """Return a Snakemake rule name: the words joined, with anything but letters and digits as _."""
    return re.sub(r"\W", "_", "_".join(words))


def grow(amount):
    """Return a resource that is `amount` at the first attempt, twice that at the second, ..."""
    return lambda wildcards, attempt: amount * attempt
