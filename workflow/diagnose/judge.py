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
from judge.causes import Cause, exceeds, last_places, limit_of, mean_of_orders, share_of
from judge.tables import describe_columns, write_table

from diagnose.differences import brief, evaluate_alike, losses_differ, settings
from diagnose.ladder import NEGLIGIBLE
from diagnose.loops import PARTLY
from diagnose.place import BEYOND, find_place, look_closer
from diagnose.records import Runs, broken, curve, data_of, list_runs, read, reported, trained_models
from diagnose.rungs import (
    LABELS,
    climb,
    ends,
    label,
    lie_apart,
    not_done,
    real_causes,
    rungs_apart,
    swapped,
    theirs,
)
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
    causes = real_causes(runs, ladder)
    first, other = ends(runs, causes)
    numbers = [reported(run, runs.metric) for run in runs.pair()]
    total = runs.value("second/as_is") - runs.value("first/as_is")
    repeated = [name for name in runs.records if name.split("/")[1].startswith(("as_is", "same"))]
    spread = max(max(runs.values(name)) - min(runs.values(name)) for name in repeated)
    agree = runs.agree(first, other)
    steps = sum(len(entry["hashes"]) for entry in runs.one(first)["models"])
    level = runs.value("first/as_is")
    # A perturbed run may be equal by chance.
    yardstick = max(
        0.0 if agree else last_places(level, steps), moved_by_rounding(runs, first, spread)
    )
    verdict |= {"total": total, "spread": spread, "yardstick": yardstick, "steps": steps}
    verdict |= {"equal_start": agree}
    ineffective = not_carried_out(runs, causes)
    plain = first == "first/as_is" and not any(isinstance(cause, list) for cause in causes)
    scattered = not (runs.repeat(first) and runs.repeat(other))
    rows, rest, early = climb(runs, causes, agree and plain and not scattered)
    # --- what remains: evaluation, rounding or computation
    limit = limit_of(BEYOND * yardstick, spread)
    closer = look_closer(runs, place["probes"]) if "probes" in place else {}
    varied = runs.vary(data_of)
    if varied:
        rows, rest = [], total
    of_training = all(number.get("through") == "training" for number in numbers)
    alike = runs.metric == "training loss" or of_training
    alike = alike or evaluate_alike(numbers[0], numbers[1])
    beyond = [row["part"] for row in closer.get("arrays", []) if row["beyond"] > BEYOND]
    loss_differs, formula = "loss" in beyond, bool(beyond)
    formula = formula or (place["place"] is not None and not closer)
    last = swapped(runs, causes, list(range(len(causes))))
    evaluation = 0.0
    rounded = agree and max(abs(rest), abs(early or 0.0)) <= BEYOND * last_places(level, 1)
    # The loss that is trained with is evaluated with: one formula, not two causes, if not written.
    formulas = losses_differ(*runs.pair()) or any(
        entry["kind"] in ("loss", "metric") or (entry["key"] or "").endswith("regularizer")
        for entry in settings(*runs.pair())
    )
    if agree:
        evaluation = 0.0 if rounded or (scattered and abs(rest) <= limit) else rest
    elif last is not None and not (alike and (loss_differs or scattered) and not formulas):
        # Where repeats scatter, no step is looked at: the network itself may differ.
        evaluation = runs.value(other) - last
        evaluation = evaluation if abs(evaluation) > limit else 0.0
    evaluation = 0.0 if varied else evaluation
    computation = rest - evaluation
    # The runs differ if their repeats lie apart, though by less than two single runs may.
    rounding = BEYOND * last_places(level, steps)
    as_they_are = [runs.values(f"{side}/as_is") for side in ("first", "second")]
    apart = scattered and lie_apart(*as_they_are, rounding=rounding)
    far = (
        apart
        and not varied
        and not evaluation
        and lie_apart(runs.values(first), runs.values(other), rounding=rounding)
    )
    counted = rungs_apart(runs, causes, rounding) if apart and first == "first/as_is" else []
    small = abs(computation) <= limit and not far
    rows.append(["evaluation", evaluation, evaluation if early is None else early])
    kind = "spread" if scattered else "rounding"
    kind = "computation" if not small and (formula or scattered) else kind
    if place["place"] and not scattered:
        number, step = place["place"]
        models = [trained_models(runs.one(name)) for name in (first, other)]
        ended = [len(part[number]["hashes"]) for part in models]
        same = len(models[0]) == len(models[1])
        kind = "length" if same and step > min(ended) else kind
    rows.append([kind, computation, computation])
    if kind == "computation" and (levels := theirs(runs, causes)):
        # The other order takes the computation away first, then the causes from last to first.
        for number, (before, after) in enumerate(itertools.pairwise(levels)):
            rows[number][2] = after - before
        rows[-1][2] = runs.value("second/as_is") - levels[-1] - evaluation
    if rounded:
        rows[-2:] = [["evaluation", 0.0, 0.0], ["rounding", rest, rest if early is None else early]]
    for row, (cause, *sizes) in enumerate(rows):
        counts = exceeds(sizes, limit) or any(counted[row : row + 1])
        counts = (counts or (cause == "computation" and far)) and cause not in NO_CAUSES
        counts = counts or (cause == "length" and bool(rest))
        verdict["rows"].append(describe_cause(cause, sizes, total) | {"named": counts})
    named = [row for row in verdict["rows"] if row["named"]]
    verdict["causes"] = list(dict.fromkeys(row["cause"] for row in named))
    verdict["place"] = {"step": place["place"], **closer} if place["place"] else None
    parted = [side for side in ("first", "second") if not runs.repeat(f"{side}/as_is")]
    # --- what forbids a verdict
    tiny = NEGLIGIBLE * abs(runs.value("first/as_is"))
    verdict["elsewhere"] = formula and small and not scattered and not agree
    gradients = [row for row in closer.get("arrays", []) if row["part"] == "gradient"]
    alike_learnt = gradients and not any(row["largest_difference"] for row in gradients)
    # From equal weights, equal gradients come from equal labels, though these were not seen.
    blocked = [said for said in ladder["blocked"] if not (alike_learnt and PARTLY in said)]
    large = not agree and abs(rest) > limit
    against = [
        (ineffective, ineffective or "", None),
        (
            varied and abs(total) > limit,
            "the training data differ from run to run, so that no cause can be measured",
            None,
        ),
        (blocked and large, "; ".join(blocked), rest),
        (
            "error" in closer,
            f"the first difference cannot be looked at: {closer.get('error')}",
            None,
        ),
        (
            not agree and not small and not formula and not scattered,
            "the runs part by no more than rounding, but what remains is beyond its yardstick",
            rest,
        ),
        (
            verdict["elsewhere"] and abs(computation) > tiny,
            "one step is computed differently, but rounding moves the number as far",
            rest,
        ),
        (
            causes and not named and not agree and not parted
            and abs(total) > max(tiny, limit / BEYOND),
            f"rounding moves the number by {yardstick:.2g}, too far to tell causes apart",
            None,
        ),
        (
            large and last is None and not alike and not varied,
            "computation and evaluation cannot be told apart",
            rest,
        ),
    ]  # fmt: skip
    for forbids, reason, left in against:
        if forbids:
            verdict = undecided(verdict, reason, left)
            return verdict | {"notes": notes(runs, verdict, closer)}
    if parted:
        verdict["causes"].insert(0, Cause.NOT_REPRODUCIBLE)
    verdict["sentence"] = tell(runs, verdict, numbers, parted)
    verdict["notes"] = notes(runs, verdict, closer)
    return verdict


def moved_by_rounding(runs: Runs, first: str, spread: float) -> float:
    """Return how far rounding moves the number of the first run, beyond what a race does."""
    races = not (runs.repeat("first/as_is") and runs.repeat(first))
    yards = [name for name in ("first/ulp_1", "first/ulp_2", "first/portable") if name in runs]
    moved = [abs(runs.value(name) - runs.value(first)) for name in yards]
    return max([0.0, *moved]) - (spread if races else 0.0)


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


def not_carried_out(runs: Runs, causes: list) -> str | None:
    """Return a clause on a cause that could not be taken away, or None."""
    if not causes:
        return None
    for cause in not_done(runs.one(ends(runs, causes)[1]), causes):
        return f"{label(cause)} could not be taken away from the second run"
    return None


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
