"""The rungs of a ladder: their names and orders, and what is gained on each of them."""

import itertools
import math

from judge.causes import Cause, NoCause

from diagnose.calls import TRAINING
from diagnose.records import Record, Runs, find_number, training_calls

Rung = str | list  # what it takes away: a kind of cause, or a default [class, key, value]
CHANCE = 20  # once in so many times, sets of numbers may lie apart though all are drawn alike
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


def name_of(causes: list[Rung], subset: list[int]) -> str:
    """Return the name of the run without these causes."""
    words = [cause if isinstance(cause, str) else "-".join(cause[:2]) for cause in causes]
    return "same_" + "+".join(words[place] for place in subset) if subset else "as_is"


def theirs_of(causes: list[Rung], subset: list[int]) -> str:
    """Return the name of the first script's run with these causes of the second run."""
    return name_of(causes, subset).replace("same_", "with_", 1)


def label(cause: str | list) -> str:
    """Return the name of a row."""
    if isinstance(cause, str):
        return LABELS[cause]
    return f"{Cause.CHANGED_DEFAULT} {cause[0]}.{cause[1]}"


def orders(causes: list[Rung]) -> dict[str, list[list[int]]]:
    """Return which causes are taken away together, rung by rung, in both orders.

    Draws may turn out to be no cause; the backward order is there without them as well.
    """
    everything = list(range(len(causes)))
    others = [place for place in everything if causes[place] != "draws"]
    return {
        "forward": [everything[:size] for size in range(len(causes) + 1)],
        "backward": [everything[size:] for size in reversed(range(len(causes) + 1))],
        "without_draws": [others[size:] for size in reversed(range(len(others) + 1))],
    }


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


def theirs(runs: Runs, causes: list) -> list[float] | None:
    """Return the numbers of the first script with more and more of the second run's causes.

    None where they were not asked for, or a cause could not be handed over.
    """
    names = [f"first/{theirs_of(causes, subset)}" for subset in orders(causes)["forward"][1:]]
    if not causes or not all(name in runs for name in names):
        return None
    if not_done(runs.one(names[-1]), causes):
        return None
    return [runs.value(name) for name in ("first/as_is", *names)]


def not_done(record: Record, causes: list) -> list:
    """Return the causes that a run which had to do without them, or with another's, could not."""
    done = record["done"]
    wanted = {"data": "data", "weights": "initial", "draws": "draws"}
    keys = [
        wanted[cause] if isinstance(cause, str) else f"default {cause[0]}.{cause[1]}"
        for cause in causes
    ]
    pairs = zip(causes, keys, strict=True)
    return [cause for cause, key in pairs if not done.get(key) and cause != "draws"]


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


def lie_apart(one: list[float], other: list[float], *, rounding: float = 0.0) -> bool:
    """Say whether two sets of numbers do not overlap, which chance makes of few sets only.

    If all were drawn alike, one of the two orders would come once in CHANCE times at most. Between
    the sets is more than `rounding`: another release moves each number by a little, too.
    """
    orders = math.comb(len(one) + len(other), len(one)) / 2
    return orders >= CHANCE and max(min(other) - max(one), min(one) - max(other)) > rounding


def rungs_apart(runs: Runs, causes: list, rounding: float) -> list[bool]:
    """Say of each cause whether repeats with and without it lie apart, in one of the orders."""
    found = [False] * len(causes)
    for subsets in (orders(causes)["forward"], orders(causes)["backward"]):
        for fewer, more in itertools.pairwise(subsets):
            (place,) = {*more} - {*fewer}
            names = [f"second/{name_of(causes, subset)}" for subset in (fewer, more)]
            found[place] |= lie_apart(*map(runs.values, names), rounding=rounding)
    return found
