"""The tables of the controls beyond controls.csv and verdicts.csv, and all of them together.

A configuration asks for each of them: with an entry of `control_runs`, or with the figure that is
drawn from it.
"""

import argparse
import json
from pathlib import Path

import numpy
import pandas
from plan.cells import Cell
from plan.controls import (
    PORTABLE,
    cell_in,
    control_tables,
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
from judge.tables import make_frame, role_of, write_table


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
    rows = []
    for environment, series in requests(config, "identity_layers"):
        runs = {
            variant: records.find(PUBLISHED, cell_in(environment, series, variant))
            for variant in series["variants"]
        }
        first = trajectory(next(iter(runs.values())))
        for variant, record in runs.items():
            rows += [
                {
                    **cell_in(environment, series, variant),
                    "seed": record["cell"]["seeds"]["graph"],
                    "added_layers": count_layers(variants_of(config)[variant]["layers"]),
                    "op_seeds": list_op_seeds(record),
                    "rows": rows_name,
                    "val_loss": loss,
                    "equals_first_variant": first_difference(first, trajectory(record)) is None,
                }
                for rows_name, loss in record["evaluations"].items()
            ]
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
                cell = cell_in(environment, crossed, architecture)
                record = records.find(change, cell)
                for rows_name, loss in record["evaluations"].items():
                    baseline.setdefault(rows_name, loss)
                    rows.append(
                        {
                            "environment": environment,
                            "api": crossed["api"],
                            "protocol": crossed["protocol"],
                            "seed": record["cell"]["seeds"]["graph"],
                            "start_of": start,
                            "start_sha256": sha256_of(trajectory(record)[0]),
                            "architecture": architecture,
                            "rows": rows_name,
                            "val_loss": loss,
                            "difference": loss - baseline[rows_name],
                        }
                    )
    return make_frame("crossed", rows)


def tabulate_evaluation_swap(config: dict, records: Records) -> pandas.DataFrame:
    """Return evaluation_swap.csv: each published pair under every protocol and rows."""
    rows = []
    for environment, swap in requests(config, "evaluation_swap"):
        for pair in swap["pairs"]:
            for protocol, settings in config["protocols"].items():
                entry = {"api": swap["api"], "protocol": protocol}
                cells = [cell_in(environment, entry, variant) for variant in pair]
                losses = [records.find(PUBLISHED, cell)["evaluations"] for cell in cells]
                for rows_name in losses[0]:
                    first, second = (each[rows_name] for each in losses)
                    rows.append(
                        {
                            "environment": environment,
                            "api": swap["api"],
                            "protocol": protocol,
                            "seed": config["seed"],
                            "rows": rows_name,
                            "rows_role": role_of(rows_name, settings["training_rows"]),
                            "first": pair[0],
                            "second": pair[1],
                            "first_loss": first,
                            "second_loss": second,
                            "difference": second - first,
                        }
                    )
    return make_frame("evaluation_swap", rows)


def tabulate_spread(config: dict, records: Records) -> pandas.DataFrame:
    """Return spread.csv: repeats of runs that need not be equal, by number of threads."""
    rows = []
    for environment, spread in requests(config, "spread"):
        for change in (PUBLISHED, "default_threads"):
            for variant in spread["variants"]:
                cell = cell_in(environment, spread, variant)
                repeats = range(1, config["repeats"][spread["api"]] + 1)
                runs = [records.find(change, cell, repeat) for repeat in repeats]
                rows += spread_rows(cell, runs)
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
    for environment, processor in requests(config, "processor"):
        for variant in processor["variants"]:
            cell = cell_in(environment, processor, variant)
            own, portable = (records.find(change, cell) for change in (PUBLISHED, PORTABLE))
            found = compare_trajectories(trajectory(own), trajectory(portable))
            for rows_name, loss in own["evaluations"].items():
                rows.append(
                    {
                        **cell,
                        "seed": own["cell"]["seeds"]["graph"],
                        "rows": rows_name,
                        "cpu_instructions": own["machine"]["cpu_instructions"],
                        "val_loss": loss,
                        "portable_val_loss": portable["evaluations"][rows_name],
                        "difference": portable["evaluations"][rows_name] - loss,
                        "first_difference_step": found["first_difference_step"],
                        "largest_difference": found["largest_difference"],
                    }
                )
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
