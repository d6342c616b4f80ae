"""From run records to tidy tables. One row per observation, stable order, 17 digits.

Which tables and columns there are, and what they mean, is in workflow/schemas/tables.yaml.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pandas
from plan.cells import TRAINED
from plan.documents import WORKFLOW, read_yaml
from train.files import make_again, whole_file

CSV = {"index": False, "float_format": "%.17g", "lineterminator": "\n"}

# Numbers of training steps that differ by less, relatively, count as "about as many": whole epochs
# of other batch sizes seldom have the same number.
SAME_STEPS = 0.03
# On another processor, a loss this near a threshold may lie on the other side of the threshold. The
# same holds for a difference of two losses. `judge.check` takes more where more was measured.
NEAR = 0.00025

Row = dict[str, Any]  # of a table, by the names of its columns
SCHEMA = WORKFLOW / "schemas/tables.yaml"


def describe_columns(
    path: Path = SCHEMA, section: str = "tables"
) -> dict[str, dict[str, dict[str, str]]]:
    """Return {table: {column: its type, unit, kind and meaning}} from the file that lists them.

    The section is `tables`, of the workflow, or `diagnosis`.
    """
    document = read_yaml(path)
    described: dict[str, dict[str, dict[str, str]]] = {}
    for table, columns in document[section].items():
        described[table] = (
            described[columns]  # the name of a table with the same columns
            if isinstance(columns, str)
            else {
                name: own if section == "diagnosis" else document["columns"][name] | (own or {})
                for name, own in columns.items()
            }
        )
    return described


DESCRIBED = describe_columns()
COLUMNS = {
    table: {name: entry["meaning"] for name, entry in columns.items()}
    for table, columns in DESCRIBED.items()
}


# The columns of runs.csv that come from the machine of a record.
MACHINE = ("tensorflow", "keras", "numpy", "python", "cpu_model", "cpu_instructions")


def cell_of(record: dict) -> dict[str, Any]:
    """Return the key of a record: its cell, graph-level seed and repeat."""
    return {name: record["cell"][name] for name in (*TRAINED, "seed", "repeat")}


def run_rows(record: dict) -> Iterator[Row]:
    """Yield the rows of runs.csv: one per range of evaluation rows."""
    settings, machine = record["cell"]["settings"], record["machine"]
    for rows, val_loss in record["evaluations"].items():
        yield {
            **cell_of(record),
            **{name: machine[name] for name in MACHINE},
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


def role_of(rows: str, training_rows: list[int]) -> str:
    """Tell whether the rows "first:last" are training rows, held out, or some of each."""
    first, last = map(int, rows.split(":"))
    seen = len(range(max(first, training_rows[0]), min(last, training_rows[1])))
    return {0: "held_out", last - first: "training"}.get(seen, "mixed")


def epoch_rows(record: dict) -> Iterator[Row]:
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


def step_rows(record: dict) -> Iterator[Row]:
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


def layer_rows(record: dict) -> Iterator[Row]:
    """Yield the rows of layers.csv: one per layer."""
    kernels = kernel_hashes(record)
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


def kernel_hashes(record: dict) -> dict[str, str]:
    """Return {layer: SHA-256 of its first weight array before training}."""
    return {
        array["layer"]: array["sha256"]
        for array in record["initial_weights"]["arrays"]
        if array["position"] == 0
    }


ROWS = {"runs": run_rows, "epochs": epoch_rows, "steps": step_rows, "layers": layer_rows}


def make_frame(name: str, rows: Iterable[Row | tuple]) -> pandas.DataFrame:
    """Return rows as the table `name`: its columns in their order; an integer may be absent."""
    table = pandas.DataFrame(list(rows), columns=list(COLUMNS[name]))
    integers = [column for column, entry in DESCRIBED[name].items() if entry["type"] == "integer"]
    return table.astype(dict.fromkeys(integers, "Int64"))


def make_table(name: str, records: Iterable[dict]) -> pandas.DataFrame:
    """Return one of the tables in ROWS."""
    return make_frame(name, (row for record in records for row in ROWS[name](record)))


def rows_where(table: pandas.DataFrame, **values: Any) -> pandas.DataFrame:
    """Return the rows of a table whose columns have these values, in the table's order."""
    for column, value in values.items():
        table = table[table[column] == value]
    return table


def number_in(word: str) -> str:
    """Return the number in a word of a sentence, without signs and brackets; "" for other words."""
    number = word.strip("+-,;:()[]%")
    try:
        float(number)
    except ValueError:
        return ""
    return number if number[0].isdigit() else ""  # neither nan nor inf


def write_table(table: pandas.DataFrame, path: str | Path) -> None:
    """Write a data frame as CSV: no index, 17 significant digits, Unix line ends."""
    with whole_file(path) as stream:
        table.to_csv(stream, **CSV)


def write_record_tables(
    records: Iterable[dict], paths: dict[str, Path], batch_size: int = 100
) -> None:
    """Write tables of ROWS, {name: path}, in batches of records: memory stays flat."""
    records = iter(records)
    with ExitStack() as stack:
        streams = {name: stack.enter_context(whole_file(path)) for name, path in paths.items()}
        header = True
        while batch := list(islice(records, batch_size)):
            for name, stream in streams.items():
                make_table(name, batch).to_csv(stream, header=header, **CSV)
            header = False


def read_table(path: str | Path | IO[bytes]) -> pandas.DataFrame:
    """Read a table that `write_table` wrote; text stays text, every digit is kept.

    Raises ValueError, naming the file, for a file that is no table.
    """
    try:
        return pandas.read_csv(path, float_precision="round_trip", dtype={"rows": str})
    except ValueError as error:  # empty, binary, or lines with more fields than the first
        raise ValueError(f"{path}: no table ({error}); {make_again(path)}") from None
