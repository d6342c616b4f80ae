"""Records of a toy training whose every cause of a difference is planted, for all controls.

The toy has one layer of six weights. `plant` writes a record wherever the controls look for one,
as train.py would: with the draws, steps and losses that the variant and the control's change give.
"""

import base64
import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy
from bnyesno.config import fill_defaults
from bnyesno.controls import PUBLISHED, control_jobs, job_records, record_path, run_arguments
from bnyesno.runs import record_paths
from repository import ROOT

STEPS = 5
ROWS = ("0:90", "90:100")
NOTHING = {"initializer_seeds": None}


@dataclass
class Variant:
    """What is planted in a variant."""

    draws: int = 0  # stands for what the framework's draws depend on
    edits: dict = field(default_factory=dict)  # step: function of the weights after it
    evaluation: float = 0.0  # added to the loss by the evaluation alone, as moving averages do
    noise: float = 0.0  # the part of the weights that is another one in every process
    stubborn: bool = False  # keeps its own start, whatever a control gives it
    weights: int = 6


def make_config(folder, rows=(ROWS[1], ROWS[1]), **more):
    """Return the configuration of one comparison, "first" against "second"."""
    cell = {"environment": "toy", "api": "tf.keras", "protocol": "loop"}
    sides = {
        side: {**cell, "variant": side, "rows": side_rows}
        for side, side_rows in zip(("first", "second"), rows, strict=True)
    }
    config = {
        "results": str(folder),
        "experiment": {"module": "toy.py", "data": {}, "data_seed": 1, "python_seed": 2},
        "seeds": [3],
        "environments": {"toy": {"file": "toy.yaml", "label": "toy", "apis": ["tf.keras"]}},
        "variants": {side: {"label": side, "layers": {}} for side in sides},
        "protocols": {"loop": {"evaluation_rows": [[0, 90], [90, 100]], "training_rows": [0, 90]}},
        "comparisons": {"pair": {"label": "first and second", **sides}},
        **more,
    }
    fill_defaults(config, ROOT / "config.yaml")
    return config


def plant(config, first, second):
    """Write the record of every run that the controls compare."""
    variants = {"first": first, "second": second}
    for path in record_paths(config):
        write(path, PUBLISHED, variants[Path(path).parts[-3]])
    for job, runs in control_jobs(config).items():
        for run, settings in zip(runs, run_arguments(config, runs), strict=True):
            donor = settings["initial_weights"]
            donors = [json.loads(Path(donor).read_text())] if donor else []
            for path in job_records(config, job, [run]):
                write(path, run.change, variants[run.variant], settings, *donors)


def write(path, name, variant, change=NOTHING, donor=None):
    """Write the record of one run of the toy."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(train(name, variant, change, donor)))


def train(name, variant, change=NOTHING, donor=None):
    """Return the record of one run of the toy."""
    weights = start(variant, change, donor)
    steps = [weights]
    for step in range(1, STEPS + 1):
        weights = (weights * numpy.float32(0.9) + numpy.float32(0.1)).astype("<f4")
        weights = variant.edits.get(step, lambda same: same)(weights).astype("<f4")
        if variant.noise:
            weights = weights + numpy.float32(variant.noise * zlib.crc32(name.encode()))
        steps.append(weights)
    total = float(numpy.sum(weights, dtype=float))
    return {
        "cell": {"seeds": {"graph": 3}},
        "drawing_layers": ["layer"],
        "op_level_seeds": {},
        "machine": {"threads": 1, "cpu_instructions": "avx"},
        "initial_weights": {
            "arrays": [{"layer": "layer", "shape": [variant.weights], "values": steps[0].tolist()}]
        },
        "step_weights_base64": [base64.b64encode(step.tobytes()).decode() for step in steps[1:]],
        "evaluations": {
            rows: total * (1 + place) + variant.evaluation for place, rows in enumerate(ROWS)
        },
    }


def start(variant, change=NOTHING, donor=None):
    """Return the initial weights: the donor's, those of explicit seeds, or the variant's own."""
    given = donor["initial_weights"]["arrays"][0]["values"] if donor else []
    if len(given) == variant.weights and not variant.stubborn:
        return numpy.array(given, dtype="<f4")
    seed = [variant.draws]
    if change.get("initializer_seeds") and not variant.stubborn:
        seed = change["initializer_seeds"]
    return numpy.random.default_rng(seed).normal(size=variant.weights).astype("<f4")


def published(config, side):
    """Return the path of one side's published record."""
    return record_path(config, PUBLISHED, config["comparisons"]["pair"][side])
