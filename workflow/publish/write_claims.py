"""Write the page of the claims: each verdict leads to its rows, records, controls and figure.

One HTML file without any other file or server: the report embeds it, so all links stay on the page.
"""

import argparse
import base64
import html
import io
import json
import textwrap
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from judge.tables import COLUMNS
from plan.cells import PARTS, TRAINED
from plan.claims import read_claims
from plan.runs import RUN_FILE, jobs_of_seed, training_jobs

from publish import summary, write_page

PREDICTED = [f"predicted_by_{cause}" for cause in ("computation", "draws", "evaluation")]
# What is shown of a row; a table that is not here has no row that a claim names.
SHOWN = {
    "runs": [*PARTS, "repeat", "val_loss"],
    "layers": [*TRAINED, "layer", "output_name", "output_equals_input"],
    "crossed": ["environment", "start_of", "architecture", "rows", "val_loss", "difference"],
    "controls": ["control", "observed", *PREDICTED, "loss_difference"],
    "verdicts": ["causes", "first_loss", "second_loss", "difference_at_equal_start", "reason"],
}
FIGURE_WIDTH = 640  # pixels; a report is to stay below 5 MB
FIGURE_COLOURS = 16
LINE = "line"  # the line of a row in its file; the heading's is 1

Row = dict[str, str]
Rows = list[Row]


def read_rows(path: Path) -> Rows:
    """Return the rows of a CSV file, each with the line that it stands on."""
    return [{**row, LINE: str(line)} for line, row in enumerate(summary.read_rows(path), 2)]


def rows_with(rows: Rows, wanted: dict) -> Rows:
    """Return the rows that have these values, in the columns that they have."""
    return [
        row for row in rows if all(row.get(key, str(of)) == str(of) for key, of in wanted.items())
    ]


def cells_of(claim: dict, config: dict) -> list[dict]:
    """Return the cells that a claim is about: its own, or those of its comparison."""
    if "comparison" not in claim:
        return claim.get("cells", [])
    pair = config["comparisons"][claim["comparison"]]
    return [{"seed": config["seeds"][0], **pair[side]} for side in ("first", "second")]


def rows_of(claim: dict, config: dict, tables: dict[str, Rows]) -> dict[str, Rows]:
    """Return {table: the rows that a claim rests on}; empty for one of the whole study."""
    cells = cells_of(claim, config)
    found = {"runs": [row for cell in cells for row in rows_with(tables["runs"], cell)]}
    if "layer" in claim:
        of_layer = rows_with(tables["layers"], {"layer": claim["layer"]})
        found = {"layers": [row for cell in cells for row in rows_with(of_layer, cell)]}
    if "architecture" in claim:
        wanted = {key: claim[key] for key in ("environment", "architecture", "rows")}
        found = {"crossed": rows_with(tables.get("crossed", []), wanted)}
    return {table: rows for table, rows in found.items() if rows}


def comparisons_of(claim: dict, config: dict) -> list[str]:
    """Return the comparisons that are about a claim's cells, those about two of them first."""
    if "comparison" in claim:
        return [claim["comparison"]]
    keys = [part for part in PARTS if part != "seed"]

    def is_in(claim: dict, side: dict) -> bool:
        cells = claim.get("cells", [])
        return any(all(cell.get(key, side[key]) == side[key] for key in keys) for cell in cells)

    counts = {
        name: sum(is_in(claim, pair[side]) for side in ("first", "second"))
        for name, pair in config["comparisons"].items()
    }
    return sorted(filter(counts.get, counts), key=lambda name: -counts[name])


def records_of(claim: dict, config: dict) -> list[str]:
    """Return the files of records that hold the runs of a claim's cells."""
    jobs = training_jobs(config)
    return list(
        dict.fromkeys(
            f"{config['results']}/{RUN_FILE}".format(**cell, job=job)
            for cell in cells_of(claim, config)
            for job in jobs_of_seed(jobs, cell["seed"])
            if cell["variant"] in jobs[job][0]
        )
    )


def render_rows(table: str, rows: Rows) -> str:
    """Return rows as an HTML table, below a line that names the file."""
    columns = [LINE, *SHOWN[table]]
    heads = "".join(
        f'<th scope="col" title="{html.escape(COLUMNS[table].get(name, "line in the file"))}">'
        f"{html.escape(name.replace('_', ' '))}</th>"
        for name in columns
    )
    body = "".join(
        f"<tr>{''.join(write_page.render_cell(name, row.get(name, '')) for name in columns)}</tr>"
        for row in rows
    )
    caption = f"<caption>{table}.csv</caption>"
    return (
        f"<table class=rows>{caption}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )


def render_claim(
    claim: dict,
    config: dict,
    tables: dict[str, Rows],
    command: Row,
    figures: Iterable[str],
) -> str:
    """Return the section of a claim, whose anchor is its identifier."""
    (verdict,) = rows_with(tables["claims"], {"claim": claim["id"]})
    rows = rows_of(claim, config, tables)
    results, figure = config["results"], claim.get("figure", "")
    records = records_of(claim, config) or [f"{results}/{'controls' if rows else 'study'}/"]
    labels = {name: config["comparisons"][name]["label"] for name in comparisons_of(claim, config)}
    entries = {
        "verdict": f"<b>{html.escape(verdict['verdict'])}</b>: {html.escape(verdict['reason'])}",
        "place": html.escape(claim["place"]),
        "command": code(command["command"]) + f", {command['minutes']} minutes" if command else "",
        "row": f"{code(f'{results}/tables/claims.csv')}, line {verdict[LINE]}",
        "rests on": "".join(render_rows(table, chosen) for table, chosen in rows.items())
        or f"{code('sensitivity_effects.csv')}: the rows that the reason counts",
        "records": "<br>".join(map(code, records)),
        "controls": ", ".join(link(f"comparison-{name}", label) for name, label in labels.items())
        or "no comparison is about this claim",
        "figure": link(f"figure-{figure}", figure.replace("_", " ")) if figure in figures else "",
    }
    listed = "".join(f"<dt>{key}</dt><dd>{text}</dd>" for key, text in entries.items() if text)
    return wrap(f"claim-{claim['id']}", claim["statement"], f"<dl>{listed}</dl>")


def code(text: str) -> str:
    """Return text as code."""
    return f"<code>{html.escape(text)}</code>"


def link(anchor: str, text: str) -> str:
    """Return a link to a section of the page."""
    return f'<a href="#{anchor}">{html.escape(text)}</a>'


def wrap(anchor: str, heading: str, content: str) -> str:
    """Return a section of the page, with a way back."""
    back = link("top", "all claims")
    return f'<section id="{anchor}"><h2>{html.escape(heading)}</h2>{content}{back}</section>'


def render_sections(
    claims: list[dict],
    config: dict,
    tables: dict[str, Rows],
    commands: Rows,
    figures: dict[str, str],
) -> str:
    """Return what follows the table of claims; `figures` is {name: address of its picture}."""
    known = {row["claim"]: row for row in commands}
    parts = [
        render_claim(claim, config, tables, known.get(claim["id"], {}), figures) for claim in claims
    ]
    for name, pair in config["comparisons"].items():
        observed = [
            render_rows(table, rows_with(tables[table], {"comparison": name}))
            for table in ("verdicts", "controls")
        ]
        parts.append(wrap(f"comparison-{name}", f"Controls: {pair['label']}", "".join(observed)))
    for name, address in figures.items():
        title = name.replace("_", " ")
        picture = f'<img alt="the figure {title}, drawn by make figures" src="{address}">'
        parts.append(wrap(f"figure-{name}", f"Figure: {title}", picture))
    return "\n".join(parts)


def list_verdicts(claims: Rows, page: str) -> str:
    """Return all verdicts as HTML for the report's first page.

    `page` is the path of the page of the claims, as the report knows it. Each verdict opens it
    at the claim, by the call that the buttons of Snakemake's report make.
    """
    counts = Counter(claim["verdict"] for claim in claims)
    listed = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    lines = [
        f"<p>{len(claims)} claims: {listed}. A verdict leads to what is behind it.</p>",
        "<ul>",
    ]
    for claim in claims:
        address = f"results['{page}'].data_uri + '#claim-{claim['claim']}'"
        call = f"app.setView({{content: 'html', resultPath: '{page}', contentPath: {address}}})"
        verdict, statement = html.escape(claim["verdict"]), html.escape(claim["statement"])
        lines.append(f'<li><a href="#" onclick="{call}">{verdict}</a>: {statement}</li>')
    return "\n".join([*lines, "</ul>"])


def embed(path: Path) -> str:
    """Return a picture as a data address: small, with few colours, which lines need no more of."""
    from PIL import Image  # comes with matplotlib

    picture = Image.open(path).convert("RGB")
    picture = picture.resize((FIGURE_WIDTH, round(picture.height * FIGURE_WIDTH / picture.width)))
    stream = io.BytesIO()
    picture.quantize(FIGURE_COLOURS).save(stream, "png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def main() -> None:
    """Read the command line and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--template", type=Path, required=True, help="the page around the table")
    parser.add_argument("--config", type=Path, required=True, help="JSON, as in config.yaml")
    parser.add_argument("--claims", type=Path, required=True, help="claims.yaml")
    parser.add_argument("--tables", type=Path, nargs="+", required=True, help="claims.csv, ...")
    parser.add_argument("--commands", type=Path, required=True, help="claims-to-commands.csv")
    parser.add_argument("--figures", type=Path, nargs="*", default=[], help="PNG files")
    parser.add_argument("--whose", default="", help="a sentence on which run made the tables")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--introduction", type=Path, required=True, help="reStructuredText")
    parser.add_argument("--first-page", type=Path, required=True, help="output: with the verdicts")
    options = parser.parse_args()
    tables = {path.stem: read_rows(path) for path in options.tables}
    config = json.loads(options.config.read_text(encoding="utf-8"))
    sections = render_sections(
        read_claims(options.claims),
        config,
        tables,
        read_rows(options.commands),
        {path.stem: embed(path) for path in options.figures},
    )
    (table,) = (path for path in options.tables if path.stem == "claims")
    page = write_page.render(
        options.template.read_text(encoding="utf-8"),
        "The claims of the page",
        write_page.read_csv(table),
        COLUMNS["claims"],
        options.whose,
        sections,
    )
    options.output.write_text(page, encoding="utf-8")
    verdicts = list_verdicts(tables["claims"], str(options.output))
    introduction = options.introduction.read_text(encoding="utf-8")
    verdicts += f"\n<p>{html.escape(summary.tell_origin(config['results']))}</p>"
    raw = "\n\n.. raw:: html\n\n" + textwrap.indent(verdicts, "   ") + "\n"
    options.first_page.write_text(introduction + raw, encoding="utf-8")
