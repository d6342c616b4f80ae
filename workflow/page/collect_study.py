"""Collect the chunks of the seed study into tables, with effects and their intervals."""

import argparse
import json
from pathlib import Path

from judge.tables import write_table

from page import chunks, effects


def main():
    """Write the rows as Parquet and CSV, then what follows from them as CSV."""
    parser = argparse.ArgumentParser(description=__doc__, fromfile_prefix_chars="@")
    parser.add_argument("--config", type=Path, required=True, help="JSON, as in config.yaml")
    parser.add_argument("--chunks", nargs="+", required=True, help="NPZ files of train_study.py")
    parser.add_argument("--compared", nargs="+", required=True, help="of compare_with_stock.py")
    parser.add_argument("--name", required=True, help="study or sensitivity: name of the table")
    parser.add_argument("--output-folder", type=Path, required=True)
    options = parser.parse_args()
    config = json.loads(options.config.read_text(encoding="utf-8"))
    settings, name, folder = config["study"], options.name, options.output_folder
    table = chunks.read_chunks(options.chunks, settings["parts"], name)
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / f"{name}.parquet", index=False, compression="zstd")
    write_table(table, folder / f"{name}.csv")
    cells = effects.cells_of(table)
    compared = chunks.read_compared(options.compared)
    kernels = chunks.read_kernels(options.chunks)
    statistics = effects.Statistics(settings["bootstrap"], settings["published_seed"], kernels)
    prefix = "" if name == "study" else f"{name}_"
    tables = {
        f"{name}_cells": effects.summarize_cells(cells, compared, settings["published_seed"]),
        f"{prefix}effects": effects.measure_effects(cells, statistics),
        f"{prefix}yardsticks": effects.yardsticks(cells),
    }
    if name == "study":
        tables["percentiles"] = effects.percentiles(cells, kernels)
    for stem, made in tables.items():
        write_table(made, folder / f"{stem}.csv")


if __name__ == "__main__":
    main()
