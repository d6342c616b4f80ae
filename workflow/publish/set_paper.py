"""Set the reproduction note as PDF: the same bytes from the same tables, on any machine."""

import argparse
import csv
import json
import os
from pathlib import Path

import typst

from publish.summary import tell_origin

ROOT = Path(__file__).resolve().parents[2]  # the repository, to which figures lead


def main() -> None:
    """Read the command line and write the PDF."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="the note's main file")
    parser.add_argument("--results", type=Path, required=True, help="folder of tables and figures")
    parser.add_argument("--inputs", nargs="*", default=[], help="NAME=VALUE for the note")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    compiler = typst.Compiler(
        str(options.source),
        root="/",  # sources and results need not be in one folder
        ignore_system_fonts=True,  # those of the package only
        sys_inputs=dict(pair.split("=", 1) for pair in options.inputs)
        | {
            "results": str(options.results.absolute()).lstrip("/"),
            "origin": tell_origin(options.results),
            "repository": os.path.relpath(ROOT, options.output.parent),
        },
    )
    compiler.compile(output=str(options.output))
    noted = json.loads(compiler.query("<number>", field="value"))
    write_numbers(noted, options.output.with_name("numbers.csv"))


def write_numbers(noted: list[dict], path: Path) -> None:
    """Write where the numbers of the note come from: a line for each, in the note's order.

    `noted` has the text in the note, and table, line, column and value that it was made from.
    """
    columns = ["text", "table", "row", "column", "value"]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(noted)
