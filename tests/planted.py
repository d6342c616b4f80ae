"""Small records with known contents, for tests of what is made from records."""

import zlib
from itertools import product
from types import SimpleNamespace

import numpy
import pandas
from judge.releases import compare_releases
from judge.tables import COLUMNS, ROWS
from plan.controls import donor_files, plan_controls
from plan.runs import PUBLISHED, release_modes
from train.run import RECORD_FORMAT

KERNELS = {"dense": "a" * 64, "dense_1": "b" * 64}


def plan_of_controls(config, jobs, job):
    """Return the plan of a job of the controls, where no module has a prefix."""
    wildcards = SimpleNamespace(**job._asdict())
    donors = donor_files(config, jobs, wildcards)
    return plan_controls(config, jobs, wildcards, SimpleNamespace(donors=donors))


def make_record(
    environment="tf1.14-keras2.2.4",
    api="tf.keras",
    variant="plain",
    protocol="question",
    seed=3,
    repeat=1,
    epochs=2,
    change=PUBLISHED,
    **changes,
):
    """Return a record of two steps per epoch; its numbers depend on the cell, nothing else."""
    cell = f"{environment} {api} {variant} {protocol} {seed} {repeat}"
    random = numpy.random.default_rng(zlib.crc32(cell.encode()))
    record = {
        "format": RECORD_FORMAT,
        "cell": {
            "change": change,
            "environment": environment,
            "api": api,
            "variant": variant,
            "protocol": protocol,
            "seed": seed,
            "data_seed": 1,
            "python_seed": 2,
            "repeat": repeat,
            "settings": {
                "epochs": epochs,
                "batch_size": 32,
                "learning_rate": 0.001,
                "training_rows": [0, 90],
            },
        },
        "machine": {
            "tensorflow": "1.14.0",
            "keras": "2.2.4",
            "numpy": "1.16.6",
            "cpu_model": "planted",
            "cpu_instructions": "avx",
            "python": "3.7.16",
            "executes_eagerly": False,
        },
        "layers": ["dense", "activation", "dense_1"],
        "drawing_layers": ["dense", "dense_1"],
        "layer_output_names": {
            "dense": "dense/BiasAdd:0",
            "activation": "activation/activation/Identity:0",
            "dense_1": "dense_1/BiasAdd:0",
        },
        "layer_is_identity": {"activation": True},
        "op_level_seeds": {
            "dense": {"graph_seed": seed, "op_seed": 4},
            "dense_1": {"graph_seed": seed, "op_seed": 25},
        },
        "initial_weights": {
            "sha256": "c" * 64,
            "arrays": [
                {"layer": layer, "position": position, "sha256": hash_}
                for layer, kernel in KERNELS.items()
                for position, hash_ in enumerate([kernel, "0" * 64])
            ],
        },
        "final_weights": {"sha256": "d" * 64},
        "trajectory_sha256": "e" * 64,
        "step_losses": draw(random, 2 * epochs),
        "weight_sums": [
            dict(zip(KERNELS, draw(random, len(KERNELS)), strict=True)) for _ in range(2 * epochs)
        ],
        "evaluations": dict(zip(["80:90", "90:100"], draw(random, 2), strict=True)),
        "epochs": [
            {
                "epoch": epoch,
                "loss": draw(random, 1)[0],
                "rows": dict(zip(["80:90", "90:100"], draw(random, 2), strict=True)),
            }
            for epoch in range(1, epochs + 1)
        ],
    }
    return record | changes


def draw(random, count):
    """Return `count` float32 numbers near 1, as floats."""
    return [float(number) for number in random.normal(1, 0.2, count).astype("float32")]


def make_records(config):
    """Return one record for every cell of a configuration, first repeats only."""
    return [
        make_record(environment, api, variant, protocol, seed, epochs=20)
        for environment, entry in config["environments"].items()
        for api, variant, protocol, seed in product(
            entry["apis"], config["variants"], config["protocols"], config["seeds"]
        )
    ]


def make_release_table(config, claims):
    """Return releases.csv for planted runs of every cell of the sweep."""
    runs = (
        (release, mode, make_record(release, variant=variant, protocol=protocol))
        for release, mode in release_modes(config)
        for variant, protocol in product(config["variants"], config["protocols"])
    )
    return compare_releases(runs, config["sweep"]["pair"], claims)


def make_control_tables(config):
    """Return the tables of the controls: two with planted rows, the others empty."""
    tables = {name: pandas.DataFrame(columns=list(COLUMNS[name])) for name in COLUMNS}
    random = numpy.random.default_rng(0)
    figures, comparisons = config["figures"], config["comparisons"]
    tables["initial_kernels"] = pandas.DataFrame(
        {
            "comparison": comparison,
            "environment": comparisons[comparison][side]["environment"],
            "variant": comparisons[comparison][side]["variant"],
            "layer": "dense_1",
            "graph_seed": 3,
            "op_seed": 24,
            "index": index,
            "value": value,
        }
        for comparison in figures["initial_kernels"]["comparisons"]
        for side in ("first", "second")
        for index, value in enumerate(draw(random, 96))
    )
    tables["trajectories"] = pandas.DataFrame(
        {
            "comparison": comparison,
            "control": control,
            "step": step,
            "largest_difference": 0.0 if number else difference,
        }
        for comparison in figures["trajectories"]["comparisons"]
        for number, control in enumerate(figures["trajectories"]["controls"])
        for step, difference in enumerate(draw(random, 181))
    )
    return {name: tables[name] for name in tables if name not in ("claims", *ROWS)}
