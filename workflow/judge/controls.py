"""The tables of the controls: controls.csv, verdicts.csv, and the tables on request.

A request is an entry of `control_runs`, or a figure that is drawn from the table.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import chain, product
from pathlib import Path

import numpy
import pandas
from plan.controls import (
    PORTABLE,
    cell_in,
    control_tables,
    requested_cells,
    requests,
    runs_of,
    start_of,
    variants_of,
)
from plan.runs import PUBLISHED
from train.files import sha256_of

from judge.compare import (
    compare_controls,
    compare_trajectories,
    compared_layers,
    differences,
    first_difference,
    judge_comparisons,
    read_repeats,
    trajectory,
)
from judge.records import Records
from judge.tables import Row, make_frame, run_rows, write_table


def make_tables(config: dict, records: Records) -> dict[str, pandas.DataFrame]:
    """Return {name: table} for every table that the configuration asks of the controls."""
    controls = compare_controls(config, records)
    tables = {
        name: make_frame(name, make_rows(config, records))
        for name, make_rows in ROWS.items()
        if name in control_tables(config)
    }
    kernel = tables["processor"]["difference"] if "processor" in tables else ()
    verdicts = judge_comparisons(config, controls, records, kernel)
    return {"controls": controls, "verdicts": verdicts, **tables}


def identity_layers_rows(config: dict, records: Records) -> Iterator[Row]:
    """Yield op-level seeds and loss by number and place of identity layers."""
    variants = variants_of(config)
    for cells in requested_cells(config, "identity_layers"):
        runs = [records.find(PUBLISHED, cell) for cell in cells]
        first = trajectory(runs[0])
        for record in runs:
            slots, seeds = variants[record["cell"]["variant"]]["layers"], record["op_level_seeds"]
            drawn = [seeds[name]["op_seed"] for name in record["drawing_layers"] if name in seeds]
            for row in run_rows(record):
                yield {
                    **row,
                    "added_layers": ", ".join(
                        f"{slot} {len(layers)}" for slot, layers in slots.items()
                    ),
                    "op_seeds": ", ".join(map(str, drawn)),
                    "equals_first_variant": first_difference(first, trajectory(record)) is None,
                }


def crossed_rows(config: dict, records: Records) -> Iterator[Row]:
    """Yield every architecture from the initial weights of every variant."""
    for environment, crossed in requests(config, "crossed"):
        for start in crossed["starts_of"]:
            change = start_of(cell_in(environment, crossed, start))
            baseline: dict[str, float] = {}
            for architecture in crossed["architectures"]:
                record = records.find(change, cell_in(environment, crossed, architecture))
                start_sha256 = sha256_of([trajectory(record)[0]])
                for row in run_rows(record):
                    loss = row["val_loss"]
                    yield {
                        **row,
                        "start_of": start,
                        "start_sha256": start_sha256,
                        "architecture": architecture,
                        "difference": loss - baseline.setdefault(row["rows"], loss),
                    }


def evaluation_swap_rows(config: dict, records: Records) -> Iterator[Row]:
    """Yield each published pair under every protocol and rows."""
    for environment, swap in requests(config, "evaluation_swap"):
        for pair, protocol in product(swap["pairs"], config["protocols"]):
            cells = [cell_in(environment, {**swap, "protocol": protocol}, name) for name in pair]
            runs = (run_rows(records.find(PUBLISHED, cell)) for cell in cells)
            for first, second in zip(*runs, strict=True):
                yield {
                    **first,
                    "first": pair[0],
                    "second": pair[1],
                    "first_loss": first["val_loss"],
                    "second_loss": second["val_loss"],
                    "difference": second["val_loss"] - first["val_loss"],
                }


def spread_rows(config: dict, records: Records) -> Iterator[Row]:
    """Yield how far repeats that need not be equal lie apart, by number of threads."""
    for cells in requested_cells(config, "spread"):
        for change, cell in product((PUBLISHED, "default_threads"), cells):
            repeats = read_repeats(config, records, cell, change)
            trajectories = [trajectory(record) for record in repeats]
            steps = [first_difference(trajectories[0], other) for other in trajectories[1:]]
            for rows in repeats[0]["evaluations"]:
                losses = numpy.array([record["evaluations"][rows] for record in repeats])
                yield {
                    **cell,
                    "threads": repeats[0]["machine"]["threads"],
                    "rows": rows,
                    "repeats": len(repeats),
                    "mean": losses.mean(),
                    "standard_deviation": losses.std(ddof=1) if len(losses) > 1 else None,
                    "minimum": losses.min(),
                    "maximum": losses.max(),
                    "distinct_initial_weights": len({sha256_of([t[0]]) for t in trajectories}),
                    "distinct_trajectories": len({sha256_of([t]) for t in trajectories}),
                    "first_difference_step": min(
                        (step for step in steps if step is not None), default=None
                    ),
                }


def processor_rows(config: dict, records: Records) -> Iterator[Row]:
    """Yield what the kernel made for this processor contributes to a result."""
    for cell in chain(*requested_cells(config, "processor")):
        own, portable = (records.find(change, cell) for change in (PUBLISHED, PORTABLE))
        found = compare_trajectories(trajectory(own), trajectory(portable))
        for row, other in zip(run_rows(own), run_rows(portable), strict=True):
            yield {
                **row,
                "portable_val_loss": other["val_loss"],
                "difference": other["val_loss"] - row["val_loss"],
                **found,
            }


def trajectories_rows(config: dict, records: Records) -> Iterator[Row]:
    """Yield the largest difference between two runs after each step."""
    figure = config["figures"]["trajectories"]
    for comparison, name in product(figure["comparisons"], figure["controls"]):
        runs = runs_of(config, {"name": name, **config["controls"][name]}, comparison)
        first, second = (trajectory(records.find(*run)) for run in runs)
        for step, difference in enumerate(differences(first, second)):
            yield {
                "comparison": comparison,
                "control": name,
                "step": step,
                "largest_difference": float(difference),
            }


def initial_kernels_rows(config: dict, records: Records) -> Iterator[Row]:
    """Yield the values of the kernel drawn last, for each run of a pair."""
    comparisons = config["figures"]["initial_kernels"]["comparisons"]
    for comparison, side in product(comparisons, ("first", "second")):
        cell = config["comparisons"][comparison][side]
        record = records.find(PUBLISHED, cell)
        layers = compared_layers(record)
        arrays = record["initial_weights"]["arrays"]
        layer = [array["layer"] for array in arrays if array["layer"] in layers][-1]
        kernel = next(array for array in arrays if array["layer"] == layer)
        seeds = record["op_level_seeds"].get(layer, {})
        for index, value in enumerate(kernel["values"]):
            yield {
                "comparison": comparison,
                "environment": cell["environment"],
                "variant": cell["variant"],
                "layer": layer,
                "graph_seed": seeds.get("graph_seed"),
                "op_seed": seeds.get("op_seed"),
                "index": index,
                "value": value,
            }


ROWS = {
    "identity_layers": identity_layers_rows,
    "crossed": crossed_rows,
    "evaluation_swap": evaluation_swap_rows,
    "spread": spread_rows,
    "processor": processor_rows,
    "trajectories": trajectories_rows,
    "initial_kernels": initial_kernels_rows,
}


def main() -> None:
    """Write one CSV per table of the controls."""
    parser = argparse.ArgumentParser(description=__doc__, fromfile_prefix_chars="@")
    parser.add_argument("--config", type=Path, required=True, help="JSON, as in config.yaml")
    parser.add_argument("--records", nargs="+", required=True, help="JSON Lines of train.job")
    parser.add_argument("--output-folder", type=Path, required=True)
    options = parser.parse_args()
    config = json.loads(options.config.read_text(encoding="utf-8"))
    records = Records(options.records, config["seed"])
    for name, table in make_tables(config, records).items():
        write_table(table, options.output_folder / f"{name}.csv")
