"""Write the page of the claims: each verdict leads to its rows, records, controls and figure.

One HTML file without any other file or server: the report embeds it, so all links stay on the page.
"""

import argparse
import base64
import io
import json
from collections import Counter
from pathlib import Path

from judge.causes import HYPOTHESES
from judge.tables import COLUMNS
from plan.cells import PARTS, TRAINED
from plan.claims import read_claims
from plan.runs import RUN_FILE, jobs_of_seed, training_jobs

from publish import summary, write_page

PREDICTED = [f"predicted_by_{cause}" for cause in HYPOTHESES]
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
LINE = "line"  # the line of a row in its file; the heading has line 1

Row = dict[str, str]
Rows = list[Row]


def read_rows(path: Path) -> Rows:
    """Return the rows of a CSV file, each with its line."""
    return [{**row, LINE: str(line)} for line, row in enumerate(summary.read_rows(path), 2)]


def rows_with(rows: Rows, wanted: dict) -> Rows:
    """Return the rows that have these values. A row need not have all columns."""
    return [
        row for row in rows if all(row.get(key, str(of)) == str(of) for key, of in wanted.items())
    ]


def cells_of(claim: dict, config: dict) -> list[dict]:
    """Return the cells of a claim or of the comparison of a claim."""
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
    """Return the comparisons of a claim's cells; comparisons of two of the cells come first."""
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


def describe_claim(claim: dict, config: dict, tables: dict[str, Rows], commands: Rows) -> dict:
    """Return a claim with all that its section shows: verdict, rows, records and comparisons."""
    wanted = {"claim": claim["id"]}
    (row,) = rows_with(tables["claims"], wanted)
    rests_on = rows_of(claim, config, tables)
    folder = f"{config['results']}/{'controls' if rests_on else 'study'}/"
    return {
        "figure": "",
        **claim,
        "row": row,
        "command": next(iter(rows_with(commands, wanted)), None),
        "rests_on": rests_on,
        "records": records_of(claim, config) or [folder],
        "comparisons": comparisons_of(claim, config),
    }


def render(
    template: Path,
    claims: list[dict],
    config: dict,
    tables: dict[str, Rows],
    commands: Rows,
    figures: dict[str, str],
    whose: str = "",
) -> str:
    """Return the page of the claims; `figures` is {name: address of its picture}."""
    return write_page.render(
        template,
        title="The claims of the page",
        columns=write_page.shown("claims"),
        rows=tables["claims"],
        whose=whose,
        claims=[describe_claim(claim, config, tables, commands) for claim in claims],
        comparisons={
            name: {
                "label": pair["label"],
                "rows": {
                    table: rows_with(tables[table], {"comparison": name})
                    for table in ("verdicts", "controls")
                },
            }
            for name, pair in config["comparisons"].items()
        },
        figures=figures,
        shown={
            table: {name: COLUMNS[table].get(name, "line in the file") for name in [LINE, *names]}
            for table, names in SHOWN.items()
        },
        results=config["results"],
    )


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
    parser.add_argument("--template", type=Path, required=True, help="of the page")
    parser.add_argument("--config", type=Path, required=True, help="JSON, as in config.yaml")
    parser.add_argument("--claims", type=Path, required=True, help="claims.yaml")
    parser.add_argument("--tables", type=Path, nargs="+", required=True, help="claims.csv, ...")
    parser.add_argument("--commands", type=Path, required=True, help="claims-to-commands.csv")
    parser.add_argument("--figures", type=Path, nargs="*", default=[], help="PNG files")
    parser.add_argument("--whose", default="", help="a sentence on which run made the tables")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument(
        "--introduction", type=Path, required=True, help="template of the report's first page"
    )
    parser.add_argument("--first-page", type=Path, required=True, help="output")
    options = parser.parse_args()
    tables = {path.stem: read_rows(path) for path in options.tables}
    config = json.loads(options.config.read_text(encoding="utf-8"))
    page = render(
        options.template,
        read_claims(options.claims),
        config,
        tables,
        read_rows(options.commands),
        {path.stem: embed(path) for path in options.figures},
        options.whose,
    )
    options.output.write_text(page, encoding="utf-8")
    first = write_page.render(
        options.introduction,
        claims=tables["claims"],
        counts=Counter(row["verdict"] for row in tables["claims"]),
        page=options.output,
        origin=summary.tell_origin(config["results"]),
    )
    options.first_page.write_text(first, encoding="utf-8")
