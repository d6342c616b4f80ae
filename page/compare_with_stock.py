"""Train a random sample of a part's seeds and cells with stock Keras, each in a process of its own.

Each is forked from a process that has imported the framework and has done nothing else. Stops with
an error when one bit of weights or losses differs from what the engine got. Python 3.7.

    python -s workflow page.compare_with_stock --plan plan.json --chunks chunk.npz \
        --output compared.jsonl

    {"count": 8, "sample_seed": 1, "protocols": {"answer": {"procedure": "train_on_batch"}},
     "variants": {"bn": {"between": ["BatchNormalization"]}}}
"""

import argparse
import json
import multiprocessing
import os
import tempfile

import numpy
from train import framework, run
from train.files import open_arrays, sha256_of

from page import study, train_stock


def parse_arguments():
    """Return the options; argparse explains what is missing or malformed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], fromfile_prefix_chars="@")
    parser.add_argument("--plan", required=True, help="JSON file; see above")
    parser.add_argument("--chunks", required=True, nargs="+", help="NPZ files of the engine")
    parser.add_argument("--output", required=True, help="JSON Lines: one run in a line")
    return parser.parse_args()


def draw_sample(paths, count, seed):
    """Return {path: [(row, position of the cell)]}, drawn from all seeds and cells."""
    runs = []
    for path in sorted(paths):
        with open_arrays(path) as chunk:
            cells = len(json.loads(str(chunk["cells"])))
            runs += [
                (path, row, cell) for row in range(len(chunk["seeds"])) for cell in range(cells)
            ]
    chosen = numpy.random.RandomState(seed).choice(len(runs), min(count, len(runs)), replace=False)
    sample = {}
    for index in sorted(chosen):
        path, row, cell = runs[index]
        sample.setdefault(path, []).append((row, cell))
    return sample


def stock_layers(cell, layers):
    """Return the layers of a cell as train_stock.py takes them, from those of config.yaml."""
    activations = {"between": cell["hidden"], "after": cell["output"]}
    described = []
    for slot, units in (("between", 8), ("after", 12)):
        described.append(["dense", units])
        for layer in layers[cell["variant"]].get(slot, []):
            name = layer if isinstance(layer, str) else next(iter(layer))
            if name == "BatchNormalization":
                described.append(["bn", cell["bn_momentum"]])
            elif name == "Activation":
                described.append(["activation", activations[slot]])
            else:
                raise ValueError("variant {}: no layer {} here".format(cell["variant"], name))
    return described


def train_again(cell, seed, procedure, layers, folder):
    """Return what stock Keras makes of a cell and seed, {name: array}, in a process of its own."""
    out = os.path.join(folder, "out.npz")
    kernels = None
    if cell["start"] != "own":
        start = dict(cell, variant=cell["start"], start="own", epochs=1)
        donor = train_again(start, seed, procedure, layers, folder)
        kernels = os.path.join(folder, "kernels.npz")
        drawn = [array for name, array in sorted(donor.items()) if name.startswith("initial_")]
        numpy.savez(kernels, *[array for array in drawn if array.ndim == 2])
    request = dict(
        cell,
        seed=seed,
        procedure=procedure,
        layers=stock_layers(cell, layers),
        evaluate=study.evaluated_rows(cell),
        kernels=kernels,
        eager=None,
    )
    process = multiprocessing.Process(target=train_stock.train_one, args=(request, out))
    process.start()
    process.join()
    if process.exitcode:
        raise ValueError("stock Keras did not train {}".format(json.dumps(request)))
    with numpy.load(out) as arrays:
        return dict(arrays)


def weights_digest(stock, name):
    """Return the digest of all initial or final weights."""
    count = sum(key.startswith(name + ".") for key in stock)
    return sha256_of([stock["{}.{}".format(name, i)] for i in range(count)])


def compare(stock, engine):
    """Return (names of what differs, largest difference of a loss).

    `engine` holds the arrays of one seed, noted at some epochs, the last of which is compared.
    """
    differing = [
        name
        for name in ("initial_weights", "final_weights")
        if weights_digest(stock, name) != engine[name + "_sha256"].decode()
    ]
    losses = {"evaluations": (stock["evaluations"], engine["evaluations"][-1])}
    losses.update(
        {
            name: (stock[name][-1], engine[name][-1])
            for name in ("loss", "val_loss")
            if name in stock and name in engine
        }
    )
    differing += [name for name, pair in losses.items() if not numpy.array_equal(*pair)]
    return differing, max(float(numpy.max(numpy.abs(a - b))) for a, b in losses.values())


def compare_run(path, row, position, plan):
    """Return an entry of the output for one run."""
    with open_arrays(path) as chunk:
        cell, seed = json.loads(str(chunk["cells"]))[position], int(chunk["seeds"][row])
        prefix = "{}/".format(position)
        place = {name: str(chunk[name]) for name in ("part", "environment")}
        names = [name for name in chunk.files if name.startswith(prefix)]
        engine = {name[len(prefix) :]: chunk[name][row] for name in names}
    procedure = plan["protocols"][cell["protocol"]]["procedure"]
    with tempfile.TemporaryDirectory() as folder:
        stock = train_again(cell, seed, procedure, plan["variants"], folder)
    differing, largest = compare(stock, engine)
    return dict(place, seed=seed, differing=differing, largest_difference=largest, **cell)


def main():
    """Compare the sample; write it only if every bit is equal."""
    options = parse_arguments()
    with open(options.plan, encoding="utf-8") as stream:
        plan = json.load(stream)
    framework.load_framework("tf.keras")
    sample = draw_sample(options.chunks, plan["count"], plan["sample_seed"])
    entries = [compare_run(path, *one, plan) for path, runs in sample.items() for one in runs]
    for entry in entries:
        if entry["differing"]:
            described = json.dumps({key: entry[key] for key in ("seed", *study.CELL)})
            raise ValueError(
                "the engine differs from stock Keras in {} (losses by up to {}): {}".format(
                    ", ".join(entry["differing"]), entry["largest_difference"], described
                )
            )
    run.write_records(entries, options.output)
