"""Write a table as one HTML page that sorts and filters, without any other file or server."""

import argparse
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from judge.tables import COLUMNS, number_in
from plan.documents import read_yaml

from publish.locks import read_pins
from publish.summary import read_rows

Row = dict[str, str]
# Columns to show: a table has more than a page can hold.
SHOWN = {
    "claims": ["statement", "verdict", "published", "measured", "reason", "claim"],
    "verdicts": [
        "label",
        "causes",
        "difference",
        "computation_part",
        "draws_part",
        "evaluation_part",
        "reason",
        "deterministic",
    ],
}
LOCK_COLUMNS = {
    "environment": "name of the environment file",
    "package": "name on the package index; python comes from conda or from the machine",
    "version": "the one version admitted",
    "where": "the Pythons that it is for; empty: all",
    "files": "number of files admitted, each by its SHA-256",
}


def shown(table: str) -> Row:
    """Return the columns of a table that a page shows, with their meanings."""
    return {name: COLUMNS[table][name] for name in SHOWN[table]}


def read_locks(paths: list[Path]) -> list[Row]:
    """Return the pins of environment files, one row each, with the columns of LOCK_COLUMNS."""
    rows: list[tuple] = []
    for path in paths:
        python, *_ = read_yaml(path)["dependencies"]
        rows.append((path.stem, *python.split(" "), "", ""))
        rows += [
            (path.stem, pin.name, pin.version, pin.marker, str(len(pin.hashes)))
            for pin in read_pins(path)
        ]
    return [dict(zip(LOCK_COLUMNS, row, strict=True)) for row in rows]


def render(template: Path, **values: Any) -> str:
    """Return a template of workflow/report with these values in their places.

    A page has a `title`, `rows`, `columns` with their meanings, {name: text}, and `whose`: a
    sentence on which run the rows are from.
    """
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"short": shorten, "words": lambda name: name.replace("_", " ")}
    return environment.get_template(template.name).render(values)


def shorten(text: str) -> str:
    """Return a text with 7 significant digits of each longer number, as float32 has them."""
    words = text.split(" ")
    for place, word in enumerate(words):
        number = number_in(word)
        if len(number.partition(".")[2]) > 8:
            words[place] = word.replace(number, f"{float(number):.7g}")
    return " ".join(words)


def main() -> None:
    """Read the command line and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--template", type=Path, required=True, help="the page around the table")
    parser.add_argument("--title", required=True)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--table", type=Path, help="a CSV file")
    source.add_argument("--locks", type=Path, nargs="+", help="environment files")
    parser.add_argument("--whose", default="", help="a sentence on which run made the table")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    if options.table:
        rows, columns = read_rows(options.table), shown(options.table.stem)
    else:
        rows, columns = read_locks(options.locks), LOCK_COLUMNS
    values = {"title": options.title, "rows": rows, "columns": columns, "whose": options.whose}
    options.output.write_text(render(options.template, **values), encoding="utf-8")
