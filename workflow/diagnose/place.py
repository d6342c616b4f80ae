"""Where two runs part from an equal start: the step, and what differs in it, array by array."""

from collections import Counter
from collections.abc import Collection
from operator import itemgetter

import numpy

from diagnose.differences import brief
from diagnose.ladder import AGAIN, NEGLIGIBLE, plan_swaps, plan_theirs
from diagnose.records import (
    Record,
    Runs,
    broken,
    data_of,
    first_step,
    locate_step,
    read,
    shared_slots,
    trained_models,
    unequal,
)
from diagnose.rungs import ends, real_causes, rest_of
from diagnose.steps import align, match

Array = numpy.ndarray
# How far beyond the yardstick a difference may lie and still be rounding. The yardstick is what one
# unit in the last place of each weight, or another matrix kernel, does to the same number.
BEYOND = 10


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
        found["runs"] = plan_swaps(*pair, causes, runs.metric, only_last=not agree)
    if agree:
        return found
    if not runs.repeat(first) or not runs.repeat(other):
        return found  # where the runs part is another step in each repeat
    if abs(rest_of(runs, causes)) > NEGLIGIBLE * abs(runs.value(first)):
        found["runs"] |= plan_theirs(*pair, causes, ladder["pin"])
    plans = [dict(ladder["runs"].get(f"{name}-1", {})) for name in (first, other)]
    plans[0].setdefault("start", "first/as_is-1")
    plans[1].setdefault("start", "second/as_is-1")
    plans = [plan | AGAIN for plan in plans]
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
    return found


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

    looked = [
        [
            {"name": name, "class": kind, "place": place}
            for place, (name, kind) in enumerate(part.get("looked", []))
        ]
        for part in (one, other)
    ]
    calls = [Counter(layer["name"] for layer in part) for part in looked]
    # Nobody knows which call of a layer is which where one run has more calls of the layer.
    unclear = {name for name in calls[0] & calls[1] if calls[0][name] != calls[1][name]}
    looked = [[layer for layer in part if layer["name"] not in unclear] for part in looked]
    for left, right in align(looked[0], looked[1], itemgetter("class")):
        layer, other_layer = looked[0][left], looked[1][right]
        name = f"{layer['name']} ({layer['class']})"
        compare("output", name, "forward", layer["place"], other_layer["place"])
    compare("loss", "loss", "loss", 0, 0)
    shared = sorted((mine, theirs) for theirs, mine in match(other["layers"], one["layers"]))
    for mine, theirs in reversed(shared):
        compare("gradient", one["weights"][mine], "gradient", mine, theirs)
    for slot, name in enumerate(shared_slots(one, other)):
        compare("optimizer state", name, "state", slot, slot)
    for part, learnt in (("update", True), ("moving statistics", False)):
        for mine, theirs in shared:
            if (one["trained"][mine] or other["trained"][theirs]) is learnt:
                compare(part, one["weights"][mine], "final", mine, theirs)
    rates = [one.get("rate"), other.get("rate")]
    outputs = sum(row["part"] == "output" for row in rows)
    whole = {*map(len, looked)} == {outputs} and len(shared) == len(one["weights"])
    unseen = one.get("not_looked") or other.get("not_looked")
    return {
        "arrays": rows,
        "not_looked": unseen,
        "rates": rates if None not in rates and unequal(*rates) else None,
        "whole": whole and not unseen,
    }


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


def parted_in(verdict: dict) -> str | None:
    """Return the part of a step in which more than rounding differs first, or None."""
    rows = (verdict["place"] or {}).get("arrays", [])
    return next((row["part"] for row in rows if row["beyond"] > BEYOND), None)


def rates_in(verdict: dict) -> list[str]:
    """Return how the learning rates of the first step that differs do, as a callback makes them."""
    place = verdict["place"] or {}
    rates = [brief(rate) for rate in place.get("rates") or []]
    return [f"learning rate in step {place['step'][1]}: {' → '.join(rates)}"] if rates else []


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
    which = "all" if place["whole"] else "all shared"
    equal = {*parts[: parts.index(differing[0]["part"])]}
    text += f", first {describe_row(differing[0], equal, which)}."
    beyond = [row for row in differing if row["beyond"] > BEYOND]
    if beyond and beyond[0] is not differing[0]:
        text += f" More than rounding differs first {describe_row(beyond[0])}."
    if place["not_looked"]:
        unseen = "Layers" if "gradient" in parts else "Layers and gradients"
        text += f" {unseen} of this step could not be seen ({place['not_looked']})."
    return text


def describe_row(row: dict, equal: Collection[str] = (), which: str = "all") -> str:
    """Return a phrase on an array that differs within a step.

    Args:
        row: of the array.
        equal: parts of the step in which nothing differs.
        which: what is compared of layers and gradients, all or all shared.
    """
    same = f"{which} gradients"
    if row["part"] == "update" and "optimizer state" in equal:
        same += " and the optimizer's state"
    before, words = {
        "loss": ("output", f"{which} layers put out the same"),
        "gradient": ("loss", "the loss is equal"),
        "optimizer state": ("gradient", f"{same} are equal"),
        "update": ("gradient", f"{same} are equal"),
    }.get(row["part"], ("", ""))
    where = {
        "output": "in the output of the layer {}",
        "loss": "in the loss",
        "gradient": "in the gradient of {}",
        "optimizer state": "in the optimizer's state, {}",
        "update": "in the update of {}",
        "moving statistics": "in the moving statistics, {}",
    }[row["part"]].format(row["array"])
    where += f", where {words}" if before in equal else ""
    units = f"{row['ulp']:.3g} unit{'s' * (row['ulp'] != 1)}"
    return (
        f"{where}: {units} in the last place, relative {row['relative']:.2g}, "
        f"{row['beyond']:.2g} times what rounding does in this step"
    )
