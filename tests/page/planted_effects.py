"""Effects of planted losses: python planted_effects.py OUT, in the environment of the study.

On the page BN is 0.1 lower than no BN for every seed but the first, V2 differs from V1 by a sign
that takes turns, and the page's seed 3 has the greatest loss without BN.
"""

import sys
from pathlib import Path

import numpy
import pandas

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow"))

from judge.tables import COLUMNS, write_table

from page import effects
from page.study import CELL, complete

SEEDS = numpy.arange(40)
EXPERIMENT = {"data_seed": 1, "data": {"rows": 100}}
PROTOCOLS = {
    "question": {
        **{"procedure": "fit", "training_rows": [0, 90], "batch_size": 32},
        **{"learning_rate": 0.001, "epochs": 20},
    }
}
BASE = 1 + 0.001 * (39 - (SEEDS - 3) % 40)
TURNS = numpy.where(SEEDS % 2, 0.01, -0.01)  # so that an interval has a width


def diverging(losses, *seeds):
    """Return losses that are infinite for some seeds, and no number for the first of them."""
    found = numpy.where(numpy.isin(SEEDS, seeds), numpy.inf, losses)
    found[list(seeds[:1])] = numpy.nan
    return found


# Near the published loss and equal to it; differences near zero and the published one, and equal.
NEAR = BASE.copy()
NEAR[10:14] = NEAR[3] + numpy.array([0.0002, -0.0002, 0, 0.0003])
APART = numpy.full(40, 0.5)
APART[20:25] = 0.0002, -0.0002, 0.0001, 0, 0.0003
APART[[3, *range(30, 36)]] = 0.1, 0.1004, 0.0996, 0.1003, 0.0999, 0.1002, 0.1006


# (question, variant, losses, what else is not as on the page). The cells of a question are of one
# part; `epoch` is the one after which the losses were noted.
PLANTED = [
    ("page", "plain", BASE, {}),
    ("page", "activation", BASE + numpy.where(SEEDS % 2, 0.2, -0.2), {}),
    ("page", "bn", BASE - numpy.where(SEEDS == 0, -0.3, 0.1), {}),
    ("page", "bn", BASE - 0.1, {"start": "plain"}),
    # Batches of 32 rows, two lengths and one that differs in the learning rate alone.
    ("batch_size", "bn", BASE, {"epochs": 100, "epoch": 20}),
    ("batch_size", "bn", BASE, {"epochs": 100}),
    ("batch_size", "bn", BASE + 9, {"epochs": 20, "learning_rate": 0.01}),
    # As many epochs; as many steps (60); 291 steps are 3 % less than 300, 288 are too few.
    ("batch_size", "bn", BASE + 0.5 + TURNS, {"batch_size": 8, "epochs": 20}),
    ("batch_size", "bn", BASE - 0.5 + TURNS, {"batch_size": 8, "epochs": 5}),
    ("batch_size", "bn", BASE + 0.25 + TURNS, {"batch_size": 30, "epochs": 97}),
    ("batch_size", "bn", BASE + 0.75 + TURNS, {"batch_size": 30, "epochs": 96}),
    ("batch_size", "plain", BASE, {"batch_size": 8, "epochs": 20}),
    # Pairs of activations.
    ("activations", "activations", BASE, {}),
    ("activations", "activations", BASE + 0.3 + TURNS, {"hidden": "relu"}),
    ("activations", "activations", BASE + 0.6 + TURNS, {"output": "tanh"}),
    ("activations", "bn_activations", BASE + 0.1 + TURNS, {"hidden": "relu"}),
    ("activations", "activation", BASE, {}),
    ("activations", "activation_bn", BASE + TURNS, {}),
    # From the kernels of plain, the network of linear activations is plain itself.
    ("learning_rate", "plain", BASE + TURNS, {"learning_rate": 0.1}),
    ("learning_rate", "bn_activations", BASE, {"learning_rate": 0.1, "start": "plain"}),
    ("learning_rate", "activation_bn", BASE, {"learning_rate": 0.1, "start": "activations"}),
    # From the kernels of another variant, both with BN and without.
    ("momentum", "plain", BASE + 1, {"start": "activations"}),
    ("momentum", "bn", BASE + 0.5 + TURNS, {"start": "activations"}),
    # Trainings that diverge: some of a cell, all but one, and one without BN.
    ("momentum", "plain", BASE, {}),
    ("momentum", "bn", diverging(BASE - 0.1 + TURNS, 1, 2), {"bn_momentum": 0.5}),
    ("momentum", "bn", diverging(BASE, *range(1, 40)), {"bn_momentum": 0.9}),
    ("momentum", "bn", diverging(BASE - 0.1 + TURNS, *range(2, 40)), {"bn_momentum": 0.8}),
    ("rows", "plain", diverging(BASE, 5), {}),
    ("near", "plain", NEAR, {}),
    ("near", "bn", NEAR + APART, {}),
    # Data of other seeds: BN is lower by 0.1 to 0.3, by 5 in another environment, from equal
    # weights there, and by 7 with another learning rate.
    *(
        ("data_seeds", variant, BASE - lower * TURNS - lower, {"data_seed": seed, **where})
        for variant, where, lowers in (
            ("plain", {}, (0, 0, 0)),
            ("bn", {}, (0.1, 0.2, 0.3)),
            ("plain", {"environment": "y"}, (0, 0)),
            ("bn", {"environment": "y", "start": "plain"}, (5, 5)),
            ("plain", {"learning_rate": 0.1}, (0, 0)),
            ("bn", {"learning_rate": 0.1}, (7, 7)),
        )
        for seed, lower in enumerate(lowers, start=2)
    ),
]


def rows(question, variant, losses, changes):
    """Return the rows of a cell, the same losses on all kinds of rows."""
    given = {key: value for key, value in changes.items() if key not in ("environment", "epoch")}
    cell = complete({"variant": variant, "protocol": "question", **given}, EXPERIMENT, PROTOCOLS)
    epoch = changes.get("epoch", cell["epochs"])
    steps = cell["steps"] // cell["epochs"] * epoch
    part = "any name" if question == "page" else f"of {question}"
    place = {"part": part, "question": question, "environment": changes.get("environment", "x")}
    columns = {**place, **cell, "steps": steps, "epoch": epoch, "seed": SEEDS}
    return pandas.DataFrame({**columns, **dict.fromkeys(effects.LOSSES, losses)})


def main():
    """Write the tables."""
    folder = Path(sys.argv[1])
    table = pandas.concat([rows(*planted) for planted in PLANTED])
    table = pandas.concat([table, table[-40:]])  # what two parts have in common counts once
    cells = effects.cells_of(table[list(COLUMNS["study"])])
    # What starts from the kernels of a variant has these; what draws its own has others.
    kernels = {}
    for cell in cells:
        drawn = cell.variant if cell.start == "own" else cell.start
        place = ("part", "environment", *(name for name in CELL if name != "steps"))
        kernels[tuple(getattr(cell, name) for name in place)] = dict.fromkeys(SEEDS.tolist(), drawn)
    bootstrap = {"resamples": 500, "confidence": 0.95, "family_confidence": 0.95, "seed": 1}
    statistics = effects.Statistics(bootstrap, 3, kernels)
    key = effects.compared_key(next(iter(cells)))
    made = {
        "cells": effects.summarize_cells(cells, {key: (2, 0.25)}, 3),
        "effects": effects.measure_effects(cells, statistics),
        "percentiles": effects.percentiles(cells, kernels),
        "yardsticks": effects.yardsticks(cells),
    }
    for name, frame in made.items():
        write_table(frame, folder / f"{name}.csv")


if __name__ == "__main__":
    main()
