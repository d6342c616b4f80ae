"""Write a table as one HTML page that sorts and filters, without any other file or server."""

import argparse
import html
import string
from pathlib import Path

import pandas
from judge.tables import COLUMNS, number_in
from plan.documents import read_yaml

from publish.locks import read_pins

# Columns to show, where a table has more than a page can hold.
SHOWN = {
    "claims": ["statement", "verdict", "published", "measured", "reason", "claim"],
    "verdicts": [
        "label",
        "first_loss",
        "second_loss",
        "difference",
        "computation_part",
        "draws_part",
        "evaluation_part",
        "causes",
        "reason",
        "deterministic",
    ],
}
LOCK_COLUMNS = {
    "environment": "name of the environment file",
    "package": "name on the package index; python comes from the conda channel",
    "version": "the one version admitted",
    "where": "the Pythons that it is for; empty: all",
    "files": "number of files admitted, each by its SHA-256",
}


def read_csv(path: Path) -> pandas.DataFrame:
    """Return a table as text, cell for cell as it is written, with the columns of SHOWN."""
    table = pandas.read_csv(path, dtype=str, keep_default_na=False)
    return table[SHOWN.get(path.stem, list(table))]


def read_locks(paths: list[Path]) -> pandas.DataFrame:
    """Return the pins of environment files, one row each, with the columns of LOCK_COLUMNS."""
    rows = []
    for path in paths:
        python, *_ = read_yaml(path)["dependencies"]
        rows.append((path.stem, *python.split(" "), "", ""))
        rows += [
            (path.stem, pin.name, pin.version, pin.marker, str(len(pin.hashes)))
            for pin in read_pins(path)
        ]
    return pandas.DataFrame(rows, columns=list(LOCK_COLUMNS))


def render(
    template: str,
    title: str,
    table: pandas.DataFrame,
    meanings: dict[str, str],
    whose: str = "",
    sections: str = "",
) -> str:
    """Return the page; `meanings` explains columns, {name: text}, `whose` which run it is from.

    `sections` is HTML that follows the table; a verdict leads to the section of its claim there.
    """
    heads = "".join(
        f'<th scope="col" title="{html.escape(meanings.get(name, ""))}">'
        f'<button type="button">{html.escape(name.replace("_", " "))}</button></th>'
        for name in table
    )
    leads = table["claim"] if sections else [""] * len(table)
    rows = "\n".join(
        f"<tr>{''.join(render_cell(name, row[name], claim) for name in table)}</tr>"
        for row, claim in zip(table.to_dict("records"), leads, strict=True)
    )
    return string.Template(template).substitute(
        title=html.escape(title),
        description=f"{len(table)} rows. Click a column’s head to sort, hover over it to read "
        f"what it means. {html.escape(whose)}",
        heads=heads,
        rows=rows,
        sections=sections,
    )


def shorten(text: str) -> str:
    """Return a text with 7 significant digits of each longer number, as float32 has them."""
    words = text.split(" ")
    for place, word in enumerate(words):
        number = number_in(word)
        if len(number.partition(".")[2]) > 8:
            words[place] = word.replace(number, f"{float(number):.7g}")
    return " ".join(words)


def render_cell(column: str, value: str, claim: str = "") -> str:
    """Return one cell; the style sheet colours verdicts by data-value.

    In the row of a claim, the verdict is a link to the claim's section.
    """
    marks = f'data-column="{html.escape(column.replace("_", " "))}"'
    if column == "verdict":
        marks += f' data-value="{html.escape(value)}"'
    short = shorten(value)
    if short != value:
        marks += f' title="{html.escape(value)}"'
    shown = html.escape(short)
    if claim and column == "verdict":
        shown = f'<a href="#claim-{html.escape(claim)}">{shown}</a>'
    return f"<td {marks}>{shown}</td>"


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
        table, meanings = read_csv(options.table), COLUMNS.get(options.table.stem, {})
    else:
        table, meanings = read_locks(options.locks), LOCK_COLUMNS
    template = options.template.read_text(encoding="utf-8")
    page = render(template, options.title, table, meanings, options.whose)
    options.output.write_text(page, encoding="utf-8")
