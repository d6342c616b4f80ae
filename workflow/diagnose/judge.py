"""Judge a pair from the records of all its runs: causes, their sizes, and where the runs part.

python -s workflow diagnose.judge --runs FOLDER --ladder LADDER --find-place PLACE
python -s workflow diagnose.judge --runs FOLDER --ladder LADDER --place PLACE --verdict VERDICT
    --tables LADDER.csv RUNS.csv SETTINGS.csv PLACE.csv
"""

import argparse
import itertools
import json
from pathlib import Path

import pandas
from judge.causes import Cause, exceeds, mean_of_orders, share_of
from judge.tables import describe_columns, write_table

from diagnose.differences import brief, settings
from diagnose.evidence import Evidence
from diagnose.place import find_place
from diagnose.records import Runs, broken, curve, list_runs, read
from diagnose.rungs import LABELS, ends, label, real_causes
from diagnose.sentences import notes, tell, undecided

NO_CAUSES = ("rounding", "spread")
TABLES = describe_columns(section="diagnosis")


def judge(runs: Runs, ladder: dict, place: dict) -> dict:
    """Return the verdict of a pair; docs/diagnose.md says what it holds."""
    verdict = {"undecided": None, "causes": [], "rows": [], "notes": [], "metric": runs.metric}
    verdict |= {"place": None, "total": None, "spread": None, "yardstick": None, "steps": None}
    reason = ladder["undecided"] or broken(runs)
    if reason:
        return undecided(verdict, reason)
    found = Evidence(runs, ladder, place)
    verdict |= {key: getattr(found, key) for key in ("total", "spread", "yardstick", "steps")}
    verdict |= {"equal_start": found.agree, "elsewhere": found.elsewhere}
    verdict["place"] = {"step": found.place, **found.closer} if found.place else None
    for (cause, *sizes), apart in itertools.zip_longest(found.rows, found.counted):
        counts = exceeds(sizes, found.limit) or apart or (cause == "computation" and found.far)
        counts = (counts and cause not in NO_CAUSES) or (cause == "length" and found.rest)
        row = describe_cause(cause, sizes, found.total)
        verdict["rows"].append(row | {"named": bool(counts)})
    named = [row for row in verdict["rows"] if row["named"]]
    verdict["causes"] = list(dict.fromkeys(row["cause"] for row in named))
    for forbids, reason, left in found.objections(named):
        if forbids:
            verdict = undecided(verdict, reason, left)
            return verdict | {"notes": notes(runs, verdict, found.closer)}
    if found.parted:
        verdict["causes"].insert(0, Cause.NOT_REPRODUCIBLE)
    verdict["sentence"] = tell(runs, verdict, found.numbers, found.parted)
    verdict["notes"] = notes(runs, verdict, found.closer)
    return verdict


def describe_cause(cause: str | list, sizes: list[float], total: float) -> dict:
    """Return the row of a cause, from what it contributes in each order."""
    mean = mean_of_orders(sizes)
    return {
        "cause": Cause.CHANGED_DEFAULT if isinstance(cause, list) else LABELS[cause],
        "label": label(cause),
        "contribution": mean,
        "share": share_of(mean, total),
        "first_order": sizes[0],
        "second_order": sizes[1],
    }


def make_tables(verdict: dict) -> dict[str, pandas.DataFrame]:
    """Return the tables of a verdict by their names; schemas/tables.yaml documents the columns."""
    sides = ("first", "second")
    written = [row | {side: brief(row[side]) for side in sides} for row in verdict["settings"]]
    arrays = (verdict["place"] or {}).get("arrays", [])
    rows = [verdict["rows"], verdict["runs"], written, arrays]
    return {
        name: pandas.DataFrame(table, columns=list(columns))
        for (name, columns), table in zip(TABLES.items(), rows, strict=True)
    }


def main() -> None:
    """Find the place, or judge the pair."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--ladder", type=Path, required=True)
    for option in ("--find-place", "--place", "--verdict"):
        parser.add_argument(option, type=Path)
    parser.add_argument("--tables", type=Path, nargs=4)
    options = parser.parse_args()
    ladder = read(options.ladder)
    place = read(options.place) if options.place else {"runs": {}}
    runs = Runs(options.runs, ladder, place["runs"])
    if options.find_place:
        place = find_place(runs, ladder)
        options.find_place.write_text(json.dumps(place) + "\n", encoding="utf-8")
        return
    verdict = judge(runs, ladder, place)
    names = {"first_as_is": "first/as_is", "second_as_is": "second/as_is"}
    if verdict["rows"]:
        names["first_equal"], names["second_equal"] = ends(runs, real_causes(runs, ladder))
    verdict["curves"] = {key: curve(runs.one(name)) for key, name in names.items()}
    pair = runs.pair()
    for side, record in zip(("first", "second"), pair, strict=True):
        verdict[side] = {key: record[key] for key in ("packages", "machine", "apis", "plan")}
        verdict[side]["values"] = [] if verdict["total"] is None else runs.values(f"{side}/as_is")
    verdict["runs"] = list_runs(runs)
    verdict["settings"] = settings(*pair)
    for path, table in zip(options.tables, make_tables(verdict).values(), strict=True):
        write_table(table, path)
    options.verdict.write_text(json.dumps(verdict, indent=1) + "\n", encoding="utf-8")
