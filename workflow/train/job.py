"""Train what a plan says in the framework of this environment, and write a record of each run.

A plain command line, without Snakemake: Python 3.7, numpy and the framework are enough.

    python -s workflow train.job --experiment page/autoencoder.py \
        --plan plan.json --output runs.jsonl

A plan.json that trains one variant under one protocol, with everything that it has to say:

    {"environment": "tf1.14-keras2.2.4", "api": "tf.keras", "seeds": [3],
     "data": {"rows": 100, "features": 12},
     "variants": {"bn": {"between": ["BatchNormalization"]}},
     "protocols": {"answer": {"procedure": "train_on_batch", "optimizer": "Adam",
                              "learning_rate": 0.001, "epochs": 20, "batch_size": 10,
                              "training_rows": [0, 90], "evaluation_rows": [[90, 100]]}},
     "cells": [{"change": "published", "variant": "bn", "protocol": "answer"}]}

A cell is trained with each seed, `repeats` times; each training is a run. A cell may also name its
`initializer_seeds` (one for each layer that draws, or the first few) or its `initial_weights`
({"file": another output, "variant": of a run in that file with the same seed}). OPTIONS below are
what else a plan may say. The output holds one record in a line; the file appears whole or not at
all.
"""

import argparse
import contextlib
import faulthandler
import functools
import itertools
import json
import os
import sys
import threading
import traceback

from train import framework, run

REQUIRED = ("environment", "api", "seeds", "data", "variants", "protocols", "cells")
OPTIONS = {  # key of a plan: (its default, its meaning or what it may be)
    "data_seed": (1, "seed of numpy.random"),
    "python_seed": (2, "seed of Python's random"),
    "repeats": (1, "how often each cell is trained"),
    "threads": (0, "0: the framework's own choice"),
    "eager": ("default", ("default", "switched")),
    "matrix_kernel": ("processor", ("processor", "portable")),
    "time_limit": (None, "minutes after which the job ends, without an output; None: no limit"),
}
APIS = ("tf.keras", "keras")


def parse_arguments(arguments=None):
    """Return the options; argparse explains what is missing or malformed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiment", required=True, help="file of the experiment module")
    parser.add_argument("--plan", required=True, type=read_plan, help="JSON file; see above")
    parser.add_argument("--output", required=True, help="JSON Lines: one record in a line")
    return parser.parse_args(arguments)


def read_plan(path):
    """Return the plan in a file, with what it leaves to the defaults."""
    try:
        with open(path, encoding="utf-8") as stream:
            plan = json.load(stream)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError("{}: {}".format(path, error)) from None
    choices = {name: may for name, (_, may) in OPTIONS.items() if isinstance(may, tuple)}
    lacking = [name for name in REQUIRED if name not in plan]
    unknown = [name for name in plan if name not in REQUIRED and name not in OPTIONS]
    if lacking or unknown:
        said = "lacks " + ", ".join(lacking) if lacking else "unknown " + ", ".join(unknown)
        raise argparse.ArgumentTypeError("{}: {}".format(path, said))
    plan = dict({name: default for name, (default, _) in OPTIONS.items()}, **plan)
    for name, may in dict(choices, api=APIS).items():
        if plan[name] not in may:
            message = "{}: {}: found {!r}, expected {}"
            expected = " or ".join(may)
            raise argparse.ArgumentTypeError(message.format(path, name, plan[name], expected))
    for wanted, key in itertools.product(plan["cells"], ("variant", "protocol")):
        if wanted.get(key) not in plan[key + "s"]:
            message = "{}: cells: found {} {!r}, expected one of {}s"
            raise argparse.ArgumentTypeError(message.format(path, key, wanted.get(key), key))
    return plan


def cells_of_runs(plan):
    """Yield the cell of every run, as its record keeps it."""
    repeats = range(1, plan["repeats"] + 1)
    for seed, repeat, wanted in itertools.product(plan["seeds"], repeats, plan["cells"]):
        yield {
            "change": wanted.get("change"),
            "environment": plan["environment"],
            "api": plan["api"],
            "variant": wanted["variant"],
            "layers": plan["variants"][wanted["variant"]],
            "protocol": wanted["protocol"],
            "settings": plan["protocols"][wanted["protocol"]],
            "data": plan["data"],
            "seed": seed,
            "data_seed": plan["data_seed"],
            "python_seed": plan["python_seed"],
            "repeat": repeat,
            "initial_weights_of": wanted.get("initial_weights"),
            "initializer_seeds": wanted.get("initializer_seeds"),
            "eager": plan["eager"],
            "matrix_kernel": plan["matrix_kernel"],
        }


def find_donor(cell):
    """Return the record whose initial weights a cell starts from, or None."""
    donor = cell["initial_weights_of"]
    return donor and read_donor(donor["file"], donor["variant"], cell["seed"])


@functools.lru_cache(maxsize=None)
def read_donor(path, variant, seed):
    """Return the first record of a variant and seed in a file."""
    with open(path, encoding="utf-8") as lines:
        for record in map(json.loads, lines):
            cell = record["cell"]
            if (cell["variant"], cell["seed"]) == (variant, seed):
                return record
    raise ValueError("{}: no run of {} with seed {}".format(path, variant, seed))


def start_framework(plan):
    """Import the framework, set mode and threads; return (tensorflow, keras, the machine)."""
    tensorflow, keras = framework.load_framework(plan["api"], plan["matrix_kernel"])
    if plan["eager"] == "switched":
        framework.switch_eager(tensorflow)
    framework.limit_threads(tensorflow, plan["threads"])
    return tensorflow, keras, run.describe_machine(tensorflow, keras, plan["threads"])


def end_after(minutes, experiment):
    """End this process if it has not ended by then; say so, and where each thread is."""

    def end():
        faulthandler.dump_traceback()
        message = "train.job: {}: no end after {:g} minutes, which is the limit"
        message += " (config: experiment/time_limit); nothing is written"
        sys.stderr.write(message.format(experiment, minutes) + "\n")
        sys.stderr.flush()
        os._exit(1)

    timer = threading.Timer(60 * minutes, end)
    timer.daemon = True
    timer.start()


@contextlib.contextmanager
def telling(experiment, what):
    """Tell in a sentence what goes wrong in the experiment module, then the traceback, and end.

    What goes wrong elsewhere has its sentence already where it is a ValueError or an OSError.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        steps = traceback.extract_tb(error.__traceback__)
        own = [step for step in steps if step.filename == experiment]
        if not own and isinstance(error, (ValueError, OSError)):
            raise
        where = ", line {0.lineno}, in {0.name}".format(own[-1]) if own else ""
        message = "train.job: {}{}: {}: {} ({}); mend the module or what the configuration gives it"
        kind = "sys.exit was called" if isinstance(error, SystemExit) else type(error).__name__
        sys.stderr.write(message.format(experiment, where, kind, error, what) + "\n")
        traceback.print_exc()
        sys.exit(1)


def train_all(experiment, plan):
    """Train every run, each as if in a process of its own, and yield its record."""
    tensorflow, keras, machine = start_framework(plan)
    framework.check_classes(keras, plan["variants"], plan["protocols"])
    for cell in cells_of_runs(plan):
        donor = find_donor(cell)
        what = "{}, {}, seed {}".format(cell["variant"], cell["protocol"], cell["seed"])
        with telling(experiment.__file__, "in the training of " + what):
            record = run.train(tensorflow, keras, experiment, cell, plan["threads"], donor)
        yield dict(record, machine=machine)


def main():
    """Train the plan; what is wrong with it is told before the framework is started."""
    faulthandler.enable(all_threads=False)  # a segmentation fault, too, is told with its line
    options = parse_arguments()
    if options.plan["time_limit"]:
        end_after(options.plan["time_limit"], options.experiment)
    for cell in cells_of_runs(options.plan):
        find_donor(cell)
    with telling(options.experiment, "when it was imported"):
        experiment = run.load_experiment(options.experiment, options.plan["data"])
    run.write_records(train_all(experiment, options.plan), options.output)
