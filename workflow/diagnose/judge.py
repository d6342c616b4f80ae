"""Judge a pair: read all its runs, write ladder.csv, verdict.json and diagnosis.html."""

import argparse
import csv
import html
import json
from pathlib import Path

from ladder import (
    ROUNDING_FACTOR,
    first_difference,
    label,
    loss_beyond_rounding,
    name_of,
    read,
    subsets,
    take_apart,
    trajectory,
    value,
)

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Diagnosis</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 60rem; margin: 1rem auto; padding: 0 1rem }}
.wide {{ overflow-x: auto }} table {{ border-collapse: collapse }}
td, th {{ padding: .3rem .6rem; border-bottom: 1px solid #ccc; text-align: left }}
svg {{ width: 100%; height: auto; max-width: 48rem }}
pre {{ overflow-x: auto }}
</style>
<h1>Diagnosis</h1><p>{sentence}</p>
<h2>What each cause contributes</h2>{figure}
<div class="wide"><table><tr><th>cause</th><th>contribution</th><th>first order</th>
<th>second order</th><th>named</th></tr>{rows}</table></div>
<h2>Where the runs part from an equal start</h2><p>{place}</p>
<h2>Packages</h2><div class="wide"><table><tr><th>package</th><th>first</th><th>second</th></tr>
{packages}</table></div>
<h2>Runs</h2><div class="wide"><table><tr><th>run</th><th>{metric}</th></tr>{runs}</table></div>
</html>
"""


def waterfall(first: float, second: float, rows: list[dict]) -> str:
    """Return the ladder as SVG: from the first run's number to the second's, cause by cause."""
    bars, level = [("first run", None, first)], first
    for row in rows:
        bars.append((row["cause"], level, level + row["contribution"]))
        level += row["contribution"]
    bars.append(("second run", None, second))
    ends = [end for _, start, stop in bars for end in (start, stop) if end is not None]
    low, high = min(ends), max(ends)
    scale = 480 / ((high - low) or 1.0)
    parts = []
    for place, (name, start, stop) in enumerate(bars):
        y = 14 + 26 * place
        begin = stop if start is None else min(start, stop)
        width = 0 if start is None else abs(stop - start) * scale
        x = 230 + (begin - low) * scale
        colour = "#000000" if start is None else "#0072B2"
        text = f"{stop:.6g}" if start is None else f"{stop - start:+.3g}"
        side = x + max(width, 2) + 6
        anchor = "start" if side < 650 else "end"
        side = side if anchor == "start" else x - 6
        parts.append(
            f'<text x="222" y="{y + 13}" text-anchor="end">{html.escape(name)}</text>'
            f'<rect x="{x:.1f}" y="{y}" width="{max(width, 2):.1f}" height="18" fill="{colour}"/>'
            f'<text x="{side:.1f}" y="{y + 13}" text-anchor="{anchor}">{text}</text>'
        )
    return (
        f'<svg viewBox="0 0 760 {30 + 26 * len(bars)}" font-family="sans-serif" font-size="12"'
        f' role="img" aria-label="Waterfall of the ladder">{"".join(parts)}</svg>'
    )


def judge(folder: Path, plan: dict) -> dict:
    """Return the verdict of a pair.

    Args:
        folder: where the records are.
        plan: what plan_ladder wrote.
    """
    metric, causes = plan["metric"], plan["causes"]
    runs = {
        f"{path.parent.name}/{path.stem}": read(path) for path in sorted(folder.glob("*/*.json"))
    }
    undecided = {
        "status": 3,
        "rows": [],
        "place": "not looked for",
        "runs": {},
        "metric": metric,
        "causes": [],
    }
    for name, record in runs.items():
        if record["error"]:
            return {**undecided, "sentence": f"Undecided: in {name}, {record['error']}."}
    try:
        values = {name: value(record, metric) for name, record in runs.items()}
    except KeyError as error:
        return {**undecided, "sentence": f"Undecided: {error.args[0]}."}
    undecided["runs"] = values
    if any(number != number for number in values.values()):
        bad = [name for name, number in values.items() if number != number]
        return {**undecided, "sentence": f"Undecided: {metric} is NaN in {', '.join(bad)}."}
    repeats = {
        side: [values[f"{side}/as_is-{n}"] for n in range(plan["repeats"])]
        for side in ("first", "second")
    }
    spread = max(max(numbers) - min(numbers) for numbers in repeats.values())
    parted = [
        side
        for side in repeats
        if any(
            trajectory(runs[f"{side}/as_is-{n}"]) != trajectory(runs[f"{side}/as_is-0"])
            for n in range(plan["repeats"])
        )
    ]

    def gap(subset: tuple[int, ...]) -> float:
        draws = [place for place in subset if causes[place] == "draws"]
        return values[f"second/{name_of(list(subset))}"] - values[f"first/{name_of(draws)}"]

    first, second = values["first/as_is-0"], values["second/as_is-0"]
    total = second - first
    gaps = {(): total} | {tuple(subset): gap(tuple(subset)) for subset in subsets(causes)}
    orders = take_apart(gaps, len(causes))
    rows = [
        {"cause": label(cause), "contribution": (one + other) / 2, "first": one, "second": other}
        for cause, (one, other) in zip(causes, orders, strict=True)
    ]
    shown = {"evaluated": "The last evaluated loss", "printed": "The last printed number"}
    shown = shown.get(metric, metric)
    everything = list(range(len(causes)))
    reference = name_of([place for place in everything if causes[place] == "draws"])
    rest = gaps[tuple(everything)]
    one, other = runs[f"first/{reference}"], runs[f"second/{name_of(everything)}"]
    place = first_difference(one, other)
    yardstick = max(abs(values[f"first/ulp-{n}"] - values[f"first/{reference}"]) for n in (0, 1))
    if place is None:
        evaluation = rest
    elif "second/final" in values:
        evaluation = values["second/final"] - values[f"first/{reference}"]
    else:
        evaluation = 0.0
    other_loss = loss_beyond_rounding(one, other, [runs[f"first/ulp-{n}"] for n in (0, 1)])
    if other_loss:  # what is trained with is evaluated with: one formula, not two causes
        evaluation = 0.0
    computation = rest - evaluation
    rounding = not other_loss and abs(computation) <= ROUNDING_FACTOR * yardstick
    kind = "rounding" if rounding else "computation: another formula"
    if other_loss:
        kind = "computation: another formula of the loss"
    if computation == 0:
        kind = "computation"
    rows.append(
        {"cause": kind, "contribution": computation, "first": computation, "second": computation}
    )
    rows.append(
        {
            "cause": "evaluation",
            "contribution": evaluation,
            "first": evaluation,
            "second": evaluation,
        }
    )
    floor = max(spread, ROUNDING_FACTOR * yardstick, 1e-12 * abs(first))
    for row in rows:
        row["named"] = abs(row["contribution"]) > floor and row["cause"] != "rounding"
    named = [row for row in rows if row["named"]]
    parts = []
    if parted:
        parts.append(
            f"The {' and the '.join(parted)} run is not reproducible: repeats spread by "
            f"{spread:.3g}."
        )
    if total == 0 and not named:
        parts.append(f"No difference: {shown[0].lower() + shown[1:]} is {first:.9g} in both runs.")
    elif named:
        shares = [
            f"{row['cause']} {row['contribution']:+.3g}"
            + (f" ({100 * row['contribution'] / total:.0f} %)" if total else "")
            for row in named
        ]
        parts.append(f"{shown} differs by {total:+.6g}: {', '.join(shares)}.")
    elif parted:
        parts.append(f"{shown} differs by {total:+.3g}, which is not beyond this spread.")
    else:
        parts.append(f"{shown} differs by {total:+.3g}, which is rounding alone.")
    steps = sum(len(entry["hashes"]) for entry in one["models"])
    if place is None and not parted:
        where = "From an equal start" if causes else "As they are"
        parts.append(
            f"Nothing is computed differently: {where.lower()} all {steps} steps agree to the bit."
        )
    elif rounding and not parted and computation:
        parts.append(
            f"Rounding leaves {computation:+.3g}; one ulp in every initial weight "
            f"moves this number by {yardstick:.3g}."
        )
    return {
        "status": 0,
        "sentence": " ".join(parts),
        "rows": rows,
        "place": place or f"nowhere: all {steps} steps have equal bits",
        "runs": values,
        "metric": metric,
        "causes": [row["cause"] for row in named] + ["not reproducible"] * bool(parted),
        "spread": spread,
        "yardstick": yardstick,
    }


def main() -> None:
    """Judge the pair of a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("--runs", "--ladder", "--verdict", "--table", "--page"):
        parser.add_argument(option, type=Path, required=True)
    options = parser.parse_args()
    verdict = judge(options.runs, read(options.ladder))
    options.verdict.write_text(json.dumps(verdict, indent=1) + "\n", encoding="utf-8")
    columns = ["cause", "contribution", "first", "second", "named"]
    with options.table.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(verdict["rows"])
    sides = [read(options.runs / side / "as_is-0.json") for side in ("first", "second")]
    packages = [side.get("packages", {}) for side in sides]

    def cells(rows: list[list]) -> str:
        return "".join(
            "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
            for row in rows
        )

    values = verdict["runs"]
    figure = ""
    if verdict["rows"]:
        figure = waterfall(values["first/as_is-0"], values["second/as_is-0"], verdict["rows"])
    table_rows = [
        [
            row["cause"],
            *(f"{row[key]:+.6g}" for key in ("contribution", "first", "second")),
            "yes" if row["named"] else "no",
        ]
        for row in verdict["rows"]
    ]
    options.page.write_text(
        PAGE.format(
            sentence=html.escape(verdict["sentence"]),
            figure=figure,
            rows=cells(table_rows),
            place=html.escape(verdict["place"]),
            packages=cells(
                [
                    [name, *(side.get(name, "–") for side in packages)]
                    for name in sorted(set().union(*packages))
                ]
            ),
            metric=html.escape(verdict["metric"]),
            runs=cells([[name, repr(number)] for name, number in values.items()]),
        ),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
