"""The outcome of a run in words, for the terminal at the end of the run, and for the report."""

import csv
import json
import os
import textwrap
from pathlib import Path
from typing import TextIO

# Terminal colours (ANSI) of verdicts; others have none.
VERDICT_COLOURS = {
    "reproduced": "32",  # green
    "within 0.001": "36",  # cyan
    "not reproduced": "33",  # yellow
    "refuted": "35",  # magenta
    "not tested yet": "2",  # faint
}
JUDGED_HERE = "These verdicts were computed here."
JUDGED_ELSEWHERE = (
    "These verdicts came with the repository; this workflow has not computed them here."
)


def takes_colour(stream: TextIO | None) -> bool:
    """Tell whether a stream is a terminal that shows colours, and the user wants them.

    Python has None for a stream that is closed.
    """
    wanted = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return stream is not None and wanted and stream.isatty()


def summarize(results: str, colour: bool = False) -> str:
    """Return what is in a folder of results, as text: claims, or else verdicts, and figures.

    Empty before there are any. With `colour`, verdicts stand in terminal colours.
    """
    parts = []
    claims, verdicts = (Path(results, "tables", f"{name}.csv") for name in ("claims", "verdicts"))
    if claims.is_file():
        parts.append(format_claims(read_rows(claims), colour=colour))
        whose = JUDGED_HERE if made_here(results, "judge_claims") else JUDGED_ELSEWHERE
        parts.append(f"Reasons and measured values: {claims}\n{whose}")
    elif verdicts.is_file():
        parts += [format_verdict(row) for row in read_rows(verdicts)]
        parts.append(f"The whole table: {verdicts}")
    figures: dict[bool, list[str]] = {True: [], False: []}
    for figure in sorted(Path(results, "figures").glob("*.png")):
        figures[made_here(results, f"render_figure/{figure.stem}")].append(f"  {figure}")
    for made, heading in ((True, "Figures:"), (False, "Figures that came with the repository:")):
        if figures[made]:
            parts.append("\n".join([heading, *figures[made]]))
    return "\n\n".join(parts)


def made_here(results: str, job: str) -> bool:
    """Tell whether a run here has made the files of a job. The log of the job says so.

    Results can come with the repository; logs cannot.
    """
    return Path(results, "logs", f"{job}.log").is_file()


def whose_table(results: str, job: str) -> str:
    """Return in a sentence that a table came with the repository; nothing of one made here."""
    if made_here(results, job):
        return ""
    return "The table came with the repository; no run here has made it."


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file as dictionaries."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def format_verdict(row: dict[str, str], width: int = 76) -> str:
    """Return a row of verdicts.csv as text: the pair, the cause and the reason."""
    reason = textwrap.indent(textwrap.fill(row["reason"], width), "  ")
    return f"{row['label']}: {row['causes']}\n{reason}"


def format_claims(claims: list[dict[str, str]], width: int = 76, colour: bool = False) -> str:
    """Return the claims as text: verdict, published and measured value, statement."""
    verdict_width = max(len(claim["verdict"]) for claim in claims)
    indent = " " * (verdict_width + 2)
    lines = []
    for claim in claims:
        statement = textwrap.wrap(claim["statement"], width)
        verdict = f"{claim['verdict']:<{verdict_width}}"
        if colour and claim["verdict"] in VERDICT_COLOURS:
            verdict = f"\033[{VERDICT_COLOURS[claim['verdict']]}m{verdict}\033[0m"
        lines.append(f"{verdict}  {statement[0]}")
        lines.extend(indent + line for line in statement[1:])
        if claim["measured"]:
            published = f"published {claim['published']}, " if claim["published"] else ""
            lines.append(f"{indent}{published}measured {claim['measured']}")
    return "\n".join(lines)


def tell_origin(results: str) -> str:
    """Return in words where the tables come from: processors, commit, and changes of the files."""
    run, runs = Path(results, "provenance/run.json"), Path(results, "tables/runs.csv")
    processors = sorted({row["cpu_model"] for row in read_rows(runs)}) if runs.is_file() else []
    trained = f"Trained on {', '.join(processors) or 'no processor yet'}"
    git = json.loads(run.read_text(encoding="utf-8"))["git"] if run.is_file() else None
    if git is None:
        return f"{trained}."
    return f"{trained}, at commit {git['commit']}{' with changes' if git['dirty'] else ''}."
