"""The tables of the controls beyond controls.csv and verdicts.csv, and all of them together.

A configuration asks for each of them: with an entry of `control_runs`, or with the figure that is
drawn from it.
"""

import argparse
import json
from itertools import chain, product
from pathlib import Path

import numpy
import pandas
from plan.cells import Cell
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

from judge.compare import (
    compare_controls,
    compare_trajectories,
    compared_layers,
    differences,
    first_difference,
    judge_comparisons,
    sha256_of,
    trajectory,
)
from judge.records import Records
from judge.tables import make_frame, run_rows, write_table


def make_tables(config: dict, records: Records) -> dict[str, pandas.DataFrame]:
    """Return {name: table} for every table that the configuration asks of the controls."""
    controls = compare_controls(config, records)
    asked = control_tables(config)
    tables = {name: TABULATE[name](config, records) for name in asked if name in TABULATE}
    kernel = tables["processor"]["difference"] if "processor" in tables else ()
    tables |= {
        "controls": controls,
        "verdicts": judge_comparisons(config, controls, records, kernel),
    }
    return {name: tables[name] for name in asked}


def tabulate_identity_layers(config: dict, records: Records) -> pandas.DataFrame:
    """Return identity_layers.csv: op-level seeds and loss by number and place of identities."""
    rows, variants = [], variants_of(config)
    for cells in requested_cells(config, "identity_layers"):
        runs = [records.find(PUBLISHED, cell) for cell in cells]
        first = trajectory(runs[0])
        for record in runs:
            described = {
                "added_layers": count_layers(variants[record["cell"]["variant"]]["layers"]),
                "op_seeds": list_op_seeds(record),
                "equals_first_variant": first_difference(first, trajectory(record)) is None,
            }
            rows += [row | described for row in run_rows(record)]
    return make_frame("identity_layers", rows)


def count_layers(slots: dict[str, list]) -> str:
    """Return the number of layers in each slot as text: "between 1, after 0"."""
    return ", ".join(f"{slot} {len(layers)}" for slot, layers in slots.items())


def list_op_seeds(record: dict) -> str:
    """Return the op-level seeds of a run's layers that draw, as text: "4, 24"."""
    seeds = record["op_level_seeds"]
    return ", ".join(
        str(seeds[name]["op_seed"]) for name in record["drawing_layers"] if name in seeds
    )


def tabulate_crossed(config: dict, records: Records) -> pandas.DataFrame:
    """Return crossed.csv: every architecture from the initial weights of every variant."""
    rows = []
    for environment, crossed in requests(config, "crossed"):
        for start in crossed["starts_of"]:
            change = start_of(cell_in(environment, crossed, start))
            baseline: dict[str, float] = {}
            for architecture in crossed["architectures"]:
                record = records.find(change, cell_in(environment, crossed, architecture))
                described = {
                    "start_of": start,
                    "start_sha256": sha256_of(trajectory(record)[0]),
                    "architecture": architecture,
                }
                for row in run_rows(record):
                    loss = row["val_loss"]
                    difference = loss - baseline.setdefault(row["rows"], loss)
                    rows.append({**row, **described, "difference": difference})
    return make_frame("crossed", rows)


def tabulate_evaluation_swap(config: dict, records: Records) -> pandas.DataFrame:
    """Return evaluation_swap.csv: each published pair under every protocol and rows."""
    rows = []
    for environment, swap in requests(config, "evaluation_swap"):
        for pair, protocol in product(swap["pairs"], config["protocols"]):
            cells = [cell_in(environment, {**swap, "protocol": protocol}, name) for name in pair]
            runs = (run_rows(records.find(PUBLISHED, cell)) for cell in cells)
            for first, second in zip(*runs, strict=True):
                losses = first["val_loss"], second["val_loss"]
                rows.append(
                    {
                        **first,
                        "first": pair[0],
                        "second": pair[1],
                        "first_loss": losses[0],
                        "second_loss": losses[1],
                        "difference": losses[1] - losses[0],
                    }
                )
    return make_frame("evaluation_swap", rows)


def tabulate_spread(config: dict, records: Records) -> pandas.DataFrame:
    """Return spread.csv: repeats of runs that need not be equal, by number of threads."""
    rows = []
    for cells in requested_cells(config, "spread"):
        for change, cell in product((PUBLISHED, "default_threads"), cells):
            repeats = range(1, config["repeats"][cell["api"]] + 1)
            rows += spread_rows(cell, [records.find(change, cell, repeat) for repeat in repeats])
    return make_frame("spread", rows)


def spread_rows(cell: Cell, records: list[dict]) -> list[dict]:
    """Return the rows of spread.csv for the repeats of one cell."""
    trajectories = [trajectory(record) for record in records]
    steps = [first_difference(trajectories[0], other) for other in trajectories[1:]]
    differing = [step for step in steps if step is not None]
    rows = []
    for rows_name in records[0]["evaluations"]:
        losses = numpy.array([record["evaluations"][rows_name] for record in records])
        rows.append(
            {
                **cell,
                "threads": records[0]["machine"]["threads"],
                "rows": rows_name,
                "repeats": len(records),
                "mean": losses.mean(),
                "standard_deviation": losses.std(ddof=1) if len(losses) > 1 else None,
                "minimum": losses.min(),
                "maximum": losses.max(),
                "distinct_initial_weights": len({sha256_of(t[0]) for t in trajectories}),
                "distinct_trajectories": len({sha256_of(t) for t in trajectories}),
                "first_difference_step": min(differing, default=None),
            }
        )
    return rows


def tabulate_processor(config: dict, records: Records) -> pandas.DataFrame:
    """Return processor.csv: what the kernel made for this processor contributes to a result."""
    rows = []
    for cell in chain(*requested_cells(config, "processor")):
        own, portable = (records.find(change, cell) for change in (PUBLISHED, PORTABLE))
        found = compare_trajectories(trajectory(own), trajectory(portable))
        for row, other in zip(run_rows(own), run_rows(portable), strict=True):
            losses = {
                "portable_val_loss": other["val_loss"],
                "difference": other["val_loss"] - row["val_loss"],
            }
            rows.append({**row, **losses, **found})
    return make_frame("processor", rows)


def tabulate_trajectories(config: dict, records: Records) -> pandas.DataFrame:
    """Return trajectories.csv: the largest difference between two runs after each step."""
    figure = config["figures"]["trajectories"]
    rows = []
    for comparison in figure["comparisons"]:
        for name in figure["controls"]:
            control = {"name": name, **config["controls"][name]}
            first, second = (
                trajectory(records.find(*run)) for run in runs_of(config, control, comparison)
            )
            rows += [
                {
                    "comparison": comparison,
                    "control": name,
                    "step": step,
                    "largest_difference": float(difference),
                }
                for step, difference in enumerate(differences(first, second))
            ]
    return make_frame("trajectories", rows)


def tabulate_initial_kernels(config: dict, records: Records) -> pandas.DataFrame:
    """Return initial_kernels.csv: the values of the kernel drawn last, for each run of a pair."""
    rows = []
    for comparison in config["figures"]["initial_kernels"]["comparisons"]:
        for side in ("first", "second"):
            cell = config["comparisons"][comparison][side]
            record = records.find(PUBLISHED, cell)
            layers = compared_layers(record)
            arrays = record["initial_weights"]["arrays"]
            layer = [array["layer"] for array in arrays if array["layer"] in layers][-1]
            kernel = next(array for array in arrays if array["layer"] == layer)
            seeds = record["op_level_seeds"].get(layer, {})
            rows += [
                {
                    "comparison": comparison,
                    "environment": cell["environment"],
                    "variant": cell["variant"],
                    "layer": layer,
                    "graph_seed": seeds.get("graph_seed"),
                    "op_seed": seeds.get("op_seed"),
                    "index": index,
                    "value": value,
                }
                for index, value in enumerate(kernel["values"])
            ]
    return make_frame("initial_kernels", rows)


TABULATE = {
    "identity_layers": tabulate_identity_layers,
    "crossed": tabulate_crossed,
    "evaluation_swap": tabulate_evaluation_swap,
    "spread": tabulate_spread,
    "processor": tabulate_processor,
    "trajectories": tabulate_trajectories,
    "initial_kernels": tabulate_initial_kernels,
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
