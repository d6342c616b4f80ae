"""Train variants in the framework of this environment and write one record per run.

A plain command line, without Snakemake: Python 3.7, numpy and the framework are enough.

    python workflow/scripts/train.py --environment tf1.14-keras2.2.4 --api tf.keras \
        --variant bn --layers '{"between": ["BatchNormalization"]}' \
        --protocols '{"question": {"procedure": "fit", ...}}' --seed 3 --output-folder runs
"""

import argparse
import functools
import itertools
import json
import os
import sys

from bnyesno.training import framework, run


def parse_arguments(arguments=None):
    """Return the options; argparse explains what is missing or malformed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiment", required=True, help="file of the experiment module")
    parser.add_argument("--environment", required=True, help="name noted in the record")
    parser.add_argument("--api", required=True, choices=["tf.keras", "keras"])
    parser.add_argument("--variant", required=True, action="append", help="name, may be repeated")
    parser.add_argument(
        "--layers", required=True, action="append", type=json.loads, help="JSON: slot to layers"
    )
    parser.add_argument(
        "--protocols", required=True, type=json.loads, help="JSON: name to settings"
    )
    parser.add_argument("--data", required=True, type=json.loads, help="JSON: for make_data")
    parser.add_argument(
        "--seed", required=True, type=int, nargs="+", help="graph-level seed, or several"
    )
    parser.add_argument("--data-seed", type=int, default=1, help="seed of numpy.random")
    parser.add_argument("--python-seed", type=int, default=2, help="seed of Python's random")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="0: the framework's own choice")
    parser.add_argument(
        "--output-folder",
        required=True,
        help="{variant} and {change} in it stand for the name of the variant and of the change",
    )
    controls = parser.add_argument_group("controls: each changes one thing")
    controls.add_argument("--initial-weights", help="record whose initial weights to start from")
    controls.add_argument(
        "--initializer-seeds", type=int, nargs="+", help="one per drawing layer, or the first few"
    )
    controls.add_argument(
        "--runs",
        type=json.loads,
        help="JSON: these runs instead of all: [{change, variant, protocol, initial_weights, "
        "initializer_seeds}]",
    )
    controls.add_argument("--eager", choices=["default", "switched"], default="default")
    controls.add_argument(
        "--matrix-kernel",
        choices=["processor", "portable"],
        default="processor",
        help="matrix products by the kernel for this processor, as by default, or for any",
    )
    options = parser.parse_args(arguments)
    if len(options.variant) != len(options.layers):
        parser.error("--layers: expected one for each --variant")
    return options


def cells(options):
    """Yield (name of the change, description of the run as its record keeps it)."""
    layers = dict(zip(options.variant, options.layers))
    repeats = range(1, options.repeats + 1)
    wanted_runs = options.runs or all_runs(options)
    for seed, repeat, wanted in itertools.product(options.seed, repeats, wanted_runs):
        yield (
            wanted["change"],
            {
                "environment": options.environment,
                "api": options.api,
                "variant": wanted["variant"],
                "layers": layers[wanted["variant"]],
                "protocol": wanted["protocol"],
                "settings": options.protocols[wanted["protocol"]],
                "data": options.data,
                "seeds": {
                    "graph": seed,
                    "numpy": options.data_seed,
                    "python": options.python_seed,
                },
                "repeat": repeat,
                "initial_weights_of": wanted["initial_weights"],
                "initializer_seeds": wanted["initializer_seeds"],
                "eager": options.eager,
                "matrix_kernel": options.matrix_kernel,
            },
        )


def all_runs(options):
    """Return every variant under every protocol, with the one change that the options make."""
    return [
        {
            "change": "",
            "variant": variant,
            "protocol": protocol,
            "initial_weights": options.initial_weights,
            "initializer_seeds": options.initializer_seeds,
        }
        for variant in options.variant
        for protocol in options.protocols
    ]


@functools.lru_cache(maxsize=None)
def read_donor(path):
    """Return the record whose initial weights to start from, or None."""
    if path is None:
        return None
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)


def start_framework(options):
    """Import the framework, set mode and threads; return (tensorflow, keras, the machine)."""
    framework.choose_matrix_kernel(options.matrix_kernel)
    tensorflow, keras = framework.load_framework(options.api)
    if options.eager == "switched":
        framework.switch_eager(tensorflow)
    framework.limit_threads(tensorflow, options.threads)
    return tensorflow, keras, run.describe_machine(tensorflow, keras, options.threads)


def main():
    """Train every cell, each as if in a process of its own."""
    options = parse_arguments()
    for _, cell in cells(options):
        read_donor(cell["initial_weights_of"])  # a missing one is told before anything is run
    experiment = run.load_experiment(options.experiment, options.data)
    tensorflow, keras, machine = start_framework(options)
    for change, cell in cells(options):
        framework.start_afresh(tensorflow, keras, options.threads)
        donor = read_donor(cell["initial_weights_of"])
        record = run.train(tensorflow, keras, experiment, cell, donor)
        record["machine"] = machine
        folder = options.output_folder.replace("{variant}", cell["variant"])
        folder = os.path.join(folder.replace("{change}", change), cell["protocol"])
        name = "seed{}-repeat{}.json".format(cell["seeds"]["graph"], cell["repeat"])
        run.write_record(record, os.path.join(folder, name))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit("train.py: {}".format(error))
