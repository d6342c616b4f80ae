"""Which runs a configuration asks for, and where their records are."""

import re
from itertools import product

RECORD = "{results}/runs/{environment}/{api}/{variant}/{protocol}/seed{seed}-repeat{repeat}.json"

RELEASE_RECORD = "{results}/sweep/{release}/{mode}/{variant}/{protocol}/seed{seed}-repeat1.json"
RANDOMNESS_RECORD = "{results}/sweep/{release}/{mode}/randomness.json"


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
    variants, size = list(config["variants"]), config["variants_per_job"]
    return [variants[start : start + size] for start in range(0, len(variants), size)]


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


def name_rule(*words):
    """Return a Snakemake rule name: the words joined, with anything but letters and digits as _."""
    return re.sub(r"\W", "_", "_".join(words))


def grow(amount):
    """Return a resource that is `amount` at the first attempt, twice that at the second, ..."""
    return lambda wildcards, attempt: amount * attempt
