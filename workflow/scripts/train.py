"""Train one variant in the framework of this environment and write one record per run.

A plain command line, without Snakemake: Python 3.7, numpy and the framework are enough.

    python workflow/scripts/train.py --environment tf1.14-keras2.2.4 --api tf.keras \
        --variant bn --layers '{"between": ["BatchNormalization"]}' \
        --protocols '{"question": {"procedure": "fit", ...}}' --seed 3 --output-folder runs
"""

import argparse
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
    parser.add_argument("--variant", required=True, help="name noted in the record")
    parser.add_argument("--layers", type=json.loads, required=True, help="JSON: slot to layers")
    parser.add_argument(
        "--protocols", type=json.loads, required=True, help="JSON: name to settings"
    )
    parser.add_argument("--data", type=json.loads, required=True, help="JSON: for make_data")
    parser.add_argument("--seed", type=int, required=True, help="graph-level seed")
    parser.add_argument("--data-seed", type=int, default=1, help="seed of numpy.random")
    parser.add_argument("--python-seed", type=int, default=2, help="seed of Python's random")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="0: the framework's own choice")
    parser.add_argument("--output-folder", required=True)
    return parser.parse_args(arguments)


def main():
    """Train every protocol and repeat of the cell, each as if in a process of its own."""
    options = parse_arguments()
    tensorflow, keras = framework.load_framework(options.api)
    experiment = run.load_experiment(options.experiment)
    framework.limit_threads(tensorflow, options.threads)
    machine = run.describe_machine(tensorflow, keras, options.threads)
    for repeat in range(1, options.repeats + 1):
        for protocol, settings in options.protocols.items():
            cell = {
                "environment": options.environment,
                "api": options.api,
                "variant": options.variant,
                "layers": options.layers,
                "protocol": protocol,
                "settings": settings,
                "data": options.data,
                "seeds": {
                    "graph": options.seed,
                    "numpy": options.data_seed,
                    "python": options.python_seed,
                },
                "repeat": repeat,
            }
            framework.start_afresh(tensorflow, keras, options.threads)
            record = run.train(tensorflow, keras, experiment, cell)
            record["machine"] = machine
            name = "seed{}-repeat{}.json".format(options.seed, repeat)
            run.write_record(record, os.path.join(options.output_folder, protocol, name))


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        sys.exit("train.py: {}".format(error))
