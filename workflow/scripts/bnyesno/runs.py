"""Which runs a configuration asks for, and where their records are."""

import re
from itertools import product

RECORD = "{results}/runs/{environment}/{api}/{variant}/{protocol}/seed{seed}-repeat{repeat}.json"


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


def name_rule(*words):
    """Return a Snakemake rule name: the words joined, with anything but letters and digits as _."""
    return re.sub(r"\W", "_", "_".join(words))
