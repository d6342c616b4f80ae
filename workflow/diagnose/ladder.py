"""Which causes two recorded runs may have, and which runs take them away, one after the other.

    python -s workflow diagnose.ladder --first RECORD... --second RECORD... --ladder LADDER
    python -s workflow diagnose.ladder --releases RECORD... --places NUMBER... --ladder STATE

`second − first` of one number is taken apart. A rung takes a cause away from the second run. Draws
during training are the first run's where its generators' states can be given to the second;
otherwise they are switched off in both. There are two orders, first to last and last to first.
"""

import argparse
import itertools
import json
import math
from pathlib import Path
from typing import Any

from diagnose.differences import (
    ABSENT,
    first_other_batch,
    noise_of,
    parted_before_data,
    same_batches,
    settings,
)
from diagnose.loops import LOOP, PARTLY
from diagnose.records import (
    Record,
    choose_metric,
    data_of,
    find_number,
    locate_step,
    read_record,
    repeats_differ,
    same_start,
    same_steps,
    trained_models,
    training_calls,
    trajectory,
    value,
)
from diagnose.rungs import Rung, name_of, orders, theirs_of
from diagnose.steps import match

RACES = ("2.2.", "2.3.")  # standalone keras whose updates have no order, not always visibly
REPEATS = 2  # of each script as it is, to see whether it repeats
# Where a script does not, or may not, repeat itself: of each script as it is, and of each rung.
DISTRIBUTION, RUNG_REPEATS = 5, 3
NEGLIGIBLE = 1e-5  # of the number: what is smaller is not worth a verdict of its own
START = "{}/as_is-1"  # the run that weights and data are taken from
AGAIN = {"light": True}  # the plan of a run whose steps are not looked at one by one


def changed_defaults(first: Record, second: Record) -> list[list]:
    """Return [class, key, value in the first run] of every default that differs."""
    return [
        [entry["class"], entry["key"], entry["first"]]
        for entry in settings(first, second)
        if not entry["written"]
        and entry["key"] != "trainable"
        and ABSENT not in (entry["first"], entry["second"])
    ]


def replaceable(first: Record, second: Record) -> bool:
    """Say whether the second run can train on the first run's data, call by call."""
    calls = [training_calls(run) for run in (first, second)]
    known = all(call.get("kept") for call in calls[0])
    return known and len(calls[0]) == len(calls[1])


def why_not_exchanged(first: Record, second: Record) -> str:
    """Return a clause on data that differ and cannot be handed to the other run."""
    calls = [training_calls(run) for run in (first, second)]
    if len(calls[0]) != len(calls[1]):
        return "the runs are trained in different calls, so their data cannot be exchanged"
    for one, other in zip(*calls, strict=True):
        if not one.get("kept") and one["data"] != other["data"]:
            batch = first_other_batch(one, other)
            where = f" (batch {batch} is the first)" if batch else ""
            hindrance = "in its own loop cannot" if one["method"] == LOOP else "are too large to"
            return (
                f"in line {one['line']} the first script trains on data that differ from those of "
                f"the other{where}, and that {hindrance} be exchanged"
            )
    return "the data of the two runs differ and cannot be exchanged"


def draw_equally(first: Record, second: Record) -> bool:
    """Say whether two runs of one release draw from equal states in all training calls."""
    runs = (first, second)
    states = [[call["draws"] for call in training_calls(run)] for run in runs]
    known = all(state["operations"] for part in states for state in part)
    same = first["packages"] == second["packages"] and noise_of(first) == noise_of(second)
    # A loop of one's own may call a model with its noise, or without.
    own = any(call["method"] == LOOP for run in runs for call in training_calls(run))
    same = same and not (own and noise_of(first))
    return known and states[0] == states[1] and same and shuffles(first) == shuffles(second)


def may_draw(record: Record) -> bool:
    """Say whether a run shuffles rows, drops or adds noise."""
    return bool(noise_of(record)) or any(call.get("shuffle") for call in record["calls"])


def can_be_pinned(first: Record, second: Record) -> bool:
    """Say whether equal states of the generators make both runs draw the same during training.

    They do for the order of rows in one release, not for seeds that a layer's operations have.
    """
    noisy = noise_of(first) or noise_of(second)
    same = first["packages"] == second["packages"] and shuffles(first) == shuffles(second)
    return same and not noisy


def shuffles(record: Record) -> list[tuple]:
    """Return method, and whether it shuffles rows, of each training call."""
    return [(call["method"], call.get("shuffle")) for call in training_calls(record)]


def possible_causes(first: Record, second: Record) -> tuple[list[Rung], list[str]]:
    """Return what differs, or may, in the order of the ladder; and what cannot be taken away."""
    causes: list[Rung] = []
    blocked: list[str] = []
    if same_steps(trajectory(first), trajectory(second)):
        return causes, blocked
    models = [len(trajectory(run)) for run in (first, second)]
    if models[0] != models[1]:
        words = [f"{number} model{'s' * (number > 1)}" for number in models]
        blocked.append(f"the first script trains {words[0]}, the second {words[1]}")
    data = [data_of(run) for run in (first, second)]
    partly = [any(PARTLY in said for said in run["unseen"]) for run in (first, second)]
    if None in data[0] + data[1]:
        blocked.append("training data cannot be seen, and so not be exchanged")
    elif same_batches(first, second) or parted_before_data(first, second):
        pass  # one run goes on, or the scripts make other data of what the models have become
    elif data[0] != data[1] and replaceable(first, second):
        causes.append("data")
    elif data[0] != data[1] and partly[0] == partly[1]:  # otherwise one is seen in part only
        blocked.append(why_not_exchanged(first, second))
    if not same_start(first, second):
        causes.append("weights")
    causes += changed_defaults(first, second)
    if (may_draw(first) or may_draw(second)) and not draw_equally(first, second):
        causes.append("draws")
    return causes, blocked


def plan_repeats(repeats: int) -> dict[str, dict]:
    """Return {name: plan} of the runs of both scripts as they are."""
    return {
        f"{side}/as_is-{number}": AGAIN if number > 1 else {}
        for side in ("first", "second")
        for number in range(1, repeats + 1)
    }


def plan_rungs(causes: list[Rung], repeats: int, again: int, pin: bool) -> dict[str, dict]:
    """Return {name: plan} of the repeats and of all rungs; donors are named `side/run`."""
    runs = plan_repeats(repeats)
    ways = orders(causes)
    # Where the runs part is asked of these. Draws that can be pinned are never left out.
    ends = [ways["forward"][-1], *([] if pin else ways["without_draws"][-1:])]
    for subset in [subset for order in ways.values() for subset in order]:
        if not subset:
            continue
        taken = [causes[place] for place in subset]
        plan: dict[str, Any] = {"start": START.format("first" if "weights" in taken else "second")}
        if "data" in taken:
            plan["data"] = START.format("first")
        if "draws" in taken:
            plan |= {"pinned": START.format("first")} if pin else {"draws": True}
        if defaults := [cause for cause in taken if isinstance(cause, list)]:
            plan["defaults"] = defaults
        name = f"second/{name_of(causes, subset)}"
        runs |= {f"{name}-{number}": plan | AGAIN for number in range(1, again + 1)}
        runs[f"{name}-1"] = plan | {"keep": True} | ({} if subset in ends else AGAIN)
    if "draws" in causes and not pin:
        plan = {"start": START.format("first"), "draws": True}
        runs |= {f"first/same_draws-{number}": plan | AGAIN for number in range(1, again + 1)}
        runs["first/same_draws-1"] = plan
    return runs


def plan_swaps(
    first: Record, second: Record, causes: list[Rung], metric: str, only_last: bool
) -> dict[str, dict]:
    """Return the runs of the first script that evaluate the weights of the second's, rung by rung.

    There are none where the models do not share all their weights.
    """
    trained = [trained_models(run) for run in (first, second)]
    whole = len(trained[0]) == len(trained[1]) and all(
        len(match(one["layers"], other["layers"])) == len(one["weights"]) == len(other["weights"])
        for one, other in zip(*trained, strict=True)
    )
    if not whole or metric == "training loss":
        return {}
    last = [[locate_step(entry, len(entry["hashes"])) for entry in part] for part in trained]
    swap = {**AGAIN, "steps": last[0], "theirs": [number for number, _ in last[1]]}
    rungs = [name_of(causes, subset) for subset in orders(causes)["backward"]]
    rungs = rungs[-1:] if only_last else rungs
    return {f"first/final_of_{rung}-1": {"final": f"second/{rung}-1", **swap} for rung in rungs}


def plan_theirs(first: Record, second: Record, causes: list[Rung], pin: bool) -> dict[str, dict]:
    """Return the runs of the first script with causes of the second run, of the first one or more.

    They take the computation away before all other causes. There are none where draws are switched
    off, or where the second run's data cannot be handed to the first script.
    """
    other = replaceable(second, first) or "data" not in causes
    if not other or ("draws" in causes and not pin):
        return {}
    values = {
        (entry["class"], entry["key"]): entry["second"]
        for entry in settings(first, second)
        if not entry["written"]
    }
    runs = {}
    for subset in orders(causes)["forward"][1:]:
        taken = [causes[place] for place in subset]
        plan = {"start": START.format("second" if "weights" in taken else "first"), **AGAIN}
        plan |= {"data": START.format("second")} if "data" in taken else {}
        plan |= {"pinned": START.format("second")} if "draws" in taken else {}
        if defaults := [cause[:2] for cause in taken if isinstance(cause, list)]:
            plan["defaults"] = [[*words, values[tuple(words)]] for words in defaults]
        runs[f"first/{theirs_of(causes, subset)}-1"] = plan
    return runs


def plan_ladder(
    firsts: list[Record], seconds: list[Record], metric: str, repeats: int = 0
) -> dict[str, Any]:
    """Return what the rest of the workflow needs to know of a pair, from repeats of both."""
    ladder: dict[str, Any] = {"undecided": None, "causes": [], "blocked": [], "runs": {}}
    ladder |= {"metric": metric, "pin": False}
    for side, records in (("first", firsts), ("second", seconds)):
        for record in records:
            if record["error"]:
                return ladder | {"undecided": f"in the {side} run, {record['error']}"}
    first, second = firsts[0], seconds[0]
    if metric == "auto":
        last = [[find_number(run, "printed") for run in part] for part in (firsts, seconds)]
        printed = [[number and number["values"] for number in part] for part in last]
        repeats_itself = all(number == part[0] for part in printed for number in part)
        ladder["metric"] = choose_metric(first, second, repeats_itself)
    for side, record in (("first", first), ("second", second)):
        try:
            number = value(record, ladder["metric"])
        except KeyError as error:
            return ladder | {"undecided": f"in the {side} run, {error.args[0]}"}
        if not math.isfinite(number):
            said = describe_divergence(side, record, ladder["metric"], number)
            return ladder | {"undecided": said}
    racing = any(run["packages"].get("keras", "").startswith(RACES) for run in (first, second))
    racing = racing or repeats_differ(firsts) or repeats_differ(seconds)
    causes, blocked = possible_causes(first, second)
    if any(data_of(run) != data_of(part[0]) for part in (firsts, seconds) for run in part):
        causes = []  # nothing can be measured against data that differ from run to run
    for side, record in (("first", first), ("second", second)):
        blocked += [f"{sentence} (the {side} run)" for sentence in record["unseen"]]
    pin = can_be_pinned(first, second)
    repeats = repeats or (DISTRIBUTION if racing else REPEATS)
    runs = plan_rungs(causes, repeats, RUNG_REPEATS if racing else 1, pin)
    return ladder | {"causes": causes, "blocked": blocked, "pin": pin, "runs": runs}


def narrow(known: dict[int, Record], metric: str) -> dict[str, Any]:
    """Return between which of several releases a number changes, by bisection.

    Args:
        known: the runs there are by now, by the place of their release; the ends are among them.
        metric: what is compared, or `auto`.

    Returns `changes`, pairs of releases that are known to lie around a change, with none in between
    that can be told, `next`, the release to be tried, or None, and `values`, None for a run that
    has no number. Releases whose numbers differ are taken apart further; a number that changes and
    changes back between two of them is not seen.
    """
    ends = known[0], known[max(known)]
    if metric == "auto" and not any(run["error"] for run in ends):
        metric = choose_metric(*ends)
    values: dict[int, float | None] = {}
    for place, record in sorted(known.items()):
        number = None if record["error"] else find_number(record, metric)
        values[place] = number["values"][-1] if number else None
    found: dict[str, Any] = {"changes": [], "next": None, "values": values}
    if None in (values[0], values[max(known)]):
        return found
    told = {place: number for place, number in values.items() if number is not None}
    for (low, old), (high, new) in itertools.pairwise(told.items()):
        untried = [place for place in range(low + 1, high) if place not in known]
        if abs(new - old) <= NEGLIGIBLE * max(abs(old), abs(new)):
            continue
        if untried:
            return found | {"next": untried[len(untried) // 2]}
        found["changes"].append([low, high])
    return found


def describe_divergence(side: str, record: Record, metric: str, number: float) -> str:
    """Return a clause on a number that is none."""
    for entry in record["models"]:
        for step, loss in enumerate(entry["losses"], 1):
            if loss is not None and not math.isfinite(loss):
                where = f"the {side} run, whose loss is {loss} from step {step} on"
                return f"{metric} is {number} in {where}"
    return f"{metric} is {number} in the {side} run"


def main() -> None:
    """Compare the two records and write the ladder, or narrow down the release."""
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("--first", "--second", "--releases"):
        parser.add_argument(option, type=Path, nargs="+")
    parser.add_argument("--places", type=int, nargs="+", help="of --releases, among all of them")
    parser.add_argument("--ladder", type=Path, required=True)
    parser.add_argument("--metric", default="auto")
    parser.add_argument("--repeats", type=int, default=0)
    options = parser.parse_args()
    if options.releases:
        known = dict(zip(options.places, map(read_record, options.releases), strict=True))
        text = json.dumps(narrow(known, options.metric))
        options.ladder.write_text(text + "\n", encoding="utf-8")
        return
    first, second = (
        [read_record(path) for path in part] for part in (options.first, options.second)
    )
    ladder = plan_ladder(first, second, options.metric, options.repeats)
    options.ladder.write_text(json.dumps(ladder, indent=1) + "\n", encoding="utf-8")
