"""The end of a run on the terminal: the claims table and where the figures are."""

import csv
import textwrap
from pathlib import Path


def summarize(claims_path, figures_folder):
    """Return the claims table and the list of figures as text; empty before there are any."""
    parts = []
    if Path(claims_path).is_file():
        with Path(claims_path).open(encoding="utf-8", newline="") as stream:
            parts.append(format_claims(list(csv.DictReader(stream))))
        parts.append(f"Reasons and measured values: {claims_path}")
    figures = sorted(Path(figures_folder).glob("*.png"))
    if figures:
        parts.append("Figures:\n" + "\n".join(f"  {figure}" for figure in figures))
    return "\n\n".join(parts)


def format_claims(claims, width=76):
    """Return the claims as text: verdict, published and measured value, statement."""
    verdict_width = max(len(claim["verdict"]) for claim in claims)
    indent = " " * (verdict_width + 2)
    lines = []
    for claim in claims:
        statement = textwrap.wrap(claim["statement"], width)
        lines.append(f"{claim['verdict']:<{verdict_width}}  {statement[0]}")
        lines.extend(indent + line for line in statement[1:])
        if claim["measured"]:
            published = f"published {claim['published']}, " if claim["published"] else ""
            lines.append(f"{indent}{published}measured {claim['measured']}")
    return "\n".join(lines)
