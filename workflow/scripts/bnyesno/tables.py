"""From run records to tidy tables. One row per observation, stable order, 17 digits.

COLUMNS is the one place that says which tables and columns there are, and what they mean.
"""

from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import pandas

CSV = {"index": False, "float_format": "%.17g", "lineterminator": "\n"}

# Numbers of training steps that differ by less, relatively, count as "about as many": whole epochs
# of other batch sizes seldom have the same number.
SAME_STEPS = 0.03

STUDY_COLUMNS = {
    "part": "part of the seed study, as in config.yaml",
    "question": "the question that the part answers: what its cells differ in",
    "environment": "name of the environment, as in config.yaml",
    "variant": "name of the variant, as in config.yaml",
    "protocol": "name of the protocol, as in config.yaml",
    "start": "initial weights: own draws of the variant, or those of the variant named",
    "hidden": "activation of the hidden units, where the variant has an Activation",
    "output": "activation of the output, where the variant has one",
    "data_seed": "seed of the data",
    "training_rows": "number of training rows",
    "held_out_rows": "number of held-out rows, drawn after the training rows",
    "batch_size": "rows per training step",
    "learning_rate": "learning rate of Adam",
    "bn_momentum": "momentum of BN's moving averages",
    "steps": "training steps until `epoch`",
    "epochs": "epochs of the whole training",
    "epoch": "the epoch after which the losses were taken",
}

STUDY_ROWS = {
    **STUDY_COLUMNS,
    "seed": "graph-level seed",
    "training_loss": "loss on all training rows with the weights then, as `evaluate` has it",
    "answer_rows_loss": "on the last ten training rows, which the answer's script evaluates",
    "held_out_loss": "on the held-out rows",
}

STUDY_CELLS = {
    **STUDY_COLUMNS,
    "rows": "training, answer_rows (the last ten training rows) or held_out",
    "seeds": "number of graph-level seeds",
    "mean": "mean loss over the seeds",
    "standard_deviation": "sample standard deviation over the seeds",
    "published_seed_loss": "loss of the page's seed",
    "published_seed_percentile": "percentage of the seeds with a lower loss than that",
    "compared_runs": "runs of it that stock Keras trained again, every bit of them equal",
    "largest_difference_from_keras": "of a loss in these runs; empty without any",
}

STUDY_EFFECTS = {
    **STUDY_COLUMNS,
    "kind": "bn, extra_activation, chance, batch_size_32_*, linear_linear, pca, bn_over_data",
    "first": "the first cell of the pair",
    "second": "the second, to which the columns before `kind` belong",
    "rows": "training, answer_rows (the last ten training rows) or held_out",
    "equal_start": "whether both started from the same kernels in each pair, by their hashes",
    "seeds": "number of pairs: seeds, or data seeds for bn_over_data",
    "mean_first": "mean loss of the first",
    "mean_second": "mean loss of the second",
    "mean_difference": "mean of second minus first, seed by seed",
    "low": "lower end of its bootstrap interval (config.yaml: study/bootstrap)",
    "high": "upper end",
    "low_of_family": "lower end of the interval that holds with all others of its family",
    "high_of_family": "upper end",
    "family": "number of contrasts in the family: those of this kind and these rows",
    "family_confidence": "probability that all intervals of the family hold",
    "diverged": "number of pairs with an infinite loss, or one that is no number; left out",
    "standard_deviation": "sample standard deviation of the differences",
    "share_second_lower": "share of seeds for which the second is lower",
    "published_difference": "that of the page's seed; for chance: of BN for the page's seed",
    "share_as_extreme": "share of differences at least as large as that, in its direction",
    "share_low": "lower end of that share's interval (Wilson)",
    "share_high": "upper end",
}

YARDSTICKS = {
    **{name: STUDY_COLUMNS[name] for name in ("data_seed", "training_rows", "held_out_rows")},
    "yardstick": "pca: mean and 8 components of the training rows; mean: their mean; zero",
    "rows": "training, answer_rows (the last ten training rows) or held_out",
    "loss": "mean squared error, from closed form",
}

CELL_COLUMNS = {
    "environment": "name of the environment, as in config.yaml",
    "api": "tf.keras or keras",
    "variant": "name of the variant, as in config.yaml",
    "protocol": "name of the protocol, as in config.yaml",
    "seed": "graph-level seed",
    "repeat": "1 for the first run of a cell, 2 for its first repetition, ...",
}

COLUMNS = {
    "runs": {
        **CELL_COLUMNS,
        "tensorflow": "version of TensorFlow",
        "keras": "version of the Keras that trained (tf.keras has one of its own)",
        "numpy": "version of numpy",
        "python": "version of Python",
        "cpu_model": "name of the processor",
        "cpu_instructions": "its vector instruction sets, which decide about last bits",
        "epochs": "number of epochs",
        "batch_size": "rows per training step",
        "learning_rate": "learning rate of the optimizer",
        "steps": "number of training steps in all",
        "rows": "evaluation rows, first:last, half-open",
        "rows_role": "training, held_out or mixed: whether the run has trained on these rows",
        "loss": "training loss of the last epoch, as in epochs.csv",
        "val_loss": "loss on `rows` after the last epoch, as the framework has it",
        "initial_weights_sha256": "SHA-256 of the float32 bytes of all weights before training",
        "final_weights_sha256": "the same after training",
        "trajectory_sha256": "SHA-256 of the hashes of all weights after each step",
    },
    "epochs": {
        **CELL_COLUMNS,
        "epoch": "1 for the first",
        "rows": "evaluation rows, first:last, half-open",
        "loss": "training loss: the one fit reports, else the mean over the epoch's steps",
        "val_loss": "loss on `rows` with the weights at the end of the epoch",
    },
    "steps": {
        **CELL_COLUMNS,
        "step": "training step, 1 for the first",
        "layer": "name of the layer in the framework",
        "weight_sum": "sum of the layer's first weight array after the step (float32)",
        "loss": "loss that the framework reports for the step",
    },
    "layers": {
        **CELL_COLUMNS,
        "position": "position in the model, 1 for the first layer",
        "layer": "name of the layer in the framework",
        "output_name": "name of the layer's output",
        "output_equals_input": "True when bitwise equal on all rows; empty where shapes differ",
        "draws": "True when the layer's first weight array was drawn at random",
        "graph_seed": "graph-level seed of the layer's first random draw; empty where unknown",
        "op_seed": "op-level seed of that draw",
        "initial_kernel_sha256": "SHA-256 of the layer's first weight array before training",
    },
    "controls": {
        "comparison": "name of the pair of cells, as in config.yaml",
        "environment": "the environment of both cells, or each of them",
        "pair": "the variant of both cells, or each of them",
        "control": "what was changed, as in config.yaml",
        "observable": "what is compared",
        "observed": "equal or differ, bit for bit; no statement where that cannot be told",
        "predicted_by_computation": "what to expect if the computation alone differs",
        "predicted_by_draws": "what to expect if the random draws alone differ",
        "predicted_by_evaluation": "what to expect if the evaluation alone differs",
        "first_difference_step": "first step with another bit, 0: initial weights; empty if none",
        "largest_difference": "largest absolute difference of a weight over all steps",
        "first_sha256": "SHA-256 of the first run's weights, all steps, float32 bytes",
        "second_sha256": "the same for the second run",
        "first_loss": "loss of the first run on its own rows",
        "second_loss": "loss of the second run on its own rows",
        "loss_difference": "second minus first",
        "same_rows_difference": "second minus first, both on the first run's rows",
    },
    "verdicts": {
        "comparison": "name of the pair of cells, as in config.yaml",
        "label": "the pair in words",
        "first_loss": "loss of the first cell as published",
        "second_loss": "loss of the second cell as published",
        "difference": "second minus first",
        "difference_at_equal_start": "largest absolute difference from equal initial weights",
        "computation_size": "largest difference on the same rows from equal initial weights",
        "rounding_limit": "how far rounding alone may move the loss (compare.rounding_limit)",
        "repeat_spread": "how far repeats, and other threads, moved the loss of one run",
        "deterministic": "whether training the same again gives the same bits",
        "computation_alone": "holds or refuted by these controls, as the only cause",
        "draws_alone": "holds or refuted by these controls, as the only cause",
        "evaluation_alone": "holds or refuted by these controls, as the only cause",
        "causes": "what contributes to the difference, by intervention",
        "reason": "why, in one line",
    },
    "identity_layers": {
        **{name: CELL_COLUMNS[name] for name in ("environment", "api", "variant", "protocol")},
        "seed": "graph-level seed",
        "added_layers": "number of layers that the variant puts into each slot",
        "op_seeds": "op-level seeds of the layers that draw, in their order",
        "rows": "evaluation rows, first:last, half-open",
        "val_loss": "loss on `rows` after the last epoch",
        "equals_first_variant": "True when all steps are bitwise those of the first variant",
    },
    "crossed": {
        "environment": CELL_COLUMNS["environment"],
        "api": CELL_COLUMNS["api"],
        "protocol": CELL_COLUMNS["protocol"],
        "seed": "graph-level seed",
        "start_of": "variant whose initial weights are used",
        "start_sha256": "SHA-256 of their float32 bytes",
        "architecture": "variant that is trained from them",
        "rows": "evaluation rows, first:last, half-open",
        "val_loss": "loss on `rows` after the last epoch",
        "difference": "minus that of the first architecture from the same start",
    },
    "evaluation_swap": {
        "environment": CELL_COLUMNS["environment"],
        "api": CELL_COLUMNS["api"],
        "protocol": CELL_COLUMNS["protocol"],
        "seed": "graph-level seed",
        "rows": "evaluation rows, first:last, half-open",
        "rows_role": "training, held_out or mixed: whether the run has trained on these rows",
        "first": "the first variant of the pair",
        "second": "the second one",
        "first_loss": "loss of the first on `rows` after the last epoch",
        "second_loss": "the same for the second",
        "difference": "second minus first: negative where the second has the lower loss",
    },
    "spread": {
        **{name: CELL_COLUMNS[name] for name in ("environment", "api", "variant", "protocol")},
        "threads": "threads of the training process",
        "rows": "evaluation rows, first:last, half-open",
        "repeats": "number of repeats, all in one process",
        "mean": "mean over the repeats of the loss on `rows`",
        "standard_deviation": "sample standard deviation over the repeats",
        "minimum": "smallest of the repeats",
        "maximum": "largest of the repeats",
        "distinct_initial_weights": "number of different initial weights, by SHA-256",
        "distinct_trajectories": "number of different trajectories, by SHA-256",
        "first_difference_step": "first step at which a repeat differs from the first one",
    },
    "processor": {
        **{name: CELL_COLUMNS[name] for name in ("environment", "api", "variant", "protocol")},
        "seed": "graph-level seed",
        "rows": "evaluation rows, first:last, half-open",
        "cpu_instructions": "instruction sets of the processor",
        "val_loss": "loss on `rows`, matrix products by the kernel made for this processor",
        "portable_val_loss": "the same, matrix products by the framework's kernel for any",
        "difference": "portable minus this processor's",
        "first_difference_step": "first step with another bit in the weights; empty if none",
        "largest_difference": "largest absolute difference of a weight over all steps",
    },
    "trajectories": {
        "comparison": "name of the pair of cells, as in config.yaml",
        "control": "what was changed, as in config.yaml",
        "step": "training step; 0: initial weights",
        "largest_difference": "largest absolute difference of a weight after the step",
    },
    "initial_kernels": {
        "comparison": "name of the pair of cells, as in config.yaml",
        "environment": CELL_COLUMNS["environment"],
        "variant": CELL_COLUMNS["variant"],
        "layer": "the layer drawn last, by its name in the framework",
        "graph_seed": "graph-level seed of the draw",
        "op_seed": "op-level seed of the draw",
        "index": "position in the kernel, C order, from 0",
        "value": "initial weight (float32)",
    },
    "releases": {
        "release": "name of the release, as in config.yaml",
        "mode": "eager execution as by default or switched, as in config.yaml",
        "tensorflow": "version of TensorFlow",
        "keras": "version of its tf.keras",
        "python": "version of Python",
        "executes_eagerly": "whether operations ran as they were created",
        "cpu_instructions": "instruction sets of the processor",
        "variant": CELL_COLUMNS["variant"],
        "protocol": CELL_COLUMNS["protocol"],
        "seed": "graph-level seed",
        "rows": "evaluation rows, first:last, half-open",
        "rows_role": "training, held_out or mixed: whether the run has trained on these rows",
        "val_loss": "loss on `rows` after the last epoch, as the framework has it",
        "initial_weights_sha256": "SHA-256 of the float32 bytes of all weights before training",
        "final_weights_sha256": "the same after training",
        "trajectory_sha256": "SHA-256 of the hashes of all weights after each step",
        "pair_equal": "V1 and V2 only: whether both have bitwise the same weights at every step",
        "previous_release": "the release before, in the same mode; empty for the first",
        "difference": "val_loss minus that of the previous release",
        "same_initial_weights": "whether they are bitwise those of the previous release",
        "same_trajectory": "whether all weights after each step are",
        "same_val_loss": "whether the loss is, to the last bit",
        "published": "the number that the page prints for such a cell, in whichever release",
        "agrees_with_published": "reproduced, within 0.001 or not reproduced",
    },
    "randomness": {
        "release": "name of the release, as in config.yaml",
        "mode": "eager execution as by default or switched, as in config.yaml",
        "tensorflow": "version of TensorFlow",
        "keras": "version of its tf.keras",
        "executes_eagerly": "whether operations ran as they were created",
        "source": "the one thing that was varied; new_process and nothing_again vary nothing",
        "layer": "name of the layer, in the order of drawing",
        "changes_initial_weights": "whether any bit of the layer's first array changed",
        "op_seed_with_nothing_varied": "op-level seed of the draw; empty where none is asked for",
        "op_seed": "the same with the source varied",
        "initial_kernel_sha256": "SHA-256 of the layer's first array with the source varied",
    },
    "study": STUDY_ROWS,
    "sensitivity": STUDY_ROWS,
    "study_cells": STUDY_CELLS,
    "sensitivity_cells": STUDY_CELLS,
    "percentiles": {
        **{name: STUDY_COLUMNS[name] for name in ("environment", "protocol", "variant", "start")},
        "rows": STUDY_CELLS["rows"],
        "kind": "loss, or the kind of contrast as in effects.csv",
        "first": "the first cell of the contrast",
        "percentile": "whole percentage of the seeds",
        "value": "loss or difference that this percentage of the seeds stays below",
    },
    "effects": STUDY_EFFECTS,
    "sensitivity_effects": STUDY_EFFECTS,
    "yardsticks": YARDSTICKS,
    "sensitivity_yardsticks": YARDSTICKS,
    "claims": {
        "claim": "identifier in claims.yaml",
        "statement": "what the page says, in our words",
        "place": "where on the page",
        "cells": "the runs it is about: environment/api/variant/protocol/seed/rows",
        "published": "number or text as printed",
        "tolerance": "half a unit of the last printed digit",
        "measured": "what the workflow measured",
        "verdict": "reproduced, within 0.001, not reproduced, refuted or not tested yet",
        "reason": "why, in one line",
    },
}


MACHINE_COLUMNS = ("tensorflow", "keras", "numpy", "python", "cpu_model", "cpu_instructions")


def cell_of(record):
    """Return the values of CELL_COLUMNS for a record."""
    cell = {name: record["cell"][name] for name in ("environment", "api", "variant", "protocol")}
    return {**cell, "seed": record["cell"]["seeds"]["graph"], "repeat": record["cell"]["repeat"]}


def run_rows(record):
    """Yield the rows of runs.csv: one per range of evaluation rows."""
    settings, machine = record["cell"]["settings"], record["machine"]
    for rows, val_loss in record["evaluations"].items():
        yield {
            **cell_of(record),
            **{name: machine[name] for name in MACHINE_COLUMNS},
            **{name: settings[name] for name in ("epochs", "batch_size", "learning_rate")},
            "steps": len(record["step_losses"]),
            "rows": rows,
            "rows_role": role_of(rows, settings["training_rows"]),
            "loss": record["epochs"][-1]["loss"],
            "val_loss": val_loss,
            "initial_weights_sha256": record["initial_weights"]["sha256"],
            "final_weights_sha256": record["final_weights"]["sha256"],
            "trajectory_sha256": record["trajectory_sha256"],
        }


def role_of(rows, training_rows):
    """Tell whether the rows "first:last" are training rows, held out, or some of each."""
    first, last = map(int, rows.split(":"))
    seen = len(range(max(first, training_rows[0]), min(last, training_rows[1])))
    return {0: "held_out", last - first: "training"}.get(seen, "mixed")


def epoch_rows(record):
    """Yield the rows of epochs.csv: one per epoch and range of evaluation rows."""
    for epoch in record["epochs"]:
        for rows, val_loss in epoch["rows"].items():
            yield {
                **cell_of(record),
                "epoch": epoch["epoch"],
                "rows": rows,
                "loss": epoch["loss"],
                "val_loss": val_loss,
            }


def step_rows(record):
    """Yield the rows of steps.csv: one per training step and layer with trainable weights."""
    steps = zip(record["weight_sums"], record["step_losses"], strict=True)
    for step, (sums, loss) in enumerate(steps, start=1):
        for layer in record["layers"]:
            if layer in sums:
                yield {
                    **cell_of(record),
                    "step": step,
                    "layer": layer,
                    "weight_sum": sums[layer],
                    "loss": loss,
                }


def layer_rows(record):
    """Yield the rows of layers.csv: one per layer."""
    kernels = {
        array["layer"]: array["sha256"]
        for array in record["initial_weights"]["arrays"]
        if array["position"] == 0
    }
    for position, layer in enumerate(record["layers"], start=1):
        seeds = record["op_level_seeds"].get(layer, {})
        yield {
            **cell_of(record),
            "position": position,
            "layer": layer,
            "output_name": record["layer_output_names"][layer],
            "output_equals_input": record["layer_is_identity"].get(layer),
            "draws": layer in record["drawing_layers"],
            "graph_seed": seeds.get("graph_seed"),
            "op_seed": seeds.get("op_seed"),
            "initial_kernel_sha256": kernels.get(layer),
        }


ROWS = {"runs": run_rows, "epochs": epoch_rows, "steps": step_rows, "layers": layer_rows}


def make_table(name, records):
    """Return one of the tables in ROWS as a data frame, with the columns of COLUMNS[name]."""
    rows = [row for record in records for row in ROWS[name](record)]
    table = pandas.DataFrame(rows, columns=list(COLUMNS[name]))
    integers = [column for column in ("graph_seed", "op_seed") if column in table]
    return table.astype(dict.fromkeys(integers, "Int64"))


def write_table(table, path):
    """Write a data frame as CSV: no index, 17 significant digits, Unix line ends."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, **CSV)


def write_record_tables(records, paths, batch_size=100):
    """Write tables of ROWS, {name: path}, in batches of records: memory stays flat."""
    records = iter(records)
    with ExitStack() as stack:
        streams = {}
        for name, path in paths.items():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            streams[name] = stack.enter_context(Path(path).open("w", encoding="utf-8", newline=""))
        header = True
        while batch := list(islice(records, batch_size)):
            for name, stream in streams.items():
                make_table(name, batch).to_csv(stream, header=header, **CSV)
            header = False


def read_table(path):
    """Read a table that `write_table` wrote; text stays text, every digit is kept."""
    return pandas.read_csv(path, float_precision="round_trip", dtype={"rows": str})
