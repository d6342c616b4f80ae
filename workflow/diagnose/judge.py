"""Judge a pair from the records of all its runs: causes, their sizes, and where the runs part.

python -s workflow diagnose.judge --runs FOLDER --ladder LADDER --find-place PLACE
python -s workflow diagnose.judge --runs FOLDER --ladder LADDER --place PLACE --verdict VERDICT
    --tables LADDER.csv RUNS.csv SETTINGS.csv PLACE.csv
"""

import argparse
import difflib
import itertools
import json
import math
import re
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy
import pandas
from judge.causes import (
    Cause,
    NoCause,
    exceeds,
    last_places,
    limit_of,
    mean_of_orders,
    share_of,
)
from judge.tables import describe_columns, write_table

from diagnose.calls import TRAINING
from diagnose.configured import DROPS, NOISE
from diagnose.ladder import (
    ABSENT,
    NEGLIGIBLE,
    UNWRITTEN,
    Record,
    brief,
    data_of,
    find_number,
    how_data_differ,
    initial_weights,
    locate_step,
    name_of,
    orders,
    parted_before_data,
    plan_swaps,
    read,
    read_record,
    repeats_differ,
    reported,
    settings,
    take_turns,
    trained_models,
    training_calls,
    trajectory,
    value,
)
from diagnose.loops import PARTLY
from diagnose.steps import match, state_of

Array = numpy.ndarray

# How far beyond the yardstick a difference may lie and still be rounding. The yardstick is what one
# unit in the last place of each weight, or another matrix kernel, does to the same number.
BEYOND = 10
CHANCE = 20
LABELS = {
    "data": Cause.DATA,
    "weights": Cause.INITIAL_DRAWS,
    "draws": Cause.DRAWS_DURING_TRAINING,
    "evaluation": Cause.EVALUATION,
    "computation": Cause.COMPUTATION,
    "rounding": NoCause.ROUNDING,
    "spread": NoCause.SPREAD,
    "length": Cause.LENGTH,
}
SENTENCES = {
    "data": "The two runs are trained on other data",
    "weights": "The two runs draw other initial weights",
    "draws": "The two runs draw other numbers during training",
    "evaluation": "The two runs are evaluated differently",
    "computation": "The two runs compute differently",
    "length": "One run trains for more steps than the other",
}
TABLES = describe_columns(section="diagnosis")


class Runs:
    """The records of a pair, by `side/name`, each a list of repeats."""

    def __init__(self, folder: Path, ladder: dict, more: dict):
        """Read the records that the ladder and, later, `find_place` have asked for."""
        self.folder, self.metric = folder, ladder["metric"]
        self.records: dict[str, list[Record]] = {}
        for name in sorted({"first/as_is-1", "second/as_is-1", *ladder["runs"], *more}):
            self.records.setdefault(name[:-2], []).append(read_record(folder / f"{name}.json"))

    def __contains__(self, name: str) -> bool:
        """Say whether there is a run of this name that has ended well."""
        return name in self.records and not any(run["error"] for run in self.records[name])

    def values(self, name: str) -> list[float]:
        """Return the number of each repeat of a run."""
        return [value(run, self.metric) for run in self.records[name]]

    def value(self, name: str) -> float:
        """Return the mean number of a run."""
        values = self.values(name)
        return values[0] if len(set(values)) == 1 else math.fsum(values) / len(values)

    def one(self, name: str) -> Record:
        """Return the first repeat of a run."""
        return self.records[name][0]

    def pair(self) -> tuple[Record, Record]:
        """Return the first repeats of both scripts as they are."""
        return self.one("first/as_is"), self.one("second/as_is")

    def repeat(self, name: str) -> bool:
        """Say whether all repeats of a run have the same bits."""
        return not repeats_differ(self.records[name])

    def vary(self, part: Callable[[Record], Any]) -> bool:
        """Say whether repeats of a script as it is differ in a part of their records."""
        repeats = [self.records[f"{side}/as_is"] for side in ("first", "second")]
        return any(part(run) != part(side[0]) for side in repeats for run in side)

    def agree(self, one: str, other: str) -> bool:
        """Say whether a repeat of a run has the bits of a repeat of another run in all steps."""
        paths = [[shared_hashes(run, self.one(one)) for run in self.records[name]]
                 for name in (one, other)]  # fmt: skip
        return any(left == right for left in paths[0] for right in paths[1])


def shared_hashes(record: Record, reference: Record) -> list:
    """Return the hashes of a run's steps, of the arrays that it shares with another run.

    Where neither model's arrays are all shared, or other models are trained, of all arrays.
    """
    found = []
    trained = [trained_models(run) for run in (record, reference)]
    if len(trained[0]) != len(trained[1]):
        return trajectory(record)
    for mine, theirs in zip(*trained, strict=True):
        pairs = sorted(match(mine["layers"], theirs["layers"]), key=itemgetter(1))
        places = [place for place, _ in pairs]
        if len(places) < min(len(mine["weights"]), len(theirs["weights"])):
            return trajectory(record)
        found.append([[step[place] for place in places] for step in mine["hashes"]])
    return found


def shared_slots(one: dict, other: dict) -> list[str]:
    """Return the names of the arrays of an optimizer's state, if two models' optimizers keep alike.

    They do if the shapes are equal, in their order.
    """
    slots, others = (entry.get("slots", []) for entry in (one, other))
    alike = [shape for _, shape in slots] == [shape for _, shape in others]
    return [name for name, _ in slots] if alike else []


def first_step(one: Record, other: Record) -> tuple[int, int] | None:
    """Return (model, step) of the first difference of two runs, or None; steps count from 1.

    The number of a model is its place among those that are trained. What differs is a weight that
    both have, or the optimizer's state where both keep the same.
    """
    found = []
    paths = (shared_hashes(one, one), shared_hashes(other, one))
    entries = zip(trained_models(one), trained_models(other), strict=False)
    for number, (pair, mine, theirs) in enumerate(zip(entries, *paths, strict=False)):
        if shared_slots(*pair):
            mine, theirs = (
                list(zip(hashes, entry["states"], strict=True))
                for hashes, entry in zip((mine, theirs), pair, strict=True)
            )
        pairs = enumerate(zip(mine, theirs, strict=False), 1)
        step = next((step for step, (left, right) in pairs if left != right), None)
        if step is None and len(mine) != len(theirs):
            step = min(len(mine), len(theirs)) + 1
        if step is not None:
            found.append((step, number))
    return min(found)[::-1] if found else None


def real_causes(runs: Runs, ladder: dict) -> list:
    """Return the causes without the draws, where these were switched off but play no part.

    They play none where the runs agree, or are equally far apart, with all others taken away.
    """
    causes = ladder["causes"]
    if "draws" not in causes or ladder["pin"]:
        return causes
    others = causes[:-1]
    rung = f"second/{name_of(others, list(range(len(others))))}"
    if runs.agree("first/as_is", rung):
        return others
    gaps = [runs.value(rung) - runs.value("first/as_is"), rest_of(runs, causes)]
    return others if gaps[0] == gaps[1] else causes


def ends(runs: Runs, causes: list) -> tuple[str, str]:
    """Return the names of the two runs without any cause."""
    switched_off = "draws" in causes and "first/same_draws" in runs.records
    first = "first/same_draws" if switched_off else "first/as_is"
    return first, f"second/{name_of(causes, list(range(len(causes))))}"


def rest_of(runs: Runs, causes: list) -> float:
    """Return how far the two runs lie apart without any of the causes."""
    first, other = ends(runs, causes)
    return runs.value(other) - runs.value(first)


def find_place(runs: Runs, ladder: dict) -> dict:
    """Return where the runs part from an equal start, and the runs that are still needed.

    These tell evaluation from training, measure what rounding does, and look at the first step.
    """
    found: dict = {"place": None, "runs": {}}
    if ladder["undecided"] or broken(runs) or runs.vary(data_of):
        return found
    causes = real_causes(runs, ladder)
    first, other = ends(runs, causes)
    agree = runs.agree(first, other)
    pair = runs.pair()
    if not agree or rest_of(runs, causes):
        swaps = plan_swaps(*pair, causes, runs.metric, only_last=not agree)
        found["runs"] = take_turns(swaps, ladder["locked"])
    if agree:
        return found
    if not runs.repeat(first) or not runs.repeat(other):
        return found  # where the runs part is another step in each repeat
    plans = [dict(ladder["runs"].get(f"{name}-1", {})) for name in (first, other)]
    plans[0].setdefault("start", "first/as_is-1")
    plans[1].setdefault("start", "second/as_is-1")
    found["runs"] |= {f"first/ulp_{n}-1": {**plans[0], "ulp": n} for n in (1, 2)}
    found["runs"]["first/portable-1"] = {**plans[0], "portable": True}
    found["place"] = place = first_step(runs.one(first), runs.one(other))
    if place is None:
        return found
    models = [trained_models(runs.one(name))[place[0]] for name in (first, other)]
    if place[1] <= min(len(entry["hashes"]) for entry in models):
        found["probes"] = [locate_step(entry, place[1]) for entry in models]
        pairs = zip(plans, found["probes"], strict=True)
        plans = [{**plan, "probe": probe} for plan, probe in pairs]
        found["runs"] |= {"first/probe-1": plans[0], "second/probe-1": plans[1]}
        found["runs"] |= {f"first/probe_ulp_{n}-1": {**plans[0], "ulp": n} for n in (1, 2)}
    found["runs"] = take_turns(found["runs"], ladder["locked"])
    return found


def broken(runs: Runs) -> str | None:
    """Return a clause on a run that the verdict needs and that has failed, or None."""
    for name, records in runs.records.items():
        if name.startswith(("first/ulp", "first/portable", "first/final_of")) or "/probe" in name:
            continue
        for record in records:
            if record["error"]:
                words = name.split("/")
                return f"in the {words[0]} run ({words[1].replace('_', ' ')}), {record['error']}"
            try:
                number = value(record, runs.metric)
            except KeyError as error:
                return f"in {name}, {error.args[0]}"
            if not math.isfinite(number):
                return f"{runs.metric} is {number} in {name}"
    return None


def look_closer(runs: Runs, probes: list[list[int]]) -> dict:
    """Return what differs in one step from an equal state, against what rounding does there.

    Returns `arrays`: a row for each array that both runs compute in this step, in the order of the
    computation: its part of the step, its name, the largest difference, in units in the last place
    of its largest number, relative to this, and relative to the largest difference that one unit
    in the last place of the weights makes (`beyond`).
    """
    number, number_of_second = (probe[0] for probe in probes)
    names = ("first/probe", "second/probe", "first/probe_ulp_1", "first/probe_ulp_2")
    records = [read(runs.folder / f"{name}-1.json") for name in names]
    if any(record["error"] for record in records):
        return {"error": next(record["error"] for record in records if record["error"])}
    arrays = [numpy.load(runs.folder / f"{name}-1.npz") for name in names]
    one, other = records[0]["models"][number], records[1]["models"][number_of_second]
    rows = []

    def compare(part: str, name: str, kind: str, mine: int, theirs: int) -> None:
        keys = [f"{kind}/{number}/{mine}", f"{kind}/{number_of_second}/{theirs}"]
        keys += 2 * keys[:1]
        if all(key in kept for key, kept in zip(keys[:3], arrays[:3], strict=True)):
            found = [kept[key] for key, kept in zip(keys, arrays, strict=True)]
            if found[0].dtype.kind == "f" and found[0].shape == found[1].shape:
                rows.append({"part": part, "array": name, **measure(*found)})

    looked = [part.get("looked", []) for part in (one, other)]
    classes, others = ([kind for _, kind in part] for part in looked)
    matcher = difflib.SequenceMatcher(None, classes, others, autojunk=False)
    for left, right, size in matcher.get_matching_blocks():
        for mine, theirs in zip(range(left, left + size), range(right, right + size), strict=True):
            compare("output", "{} ({})".format(*looked[0][mine]), "forward", mine, theirs)
    compare("loss", "loss", "loss", 0, 0)
    shared = sorted((mine, theirs) for theirs, mine in match(other["layers"], one["layers"]))
    for mine, theirs in reversed(shared):
        compare("gradient", one["weights"][mine], "gradient", mine, theirs)
    for slot, name in enumerate(shared_slots(one, other)):
        compare("optimizer state", name, "state", slot, slot)
    for part, learnt in (("update", True), ("moving statistics", False)):
        for mine, theirs in shared:
            if one["trained"][mine] is learnt:
                compare(part, one["weights"][mine], "final", mine, theirs)
    return {"arrays": rows, "not_looked": one.get("not_looked") or other.get("not_looked")}


def measure(one: Array, other: Array, *moved: Array) -> dict[str, float]:
    """Return how far two arrays lie apart, against what rounding has made of the first."""
    largest = numpy.abs(one).max(initial=0)
    unit = float(numpy.spacing(largest))
    sizes = [float(numpy.abs(one.astype(float) - part).max(initial=0)) for part in (other, *moved)]
    size = sizes[0]
    return {
        "largest_difference": size,
        "ulp": size / unit,
        "relative": size / float(largest or 1),
        "beyond": size / max(*sizes[1:], unit),
    }


def evaluate_alike(one: dict, other: dict) -> bool:
    """Say whether two numbers were reported on the same rows, in batches of the same size."""
    kinds = [number["method"].replace("_generator", "") for number in (one, other)]
    same = kinds[0] == kinds[1] and one["name"] == other["name"]
    return same and one.get("data") is not None and all(
        one.get(key) == other.get(key) for key in ("data", "batch_size")
    )  # fmt: skip


def restored_from(number: dict, record: Record) -> int | None:
    """Return the earlier step whose weights a number was evaluated with, or None."""
    for entry in record["models"]:
        states = [state_of(step) for step in entry["hashes"]]
        if states and number.get("state") in states[:-1] and number["state"] != states[-1]:
            return len(states) - states[::-1].index(number["state"])
    return None


def how_evaluated(one: dict, other: dict, first: Record, second_run: Record) -> str:
    """Return a phrase on how two evaluations differ, as far as that can be seen."""
    restored = [restored_from(one, first), restored_from(other, second_run)]
    for side, step in zip(("first", "second"), restored, strict=True):
        if step and restored[0] != restored[1]:
            return f"the {side} with weights restored from step {step}"
    left = [{state_of(entry["hashes"][-1]) for entry in trained_models(run)}
            for run in (first, second_run)]  # fmt: skip
    trained = [part.get("state") in states for part, states in zip((one, other), left, strict=True)]
    if one.get("state") and other.get("state") and trained[0] != trained[1]:
        side = "second" if trained[0] else "first"
        return f"the {side} with other weights than after its last step"
    if one.get("result") and one["result"] == other.get("result"):
        return "from the same predictions, another number is made"
    if one.get("data") and other.get("data") and one["data"] != other["data"]:
        parts = [number.get("each") or {} for number in (one, other)]
        differing = [key for key in parts[0] if parts[0][key] != parts[1].get(key)]
        return f"with another {differing[0]}" if differing == ["sample_weight"] else "on other rows"
    methods = [number.get("through") or number["method"] for number in (one, other)]
    if methods[0] != methods[1]:
        return f"{methods[0]} against {methods[1]}"
    rows = [number.get("batch_size") or 32 for number in (one, other)]  # Keras' default is 32
    if rows[0] != rows[1]:
        return f"batches of {rows[0]} and {rows[1]} rows"
    if one.get("steps") != other.get("steps"):
        steps = [number.get("steps") or UNWRITTEN for number in (one, other)]
        return f"steps: {steps[0]} → {steps[1]}"
    return "the same rows, another formula" if one.get("data") else "on data that cannot be seen"


def swapped(runs: Runs, causes: list, subset: list[int]) -> float | None:
    """Return the first run's number of the second run's final weights, or None."""
    name = f"first/final_of_{name_of(causes, subset)}"
    if name not in runs:
        return None
    record = runs.one(name)
    calls = training_calls(record)
    complete = all(not entry.get("kept_final") for entry in record["models"])
    if not complete or not record["done"].get("final") or not calls:
        return None
    number = find_number(record, runs.metric)
    if number is None or (number["method"] in TRAINING and not number["name"].startswith("val_")):
        return None  # what is reported of training is no evaluation of the last weights
    return number["values"][-1] if number["state"] == calls[-1]["state"] else None


def climb(runs: Runs, causes: list, swap: bool) -> tuple[list[list], float, float | None]:
    """Return [cause, forward, backward] of each cause, what remains, and the evaluation first.

    Args:
        swap: in the backward order the evaluation is taken away first, where that can be done: the
            second run's final weights are evaluated in the first run's way.
    """

    def gap(subset: list[int]) -> float:
        taken = [causes[place] for place in subset]
        first = ends(runs, taken)[0]
        return runs.value(f"second/{name_of(causes, subset)}") - runs.value(first)

    forward, backward = orders(causes)["forward"], orders(causes)["backward"]
    gaps = [gap(subset) for subset in forward]
    climbed = [gaps[n] - gaps[n + 1] for n in range(len(causes))]
    seen = [swapped(runs, causes, subset) for subset in backward] if swap else []
    known = [number for number in seen if number is not None]
    early, gaps = None, [gap(subset) for subset in backward]
    if known and len(known) == len(seen):
        early = runs.value("second/as_is") - known[0]
        gaps = [number - runs.value("first/as_is") for number in known]
    descended = [gaps[n] - gaps[n + 1] for n in range(len(causes))][::-1]
    rows = [list(row) for row in zip(causes, climbed, descended, strict=True)]
    return rows, gap(forward[-1]), early


def lie_apart(one: list[float], other: list[float]) -> bool:
    """Say whether two sets of numbers do not overlap, which chance makes of few sets only.

    If all were drawn alike, one of the two orders would come once in CHANCE times at most.
    """
    orders = math.comb(len(one) + len(other), len(one)) / 2
    return orders >= CHANCE and (max(one) < min(other) or max(other) < min(one))


def rungs_apart(runs: Runs, causes: list) -> list[bool]:
    """Say of each cause whether repeats with and without it lie apart, in one of the orders."""
    found = [False] * len(causes)
    for subsets in (orders(causes)["forward"], orders(causes)["backward"]):
        for fewer, more in itertools.pairwise(subsets):
            (place,) = {*more} - {*fewer}
            names = [f"second/{name_of(causes, subset)}" for subset in (fewer, more)]
            found[place] |= lie_apart(*map(runs.values, names))
    return found


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
    yards = [name for name in ("first/ulp_1", "first/ulp_2", "first/portable") if name in runs]
    agree = runs.agree(first, other)
    steps = sum(len(entry["hashes"]) for entry in runs.one(first)["models"])
    level = runs.value("first/as_is")
    least = 0.0 if agree else last_places(level, steps)  # a perturbed run may be equal by chance
    yardstick = max([least, *(abs(runs.value(name) - runs.value(first)) for name in yards)])
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
        entry["kind"] == "loss" or (entry["key"] or "").endswith("regularizer")
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
    apart = scattered and lie_apart(runs.values("first/as_is"), runs.values("second/as_is"))
    far = apart and not evaluation and lie_apart(runs.values(first), runs.values(other))
    counted = rungs_apart(runs, causes) if apart and first == "first/as_is" else []
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
    if rounded:
        rows[-2:] = [["evaluation", 0.0, 0.0], ["rounding", rest, rest if early is None else early]]
    for row, (cause, one, two) in enumerate(rows):
        mean = mean_of_orders([one, two])
        counts = exceeds([one, two], limit) or any(counted[row : row + 1])
        counts = (counts or (cause == "computation" and far)) and cause not in (
            "rounding",
            "spread",
        )
        counts = counts or (cause == "length" and bool(rest))
        verdict["rows"].append(
            {
                "cause": Cause.CHANGED_DEFAULT if isinstance(cause, list) else LABELS[cause],
                "label": label(cause, ladder),
                "contribution": mean,
                "share": share_of(mean, total),
                "first_order": one,
                "second_order": two,
                "named": counts,
            }
        )
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
    verdict["sentence"] = tell(runs, ladder, verdict, numbers, parted, rest)
    verdict["notes"] = notes(runs, verdict, closer)
    return verdict


def label(cause: str | list, ladder: dict) -> str:
    """Return the name of a row."""
    if isinstance(cause, str):
        return LABELS[cause]
    return f"{Cause.CHANGED_DEFAULT} {cause[0]}.{cause[1]}"


def not_carried_out(runs: Runs, causes: list) -> str | None:
    """Return a clause on a cause that could not be taken away, or None."""
    if not causes:
        return None
    done = runs.one(ends(runs, causes)[1])["done"]
    wanted = {"data": "data", "weights": "initial", "draws": "draws"}
    for cause in causes:
        key = wanted[cause] if isinstance(cause, str) else f"default {cause[0]}.{cause[1]}"
        if not done.get(key) and cause != "draws":
            return f"{label(cause, {})} could not be taken away from the second run"
    return None


def undecided(verdict: dict, reason: str, rest: float | None = None) -> dict:
    """Return a verdict that there is none, with the reason."""
    left = f" ({rest:+.3g} of {verdict['total']:+.6g} remains)" if rest is not None else ""
    known = [row for row in verdict["rows"] if row["named"] and row["cause"] != Cause.COMPUTATION]
    shares = "".join(f" {row['label']}: {row['contribution']:+.3g}." for row in known)
    sentence = f"Undecided: {reason}{left}.{shares}"
    return verdict | {"undecided": reason, "sentence": sentence, "causes": []}


def shown(metric: str) -> str:
    """Return what the compared number is called."""
    return {"printed": "the last number printed", "loss": "the last evaluated loss"}.get(
        metric, metric if metric == "training loss" else f"the last {metric}"
    )


def tell(runs: Runs, ladder: dict, verdict: dict, numbers: list, parted: list, rest: float) -> str:
    """Return the verdict in a few sentences."""
    total, number = verdict["total"], shown(runs.metric)
    records = runs.pair()
    parts = []
    if parted:
        whose = "The two scripts are" if len(parted) > 1 else f"The {parted[0]} script is"
        what = (
            "the initial weights differ" if runs.vary(initial_weights) else "the training differs"
        )
        what = "the training data differ" if runs.vary(data_of) else what
        parts.append(
            f"{whose} not reproducible: repeats spread by {verdict['spread']:.3g}; "
            f"{what} from run to run."
        )
    named = [row for row in verdict["rows"] if row["named"]]
    for row in named:
        if row["cause"] == Cause.CHANGED_DEFAULT:
            change = next(
                entry for entry in settings(*records)
                if row["label"] == f"{Cause.CHANGED_DEFAULT} {entry['class']}.{entry['key']}"
            )  # fmt: skip
            text = f"A default has changed, {change['class']}.{change['key']}: "
            text += f"{brief(change['first'])} → {brief(change['second'])}"
        else:
            key = next(key for key, name in LABELS.items() if name == row["cause"])
            text = SENTENCES[key]
            how = {
                "evaluation": [how_evaluated(numbers[0], numbers[1], *records)],
                "length": call_settings(*records),
                "data": [how_data_differ(*records)],
                "computation": reasons(*records, parted_in(verdict))[:3],
                "draws": noise_made(*records) or ["row order, dropout or noise"],
                "weights": [said for said in reasons(*records) if "_initializer: " in said],
            }.get(key)
            if key == "weights" and how:
                text = "The two runs start from other initial weights"
            text += f" ({'; '.join(how)})" if how and how[0] else ""
        share = f"{100 * row['share']:.3g} % of {total:+.6g}" if total else "in part"
        if row["share"] is None or abs(row["share"]) > 2:
            share = f"{row['contribution']:+.6g}, where the whole difference is {total:+.6g}"
        parts.append(f"{text}: {share}.")
    if not named:
        if total == 0 and not parted:
            parts.append(f"No difference: {number} is {numbers[0]['values'][-1]:.9g} in both runs.")
        elif parted:
            parts.append(f"The two runs differ by {total:+.3g}, which is not beyond this spread.")
        elif verdict["elsewhere"]:
            parts.append(
                f"One step is computed differently, but {number} differs by {total:+.3g}, no more "
                "than rounding does."
            )
        else:
            parts.append(f"Rounding alone: {number} differs by {total:+.3g}.")
    if verdict["equal_start"] and (not parted or not named):
        where = "from equal weights " if Cause.INITIAL_DRAWS in verdict["causes"] else ""
        agreed = f"{where}all {verdict['steps']} steps agree to the bit"
        agreed += " in some repeats" if parted else ""
        parts.append(f"Nothing is computed differently: {agreed}.")
    elif Cause.LENGTH in verdict["causes"]:
        both = verdict["place"]["step"][1] - 1
        parts.append(f"Nothing is computed differently in the {both} steps that both make.")
    elif verdict["rows"][-1]["cause"] == NoCause.ROUNDING and rest and not verdict["elsewhere"]:
        parts.append(
            f"What remains, {rest:+.2g}, is rounding, which by itself moves this number by "
            f"{verdict['yardstick']:.2g}."
        )
    return " ".join(parts)


def reasons(first: Record, second_run: Record, part: str | None = None) -> list[str]:
    """Return what is written differently in two scripts, or is there in one of them alone.

    Args:
        first, second_run: the records of both.
        part: where in a step the runs part. An argument that one release alone has is a reason if
            it is an optimizer's and the runs part in what the optimizer makes of equal gradients.
    """
    found = settings(first, second_run)
    optimizing = part in ("optimizer state", "update")
    keys = []
    for entry in found:
        alone = ABSENT in (entry["first"], entry["second"])
        told = optimizing and entry["kind"] == "optimizer" if alone else entry["key"] == "trainable"
        if entry["key"] and (entry["written"] or told):
            keys.append(entry)
    policies = [run.get("policy") for run in (first, second_run)]
    said = [f"dtype policy: {policies[0]} → {policies[1]}"] if policies[0] != policies[1] else []
    said += losses_differ(first, second_run)
    said += [
        f"{e['class']}.{e['key']}: {brief(e['first'])} → {brief(e['second'])}"
        for e in sorted(keys, key=lambda e: not e["written"])
    ]
    for entry in found:
        if entry["key"] is None and entry["kind"] != "loss":
            side, other = ("first", second_run) if entry["first"] == "made" else ("second", first)
            again = entry["class"] in {made["class"] for made in other["made"]}
            only = f"{entry['class']} is made in the {side} script only"
            said.append(f"the {side} script makes one more {entry['class']}" if again else only)
    numbers = [sum(m.get("begun", 0) for m in trained_models(run)) for run in (first, second_run)]
    if numbers[0] != numbers[1]:
        said.append(f"steps that the optimizer has made before: {numbers[0]} → {numbers[1]}")
    return list(dict.fromkeys(said + call_settings(first, second_run)))


def losses_differ(first: Record, second_run: Record) -> list[str]:
    """Return how the losses of two runs, or their weights, differ, model by model."""
    said = []
    for one, other in zip(trained_models(first), trained_models(second_run), strict=False):
        for key in ("loss", "loss_weights"):
            old, new = (
                part["class_name"] if isinstance(part, dict) and "class_name" in part else part
                for part in (one.get(key), other.get(key))
            )
            said += [f"{key}: {brief(old)} → {brief(new)}"] if old != new else []
    return list(dict.fromkeys(said))


def noise_made(first: Record, second_run: Record) -> list[str]:
    """Return how the scripts differ in what shuffles rows, drops or adds noise."""
    sources = re.compile(rf"{NOISE.pattern}|shuffle|\.({'|'.join(DROPS)}):")
    return [said for said in reasons(first, second_run) if sources.search(said)]


def without_effect(first: Record, second_run: Record) -> list[str]:
    """Return what is written, where no step depends on it."""
    said = []
    for entry in settings(first, second_run):
        name = f"{entry['class']}.{entry['key']}"
        if entry["written"] == "both":
            kept = entry["key"] and not entry["key"].endswith("_initializer")
            values = f"{brief(entry['first'])} → {brief(entry['second'])}"
            said += [f"{name}: {values} has no effect here."] if kept else []
        elif entry["written"] and not entry["key"].endswith("_initializer"):
            side = entry["written"]
            said.append(f"{name} = {brief(entry[side])} is written in the {side} script and has "
                        "no effect here.")  # fmt: skip
    return said


def notes(runs: Runs, verdict: dict, closer: dict) -> list[str]:
    """Return further sentences: the number, the place, what to do, what to know."""
    records = runs.pair()
    values = [runs.value(f"{side}/as_is") for side in ("first", "second")]
    said = [f"Compared is {shown(runs.metric)}: {values[0]!r} and {values[1]!r}."]
    if verdict["place"]:
        said.append(describe_place(verdict["place"], records))
    why = reasons(*records, parted_in(verdict))
    told = 0 if verdict["undecided"] else 3  # of them, in the sentence
    if not verdict["undecided"]:
        for row in verdict["rows"]:
            if row["named"]:
                said += advice(row, verdict, runs)
    if verdict["equal_start"] and not {*verdict["causes"]} - {Cause.INITIAL_DRAWS, Cause.DATA}:
        said += without_effect(*records)[:6]
    elif len(why) > told and (verdict["undecided"] or Cause.COMPUTATION in verdict["causes"]):
        more = "More that" if told else "What"
        said.append(f"{more} differs between the scripts: {'; '.join(why[told:9])}.")
    if parted_before_data(*records):
        said.append("The runs are given other data only after they have parted.")
    for side, record in zip(("first", "second"), records, strict=True):
        if len(trained_models(record)) > 1:
            said.append(f"The {side} script trains {len(trained_models(record))} models.")
        if record["writes"]:
            names = ", ".join(record["writes"][:3])
            said.append(f"While the {side} script ran, {names} changed beside it; runs take turns.")
        seeds = [call["draws"].get("framework_seed") for call in training_calls(record)]
        if seeds and seeds[0] is None:
            said.append(f"The {side} script gives the framework no seed.")
    return said


def parted_in(verdict: dict) -> str | None:
    """Return the part of a step in which more than rounding differs first, or None."""
    rows = (verdict["place"] or {}).get("arrays", [])
    return next((row["part"] for row in rows if row["beyond"] > BEYOND), None)


def call_settings(first: Record, second_run: Record) -> list[str]:
    """Return how the settings of training calls differ."""
    calls = [training_calls(run) for run in (first, second_run)]
    if not calls[0] or not calls[1]:
        return []
    one, other = calls[0][0]["settings"], calls[1][0]["settings"]
    return [
        f"{key}: {brief(one.get(key, UNWRITTEN))} → {brief(other.get(key, UNWRITTEN))}"
        for key in sorted((set(one) | set(other)) - {"verbose"})
        if one.get(key) != other.get(key)
    ]


def describe_place(place: dict, records: tuple[Record, Record]) -> str:
    """Return a sentence on the first difference from an equal start."""
    number, step = place["step"]
    of_model = f" of model {number + 1}" if len(trained_models(records[0])) > 1 else ""
    if "arrays" not in place:
        return f"From an equal start, one run ends before step {step}{of_model}, the other goes on."
    differing = [row for row in place["arrays"] if row["largest_difference"]]
    text = f"From an equal start, the runs part in step {step}{of_model}"
    if not differing:
        return f"{text}, in arrays that they do not share."
    parts = [row["part"] for row in place["arrays"]]
    text += f", first {describe_row(differing[0], {*parts[: parts.index(differing[0]['part'])]})}."
    beyond = [row for row in differing if row["beyond"] > BEYOND]
    if beyond and beyond[0] is not differing[0]:
        text += f" More than rounding differs first {describe_row(beyond[0])}."
    if place["not_looked"]:
        unseen = "Layers" if "gradient" in parts else "Layers and gradients"
        text += f" {unseen} of this step could not be seen ({place['not_looked']})."
    return text


def describe_row(row: dict, equal: set[str] | None = None) -> str:
    """Return a phrase on an array that differs within a step; `equal` are parts that do not."""
    before = {
        "loss": ("output", ", where all layers put out the same"),
        "gradient": ("loss", ", where the loss is equal"),
        "optimizer state": ("gradient", ", where all gradients are equal"),
        "update": ("gradient", ", where all gradients are equal"),
    }.get(row["part"], ("", ""))
    if row["part"] == "update" and "optimizer state" in (equal or ()):
        before = ("gradient", ", where all gradients and the optimizer's state are equal")
    where = {
        "output": "in the output of the layer {}",
        "loss": "in the loss",
        "gradient": "in the gradient of {}",
        "optimizer state": "in the optimizer's state, {}",
        "update": "in the update of {}",
        "moving statistics": "in the moving statistics, {}",
    }[row["part"]].format(row["array"])
    where += before[1] if before[0] in (equal or ()) else ""
    return (
        f"{where}: {row['ulp']:.3g} units in the last place, relative {row['relative']:.2g}, "
        f"{row['beyond']:.2g} times what rounding does in this step"
    )


def advice(row: dict, verdict: dict, runs: Runs) -> list[str]:
    """Return what makes the runs agree, which has been tried in a rung of the ladder."""
    if row["cause"] == Cause.CHANGED_DEFAULT:
        name = row["label"].removeprefix(f"{Cause.CHANGED_DEFAULT} ")
        cause = next(c for c in settings(runs.one("first/as_is"), runs.one("second/as_is"))
                     if f"{c['class']}.{c['key']}" == name)  # fmt: skip
        old = cause["first"]
        old = brief(old) if isinstance(old, float) else repr(old)
        words = f"{cause['class']}(…, {cause['key']}={old})"
        said = f"What to do, tried here: write {words} in the second script."
        left = [
            part for part in verdict["rows"] if part["named"] and part["cause"] == Cause.COMPUTATION
        ]
        if left:
            said += f" This leaves {left[0]['contribution']:+.3g}, which is computed differently."
        return [said]
    return {
        Cause.INITIAL_DRAWS: [
            "What to do, tried here: start both from the same weights; those of the first run are "
            "initial/… in runs/first/as_is-1.npz."
        ],
        Cause.DATA: ["What to do, tried here: hand both models the first script's data."],
        Cause.DRAWS_DURING_TRAINING: [
            "What to do, tried here: shuffle=False, and no dropout or noise, in both scripts."
        ],
    }.get(row["cause"], [])


def list_runs(runs: Runs) -> list[dict]:
    """Return one row for each run: side, run, repeat, its number, its error."""
    rows = []
    for name, records in runs.records.items():
        for repeat, record in enumerate(records, 1):
            found = None if record["error"] else find_number(record, runs.metric)
            side, run = name.split("/")
            rows.append({"side": side, "run": run, "repeat": repeat, "error": record["error"]})
            rows[-1]["value"] = found and found["values"][-1]
    return rows


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


def curve(record: Record) -> list[float]:
    """Return the training loss of each step, of the model that is trained last."""
    losses = [entry["losses"] for entry in record["models"] if entry["losses"]]
    return [loss for loss in losses[-1] if loss is not None] if losses else []


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
