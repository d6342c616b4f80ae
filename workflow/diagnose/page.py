"""Write diagnosis.html from a verdict: one file that needs no network.

python -s workflow diagnose.page --verdict VERDICT --pair PAIR --page PAGE
"""

import argparse
import html
import io
import json
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from plot.figures import COLOURS, new_figure

from diagnose.records import read

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Diagnosis: {title}</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 54rem; margin: 1rem auto; padding: 0 1rem }}
.verdict {{ font-size: 1.15rem; border-left: 4px solid #0072B2; padding-left: .8rem }}
.wide {{ overflow-x: auto }} table {{ border-collapse: collapse; font-size: .9rem }}
td, th {{ padding: .25rem .6rem; border-bottom: 1px solid #ccc; text-align: left }}
td.number {{ text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }}
svg {{ width: 100%; height: auto; max-width: 34rem; display: block }}
code, pre {{ overflow-wrap: anywhere; white-space: pre-wrap }}
@media (prefers-color-scheme: dark) {{ svg {{ background: #fff }} }}
</style></head><body>
<h1>Diagnosis: {title}</h1>
<p class="verdict">{sentence}</p>
{notes}
{sections}
</body></html>
"""
SIDES = ("first", "second")
SHOWN = 100  # arrays of one step
RUNS = """<p>as_is: the script as it is. same_…: without the causes that the name lists. with_…:
with these causes of the other run. final_of_…: the second run's last weights, evaluated in the
first run's way. ulp_…: each initial weight moved by one unit in the last place. portable: without
the processor's matrix kernel. probe…: the step in which the runs part, once more; such a run ends
there and has no value.</p>"""


def cell(value: Any) -> str:
    """Return a table cell; numbers stand on the right."""
    if isinstance(value, float):
        return f'<td class="number">{value:.6g}</td>'
    return f"<td>{html.escape('' if value is None else str(value))}</td>"


def percent(share: float | None) -> str:
    """Return a share as it is printed, or nothing."""
    return "" if share is None else f"{round(100 * share, 1) + 0.0:.1f}\N{NO-BREAK SPACE}%"


def table(head: list[str], rows: Iterable[Iterable]) -> str:
    """Return a table that scrolls by itself where the window is narrow."""
    lines = ["".join(f"<th>{html.escape(word)}</th>" for word in head)]
    lines += ["".join(map(cell, row)) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide" tabindex="0"><table>{body}</table></div>'


def inline(figure: Any, words: str) -> str:
    """Return a figure as SVG within a page, described by words; the same bytes on every run."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    picture = file.getvalue()[file.getvalue().index("<svg ") :]
    picture = re.sub(r"(?s)<metadata>.*?</metadata>", "", picture)
    picture = re.sub(
        r' (?:width|height)="[\d.]+pt"| xmlns(?::xlink)?="[^"]*"', "", picture, count=4
    )
    picture = picture.replace("xlink:href", "href")
    return picture.replace("<svg ", f'<svg role="img" aria-label="{html.escape(words)}" ', 1)


def draw_waterfall(verdict: dict) -> str:
    """Return the figure that leads from the first run's number to the second's, cause by cause."""
    level = sum(verdict["first"]["values"]) / len(verdict["first"]["values"])
    bars = [("first run", 0.0, level)]
    for row in verdict["rows"]:
        bars.append((row["label"], level, level + row["contribution"]))
        level += row["contribution"]
    bars.append(("second run", 0.0, level))
    figure, axes = new_figure(1, 1, height=0.5 + 0.22 * len(bars))
    axis = axes[0][0]
    ends = [stop for _, _, stop in bars]
    low, high = min(ends), max(ends)
    room = (high - low) or abs(high) or 1.0
    axis.set_xlim(low - 0.25 * room, high + 0.25 * room)
    for place, (_, start, stop) in enumerate(bars):
        if place in (0, len(bars) - 1):
            axis.plot(stop, place, "o", color=COLOURS[0], markersize=4)
            text = f"{stop:.6g}"
        else:
            axis.barh(place, stop - start, left=start, height=0.6, color=COLOURS[2])
            text = f"{stop - start:+.3g}"
            axis.plot([stop, stop], [place, place + 1], color="0.6", linewidth=0.5)
        axis.annotate(text, (max(start, stop) if place not in (0, len(bars) - 1) else stop, place),
                      (4, 0), textcoords="offset points", va="center", fontsize=6)  # fmt: skip
    axis.set_yticks(range(len(bars)), [name for name, _, _ in bars])
    axis.invert_yaxis()
    axis.set_xlabel(verdict["metric"])
    return inline(figure, "From the number of the first run to that of the second, cause by cause")


def draw_curves(verdict: dict) -> str:
    """Return the figure of the losses of both runs, as they are and from an equal start."""
    kinds = [("as_is", "as they are"), ("equal", "without the causes")]
    kinds = kinds if "first_equal" in verdict["curves"] else kinds[:1]
    figure, axes = new_figure(1, len(kinds), height=1.8, sharey=True)
    for axis, (kind, title) in zip(axes[0], kinds, strict=True):
        for side, colour, style in zip(SIDES, (COLOURS[2], COLOURS[3]), ("-", "--"), strict=True):
            curve = verdict["curves"][f"{side}_{kind}"]
            axis.plot(range(1, len(curve) + 1), curve, style, color=colour, label=side)
        axis.set_title(title)
        axis.set_xlabel("step")
    axes[0][0].set_ylabel("training loss")
    axes[0][0].legend()
    return inline(figure, "Training loss of both runs, as they are and without the causes")


def write_sections(verdict: dict) -> str:
    """Return what follows the sentences: figures, tables, and how to repeat the diagnosis."""
    parts = []
    if verdict["rows"]:
        parts += ["<h2>What each cause contributes</h2>", draw_waterfall(verdict)]
        parts.append(
            table(
                ["cause", "contribution", "share", "first to last", "last to first", "named"],
                (
                    [
                        row["label"],
                        row["contribution"],
                        percent(row["share"]),
                        row["first_order"],
                        row["second_order"],
                        "yes" if row["named"] else "no",
                    ]
                    for row in verdict["rows"]
                ),
            )
        )
        parts.append(
            "<p>Each cause is taken away from the second run. A contribution is the mean of two "
            "orders: from the first cause to the last, and from the last cause to the first.</p>"
        )
    if verdict["curves"].get("first_as_is"):
        parts += ["<h2>Both runs, step by step</h2>", draw_curves(verdict)]
    if (verdict["place"] or {}).get("arrays"):
        parts.append("<h2>The first difference from an equal start</h2>")
        parts.append(
            "<p>The step is computed once more from equal weights, in both runs: what each layer "
            "puts out, the loss, the gradients; then what the step itself made of the weights. A "
            "difference is given in units in the last place of the largest number, relative to "
            "this number, and divided by what rounding does there.</p>"
        )
        head = ["part", "layer or array", "last places", "relative", "÷ rounding"]
        rows = verdict["place"]["arrays"]
        numbers = ("ulp", "relative", "beyond")
        shown = (
            [row["part"], row["array"]]
            + [f"{row[key]:.3g}" if row["ulp"] else "equal" * (key == "ulp") for key in numbers]
            for row in rows[:SHOWN]
        )
        parts.append(table(head, shown))
        if len(rows) > SHOWN:
            parts.append(f"<p>place.csv has all {len(rows)} of them.</p>")
    if verdict["settings"]:
        parts.append("<h2>Configurations that differ</h2>")
        keys = ("class", "key", "first", "second", "written")
        head = ["class", "key", "first", "second", "written in a script"]
        parts.append(table(head, ([row.get(key) for key in keys] for row in verdict["settings"])))
    packages = [verdict[side]["packages"] for side in SIDES]
    parts += ["<h2>Packages</h2>"]
    names = sorted(set(packages[0]) | set(packages[1]))
    parts.append(table(["", *SIDES], ([name, *(p.get(name) for p in packages)] for name in names)))
    parts.append(f"<p>Machine: {html.escape(verdict['first']['machine'])}</p>")
    parts.append("<h2>Controls: every run of this diagnosis</h2>")
    parts.append(RUNS)
    keys = ("side", "run", "repeat", "value", "error")
    parts.append(table(list(keys), ([row[key] for key in keys] for row in verdict["runs"])))
    parts.append("<p>The tables beside this page hold all numbers with all their digits.</p>")
    return "\n".join(parts)


def write_repetition(pair: dict) -> str:
    """Return how to repeat a diagnosis: a configuration as a user writes it, and one call."""
    sides = [pair[side] for side in SIDES]
    asked = {side: pair[side]["script"] for side in SIDES}
    asked["in"] = shlex.join(dict.fromkeys(side["environment"] for side in sides))
    asked["args"] = shlex.join(sides[0]["arguments"])
    asked |= {key: pair[key] for key in ("metric", "repeats", "limit")}
    defaults = {"args": "", "metric": "auto", "repeats": 0}
    asked = {key: value for key, value in asked.items() if value != defaults.get(key)}
    snakefile = Path(__file__).resolve().parent / "Snakefile"
    call = (
        f"snakemake --snakefile {shlex.quote(str(snakefile))} --directory again --cores 2"
        " --software-deployment-method conda --configfile pair.json"
    )
    return (
        "<h2>How to repeat it</h2><p>Save these lines as <code>pair.json</code>:</p>"
        f"<pre>{html.escape(json.dumps(asked, indent=1, ensure_ascii=False))}</pre>"
        f"<p>Then type one call of Snakemake:</p><pre>{html.escape(call)}</pre>"
    )


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verdict", type=Path, required=True)
    parser.add_argument("--pair", type=json.loads, required=True, help="of `pairs.read_pair`")
    parser.add_argument("--page", type=Path, required=True)
    options = parser.parse_args()
    verdict = read(options.verdict)
    page = PAGE.format(
        title=html.escape(options.verdict.parent.name),
        sentence=html.escape(verdict["sentence"]),
        notes="\n".join(f"<p>{html.escape(note)}</p>" for note in verdict["notes"]),
        sections=f"{write_sections(verdict)}\n{write_repetition(options.pair)}",
    )
    options.page.write_text(page, encoding="utf-8")
