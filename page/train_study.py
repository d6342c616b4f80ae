"""Train every cell of a part of the seed study for a range of graph-level seeds.

A plain command line, without Snakemake: Python 3.7, numpy and TensorFlow are enough.

    python -s workflow page.train_study --plan plan.json --output chunk.npz

    {"part": "momentum", "environment": "tf2.0-keras2.3.1", "first_seed": 0, "last_seed": 255,
     "cells": [{"variant": "bn", "protocol": "answer", "bn_momentum": [0.99, 0.9]}], "noted": [10],
     "experiment": {"data": {"rows": 100, "features": 12}, "data_seed": 1},
     "protocols": {"answer": {"procedure": "train_on_batch", "learning_rate": 0.001, "epochs": 20,
                              "batch_size": 10, "training_rows": [0, 90]}}}

The file appears whole or not at all: a killed chunk loses only itself. It holds `part`,
`environment`, `seeds` and `cells` (JSON), and for each cell, by its position in that list, arrays
with a row per seed: losses, SHA-256 of weights, and `networks_per_product`, how many networks
shared each of the engine's five matrix products (page/engine.py: Products).
"""

import argparse
import json

import numpy
from train.files import sha256_of, whole_file

from page import engine, study


def parse_arguments():
    """Return the options; argparse explains what is missing or malformed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plan", required=True, help="JSON file; see above")
    parser.add_argument("--output", required=True, help="NPZ file")
    return parser.parse_args()


def engine_settings(cell, part, protocols):
    """Return the engine's settings for a cell."""
    return engine.TrainSettings(
        variant=cell["variant"],
        protocol=study.PROCEDURES[protocols[cell["protocol"]]["procedure"]],
        activations=(cell["hidden"], cell["output"]),
        epochs=cell["epochs"],
        batch_rows=cell["batch_size"],
        learning_rate=cell["learning_rate"],
        bn_momentum=cell["bn_momentum"],
        data_seed=cell["data_seed"],
        training_rows=cell["training_rows"],
        held_out_rows=cell["held_out_rows"],
        evaluate=study.evaluated_rows(cell),
        noted=tuple(study.noted_epochs(part, cell)),
    )


def train_cell(cell, part, protocols, seeds):
    """Return the arrays that are kept of a cell, one row per seed; weights as SHA-256."""
    start = cell["start"]
    kernels = None if start == "own" else engine.draw_kernels(start, seeds)
    trained = engine.train_seeds(engine_settings(cell, part, protocols), seeds, kernels)
    kept = {name: trained[name] for name in ("loss", "val_loss") if name in trained}
    kept["evaluations"] = trained["noted_evaluations"]
    kept["networks_per_product"] = trained["networks_per_product"]
    kept["initial_weights_sha256"] = digests(trained["initial_weights"])
    kept["final_weights_sha256"] = digests(trained["final_weights"])
    # those of Dense, which variants with and without BN share
    kernels_alone = [array for array in trained["initial_weights"] if array.ndim == 3]
    kept["initial_kernels_sha256"] = digests(kernels_alone)
    return kept


def digests(arrays):
    """Return the digest of each network's arrays; an array has a row for each network."""
    rows = numpy.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)
    return numpy.array([sha256_of([row]) for row in rows], dtype="S64")


def main():
    """Train the cells one after the other, all seeds of each side by side."""
    options = parse_arguments()
    with open(options.plan, encoding="utf-8") as stream:
        plan = json.load(stream)
    seeds = list(range(plan["first_seed"], plan["last_seed"] + 1))
    cells = study.expand_part(plan, plan["experiment"], plan["protocols"])
    arrays = {name: numpy.array(plan[name]) for name in ("part", "environment")}
    arrays.update(seeds=numpy.array(seeds), cells=numpy.array(json.dumps(cells)))
    for position, cell in enumerate(cells):
        trained = train_cell(cell, plan, plan["protocols"], seeds)
        arrays.update({"{}/{}".format(position, name): a for name, a in trained.items()})
    with whole_file(options.output, binary=True) as stream:
        numpy.savez(stream, **arrays)
