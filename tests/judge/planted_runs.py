"""Records of a toy training whose every cause of a difference is planted, for all controls.

The toy has one layer of six weights. `plant` writes the files that the jobs' plans ask for, as
train.job would: with the draws, steps and losses that the variant and the control's change give.
"""

import base64
import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy
from judge.records import Records
from plan.configuration import fill_defaults
from plan.controls import PORTABLE, control_files, control_jobs
from plan.runs import plan_runs, run_files, training_jobs
from planted import make_record, plan_of_controls

STEPS = 5
ROWS = ("0:90", "90:100")


@dataclass
class Variant:
    """What is planted in a variant."""

    draws: int = 0  # stands for what the framework's draws depend on
    edits: dict = field(default_factory=dict)  # step: function of the weights after it
    evaluation: float = 0.0  # added to the loss by the evaluation alone, as moving averages do
    noise: float = 0.0  # the part of the weights that is another one in every process
    stubborn: bool = False  # keeps its own start, whatever a control gives it
    weights: int = 6
    kernel: float = 0.0  # noise under the portable matrix kernel alone
    repeats: dict = field(default_factory=dict)  # repeat: factor of the loss
    drawn: bool = True  # whether the layer is one that draws
    again: float = 1.0  # factor of the loss wherever the same is trained again
    column: bool = False  # the same number of weights, as a column


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
        "seed": 3,
        "environments": {"toy": {"file": "toy.yaml", "label": "toy", "apis": ["tf.keras"]}},
        "variants": {side: {"label": side, "layers": {}} for side in sides},
        "protocols": {"loop": {"evaluation_rows": [[0, 90], [90, 100]], "training_rows": [0, 90]}},
        "comparisons": {"pair": {"label": "first and second", **sides}},
        **more,
    }
    fill_defaults(config)
    return config | more  # with these controls alone, if some are given


def plant(config, first, second, losses=None, controls=False):
    """Write the record of every run that the controls compare; return where they are.

    `losses` are those of published runs, {variant: loss}, instead of what the training gives; with
    `controls`, those of all runs.
    """
    variants, jobs = {"first": first, "second": second}, training_jobs(config)
    published = run_files(config, jobs)
    for job, path in zip(jobs, published, strict=True):
        wildcards = SimpleNamespace(environment="toy", api="tf.keras", job=job)
        write(path, json.loads("".join(plan_runs(config, jobs)(wildcards))), variants, losses)
    jobs = control_jobs(config)
    files = control_files(config, jobs)
    for job, path in zip(jobs, files, strict=True):
        plan = plan_of_controls(config, jobs, job)
        write(path, json.loads(plan), variants, losses if controls else None)
    return Records([*published, *files], seed=3)


def write(path, plan, variants, losses=None):
    """Write the records of a plan."""
    lines = []
    for wanted in plan["cells"]:
        donor = wanted.get("initial_weights")
        given = Path(donor["file"]).read_text().splitlines() if donor else []
        records = map(json.loads, given)
        donors = [one for one in records if one["cell"]["variant"] == donor["variant"]]
        variant = variants[wanted["variant"]]
        for repeat in range(1, plan["repeats"] + 1):
            record = train(variant, wanted, *donors[:1])
            if losses:
                record["evaluations"] = dict.fromkeys(
                    record["evaluations"], losses[wanted["variant"]]
                )
            again = wanted["change"] in ("default_threads", "new_process")
            factor = variant.repeats.get(repeat, 1.0) * (variant.again if again else 1.0)
            record["evaluations"] = {
                rows: loss * factor for rows, loss in record["evaluations"].items()
            }
            cell = {"environment": plan["environment"], "api": plan["api"], "repeat": repeat}
            record["cell"] |= {key: wanted[key] for key in ("change", "variant", "protocol")} | cell
            lines.append(json.dumps(record) + "\n")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("".join(lines))


def train(variant, run, donor=None):
    """Return the record of one run of the toy."""
    weights = start(variant, run, donor)
    steps = [weights]
    for step in range(1, STEPS + 1):
        weights = (weights * numpy.float32(0.9) + numpy.float32(0.1)).astype("<f4")
        weights = variant.edits.get(step, lambda same: same)(weights).astype("<f4")
        noise = variant.noise + variant.kernel * (run["change"] == PORTABLE)
        if noise:
            weights = weights + numpy.float32(noise * zlib.crc32(run["change"].encode()))
        steps.append(weights)
    total = float(numpy.sum(weights, dtype=float))
    shape = [variant.weights, 1] if variant.column else [variant.weights]
    planted = make_record()
    return planted | {
        "layers": ["layer"],
        "drawing_layers": ["layer"] if variant.drawn else [],
        "op_level_seeds": {},
        "machine": {**planted["machine"], "threads": 1},
        "initial_weights": {
            "sha256": "",
            "arrays": [{"layer": "layer", "shape": shape, "values": steps[0].tolist()}],
        },
        "step_weights_base64": [base64.b64encode(step.tobytes()).decode() for step in steps[1:]],
        "evaluations": {
            rows: total * (1 + place) + variant.evaluation for place, rows in enumerate(ROWS)
        },
    }


def start(variant, run, donor=None):
    """Return the initial weights: the donor's, those of explicit seeds, or the variant's own."""
    (array,) = donor["initial_weights"]["arrays"] if donor else [{"shape": [0], "values": []}]
    given = array["values"] if (len(array["shape"]) == 2) == variant.column else []
    if len(given) == variant.weights and not variant.stubborn:
        return numpy.array(given, dtype="<f4")
    seed = [variant.draws]
    if run.get("initializer_seeds") and not variant.stubborn:
        seed = run["initializer_seeds"]
    return numpy.random.default_rng(seed).normal(size=variant.weights).astype("<f4")
