"""Which causes two recorded runs may have, and which runs take them away, one after the other.

    python -s workflow diagnose.ladder --first RECORD... --second RECORD... --ladder LADDER
    python -s workflow diagnose.ladder --releases RECORD... --places NUMBER... --ladder STATE

`second − first` of one number is taken apart. A rung takes a cause away from the second run. Draws
during training are the first run's where its generators' states can be given to the second;
otherwise they are switched off in both. There are two orders, first to last and last to first.
"""

import argparse
import difflib
import itertools
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy

from diagnose.calls import EVALUATING, TRAINING
from diagnose.configured import DROPS, NOISE
from diagnose.loops import LOOP
from diagnose.steps import match

Record = dict[str, Any]
Cause = str | list

# What says nothing of how a layer or an optimizer computes, unless a script writes it; and never.
NO_DEFAULTS = {"dtype", "batch_input_shape", "implementation", "jit_compile"}
NO_SETTINGS = {"name", "layers", "inputs", "outputs", "layer", "cell", "cells"}
ABSENT, UNWRITTEN = "no such argument", "not written"
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|inf)(?![\w.])")
SINGLE_PRECISION = 1e-6  # configured numbers that are this close, relative, are the same number
RACES = ("2.2.", "2.3.")  # standalone keras whose updates have no order, not always visibly
REPEATS = 2  # of each script as it is, to see whether it repeats
# Where a script does not, or may not, repeat itself: of each script as it is, and of each rung.
DISTRIBUTION, RUNG_REPEATS = 5, 3
NEGLIGIBLE = 1e-5  # of the number: what is smaller is not worth a verdict of its own
START = "{}/as_is-1"  # the run that weights and data are taken from


def read(path: str | Path) -> Any:
    """Return the content of a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def read_record(path: str | Path) -> Record:
    """Return the record of a run, in which a model that goes on with another's weights is the same.

    `parts` of a model are [number in the run, steps].
    """
    record = read(path)
    known: list[dict] = []
    models = []
    for number, entry in enumerate(record["models"]):
        origin = entry.get("continues")
        whole = {**entry, "parts": []} if origin is None else known[origin]
        if origin is None:
            models.append(whole)
        else:
            for key in ("hashes", "losses", "states"):
                whole[key] = whole[key] + entry[key]
            whole |= {key: entry[key] for key in ("kept_final",) if key in entry}
        whole["parts"].append([number, len(entry["hashes"])])
        known.append(whole)
    return record | {"models": models}


def locate_step(entry: dict, step: int) -> list[int]:
    """Return [number of the model in its run, step of this model] of a step of a model."""
    for number, steps in entry["parts"]:
        if step <= steps:
            return [number, step]
        step -= steps
    raise ValueError(step)


# --- which number is compared ------------------------------------------------------------------


def evaluated(record: Record) -> list[dict]:
    """Return what the framework reported of evaluations, in the order of time."""
    return [
        number
        for number in record["numbers"]
        if number["name"].startswith("val_") or number["method"] in EVALUATING
    ]


def bare(name: str) -> str:
    """Return the name of a metric without what says that it is of validation."""
    return name.removeprefix("val_")


def find_number(record: Record, metric: str) -> dict | None:
    """Return the last report of a metric, of an evaluation if there is one; or None.

    `printed` is the last number printed, `training loss` the loss of the last step.
    """
    if metric == "printed":
        found = NUMBER.findall(record["printed"])
        if not found:
            return None
        # What is printed without a model's evaluation after its last step is of the training.
        last = record["calls"][-1] if record["calls"] else {"method": LOOP}
        number = {"name": metric, "values": [float(found[-1])], "method": metric}
        if last["method"] in TRAINING:
            return number | {"state": None, "through": "training"}
        more = {"state": last.get("state"), "through": last["method"], "result": last.get("result")}
        return number | more
    if metric == "training loss":
        losses = [entry["losses"] for entry in record["models"] if entry["losses"]]
        if not losses or losses[-1][-1] is None:
            return None
        return {"name": metric, "values": losses[-1], "method": metric}
    names = {metric} if metric.startswith("val_") else {metric, f"val_{metric}"}
    for numbers in (evaluated(record), record["numbers"]):
        found = [number for number in numbers if number["name"] in names]
        if found:
            return found[-1]
    return None


def reported(record: Record, metric: str) -> dict:
    """Return the report of a run whose last number is compared.

    Raises:
        KeyError: the run does not report it; the message is a clause.
    """
    found = find_number(record, metric)
    if found is None:
        known = sorted({number["name"] for number in record["numbers"]})
        raise KeyError(f"no metric {metric!r} is reported, but {', '.join(known) or 'none'}")
    return found


def value(record: Record, metric: str) -> float:
    """Return the number of a run that is compared; KeyError as in `reported`."""
    return reported(record, metric)["values"][-1]


def choose_metric(first: Record, second: Record, repeats: bool = True) -> str:
    """Return the metric of a pair whose user names none.

    The last loss that both evaluated; if it is equal, another metric of evaluations that is not, or
    the last number printed. Where one of the two evaluates nothing: the last number printed, or the
    last loss of training.

    Args:
        first, second: the records of both.
        repeats: false if what is printed differs from run to run, as a time does.
    """
    both_print = all(find_number(run, "printed") for run in (first, second))
    if all(any(bare(n["name"]) == "loss" for n in evaluated(run)) for run in (first, second)):
        if value(first, "loss") == value(second, "loss"):
            names = [{bare(n["name"]) for n in evaluated(run)} for run in (first, second)]
            for name in sorted(names[0] & names[1]):
                if value(first, name) != value(second, name):
                    return name
            if both_print and repeats and value(first, "printed") != value(second, "printed"):
                return "printed"
        return "loss"
    if both_print:
        return "printed"
    return "training loss"


# --- what may differ -----------------------------------------------------------------------------


def trained_models(record: Record) -> list[dict]:
    """Return the models of a run that are trained."""
    return [entry for entry in record["models"] if entry["hashes"]]


def trajectory(record: Record) -> list[list[list[str]]]:
    """Return the hashes of all arrays after every step, model by model."""
    return [entry["hashes"] for entry in trained_models(record)]


def initial_weights(record: Record) -> list[list[str]]:
    """Return the hashes of all initial arrays of the models that are trained."""
    return [entry["initial"] for entry in trained_models(record)]


def unequal(one: Any, other: Any) -> bool:
    """Say whether two configured values differ, by more than single precision if numbers."""
    numbers = all(isinstance(part, int | float) and part is not True for part in (one, other))
    if numbers and not isinstance(one, bool) and not isinstance(other, bool):
        return abs(one - other) > SINGLE_PRECISION * max(abs(one), abs(other))
    return one != other


def settings(first: Record, second: Record) -> list[dict]:
    """Return how configurations differ: class, its kind, key, value in each run, who writes it.

    Layers, losses and optimizers are paired in the order in which they are made, by their class.
    Who writes a key is `first`, `second`, `both` or nobody, "".
    """
    names, others = ([made["class"] for made in run["made"]] for run in (first, second))
    found: list[dict] = []
    matcher = difflib.SequenceMatcher(None, names, others, autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        pairs = list(zip(first["made"][i:j], second["made"][k:m], strict=False))
        if tag != "equal":
            pairs = [(made, None) for made in first["made"][i:j]]
            pairs += [(None, made) for made in second["made"][k:m]]
        for one, other in pairs:
            entry = {key: (one or other)[key] for key in ("class", "kind")}
            if one is None or other is None:
                sides = (("first", one), ("second", other))
                seen = {side: "made" if made else "not made" for side, made in sides}
                found.append(entry | {"key": None, **seen, "written": "both"})
                continue
            keys = {*one["config"], *other["config"], *one["written"], *other["written"]}
            for key in sorted(keys - NO_SETTINGS):
                if (values := differing(one, other, key)) and entry | values not in found:
                    found.append(entry | values)
    return found


def differing(one: dict, other: dict, key: str) -> dict | None:
    """Return what two layers, losses or optimizers have under a key, or None if it is the same."""
    sides = (("first", one), ("second", other))
    writers = [side for side, made in sides if key in made["written"]]
    missing = UNWRITTEN if writers else ABSENT
    old, new = (made["config"].get(key, made["written"].get(key, missing)) for made in (one, other))
    if len(writers) == 2 and one["written"][key] == other["written"][key]:
        return None  # what a release makes of it may have another form
    unused = not old or not new or one["line"] is None
    if missing in (old, new) and (unused or switched_off(one, key) or switched_off(other, key)):
        return None  # an argument of one release alone that is not in use
    if isinstance(old, dict | list) or isinstance(new, dict | list) or key in NO_DEFAULTS:
        if not writers:
            return None  # initializers and policies have another form in each release
        old, new = describe_object(old), describe_object(new)
    written = "both" if len(writers) == 2 else "".join(writers)
    found = {"key": key, "first": old, "second": new, "written": written}
    return found if unequal(old, new) else None


def switched_off(made: dict, key: str) -> bool:
    """Say whether a key belongs to what is not in use: `ema_momentum` without `use_ema`."""
    word = key.split("_")[0]
    return made["config"].get(f"use_{word}", made["config"].get(word)) is False


def describe_object(value: Any) -> str:
    """Return the configuration of an initializer or a penalty as text, without its dtype."""
    if not isinstance(value, dict):
        return brief(value)
    config = value.get("config", {})
    words = [f"{key}={brief(config[key])}" for key in sorted(set(config) - {"dtype", "name"})]
    return f"{value.get('class_name')}({', '.join(words)})"


def brief(value: object) -> str:
    """Return a configured value as a person would write it: a number as short as it can be."""
    if isinstance(value, list):
        return f"[{', '.join(map(brief, value))}]"
    if not isinstance(value, float):
        return str(value)
    with numpy.errstate(over="ignore"):
        single = str(numpy.float32(value))
    close = abs(value - float(single)) <= SINGLE_PRECISION * abs(value)
    return min(repr(value), single, key=len) if close else repr(value)


def changed_defaults(first: Record, second: Record) -> list[list]:
    """Return [class, key, value in the first run] of every default that differs."""
    return [
        [entry["class"], entry["key"], entry["first"]]
        for entry in settings(first, second)
        if not entry["written"]
        and entry["key"] != "trainable"
        and ABSENT not in (entry["first"], entry["second"])
    ]


def training_calls(record: Record) -> list[dict]:
    """Return the calls that train a model, in the order of time."""
    return [call for call in record["calls"] if call["method"] in TRAINING]


def data_of(record: Record) -> list[str | None]:
    """Return the distinct data that a run trains on, in order; None for what cannot be seen."""
    hashes = [call["data"] and call["data"]["hash"] for call in training_calls(record)]
    return list(dict.fromkeys(hashes))


def same_batches(first: Record, second: Record) -> bool:
    """Say whether runs train on the same batches in the steps that both make."""
    calls = [training_calls(run) for run in (first, second)]
    pairs = list(zip(*calls, strict=False))
    known = pairs and len(calls[0]) == len(calls[1])
    return bool(known) and all(
        one.get("batches") and other.get("batches") and first_other_batch(one, other) is None
        and one.get("class_weight") == other.get("class_weight")
        for one, other in pairs
    )  # fmt: skip


def parted_before_data(first: Record, second: Record) -> bool:
    """Say whether runs that start equally have other weights before they are given other data."""
    parted = initial_weights(first) != initial_weights(second)
    if parted:
        return False
    for one, other in zip(training_calls(first), training_calls(second), strict=False):
        if (one["data"] or {}).get("hash") != (other["data"] or {}).get("hash"):
            return parted
        parted = parted or one.get("state") != other.get("state")
    return False


def how_data_differ(first: Record, second: Record) -> str:
    """Return what differs of the training data, as far as it can be seen."""
    for one, other in zip(training_calls(first), training_calls(second), strict=False):
        if one.get("each") and other.get("each") and one["data"] != other["data"]:
            for kind in ("shapes", "dtypes"):
                # The last one is of the class weights, as text. Batches have none.
                parts = [call["data"].get(kind, [])[:-1] for call in (one, other)]
                if parts[0] != parts[1]:
                    return f"{kind} {parts[0]} and {parts[1]}"
            differing = [key for key in one["each"] if one["each"][key] != other["each"][key]]
            words = ", ".join(key for key in differing if key != "rows")
            if one["each"]["rows"] and not {"rows", "class_weight"} & set(differing):
                words = "the same rows in another order"
            batch = first_other_batch(one, other)
            return words + (f", from batch {batch} on" if batch else "")
    return ""


def first_other_batch(one: dict, other: dict) -> int | None:
    """Return the number of the first batch that differs between two calls that hand out batches."""
    pairs = enumerate(zip(one.get("batches", []), other.get("batches", []), strict=False), 1)
    return next((place for place, (left, right) in pairs if left != right), None)


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
            return (
                f"in line {one['line']} the first script trains on data that differ from those of "
                f"the other{where}, and that are too large to be exchanged"
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


def noise_of(record: Record) -> list[tuple]:
    """Return class and rates of the layers of a run that drop or add noise."""
    rates = ("rate", "stddev", *DROPS)
    found = [
        (made["class"], *(made["config"].get(key) for key in rates))
        for made in record["made"]
        if NOISE.search(made["class"]) or any(made["config"].get(key) for key in DROPS)
    ]
    return [layer for layer in found if any(layer[1:])]


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


def possible_causes(first: Record, second: Record) -> tuple[list[Cause], list[str]]:
    """Return what differs, or may, in the order of the ladder; and what cannot be taken away."""
    causes: list[Cause] = []
    blocked: list[str] = []
    if trajectory(first) == trajectory(second):
        return causes, blocked
    models = [len(trajectory(run)) for run in (first, second)]
    if models[0] != models[1]:
        words = [f"{number} model{'s' * (number > 1)}" for number in models]
        blocked.append(f"the first script trains {words[0]}, the second {words[1]}")
    data = [data_of(run) for run in (first, second)]
    if None in data[0] + data[1]:
        blocked.append("training data cannot be seen, and so not be exchanged")
    elif same_batches(first, second) or parted_before_data(first, second):
        pass  # one run goes on, or the scripts make other data of what the models have become
    elif data[0] != data[1] and replaceable(first, second):
        causes.append("data")
    elif data[0] != data[1]:
        blocked.append(why_not_exchanged(first, second))
    if initial_weights(first) != initial_weights(second):
        causes.append("weights")
    causes += changed_defaults(first, second)
    if (may_draw(first) or may_draw(second)) and not draw_equally(first, second):
        causes.append("draws")
    return causes, blocked


# --- the runs that are needed ------------------------------------------------------------------


def name_of(causes: list[Cause], subset: list[int]) -> str:
    """Return the name of the run without these causes."""
    words = [cause if isinstance(cause, str) else "-".join(cause[:2]) for cause in causes]
    return "same_" + "+".join(words[place] for place in subset) if subset else "as_is"


def orders(causes: list[Cause]) -> dict[str, list[list[int]]]:
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


def plan_rungs(causes: list[Cause], repeats: int, again: int, pin: bool) -> dict[str, dict]:
    """Return {name: plan} of the repeats and of all rungs; donors are named `side/run`."""
    runs: dict[str, dict] = {}
    for side in ("first", "second"):
        runs |= {f"{side}/as_is-{number}": {} for number in range(1, repeats + 1)}
    for subset in [subset for order in orders(causes).values() for subset in order]:
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
        runs |= {f"{name}-{number}": plan for number in range(1, again + 1)}
        runs[f"{name}-1"] = plan | {"keep": True}
    if "draws" in causes and not pin:
        plan = {"start": START.format("first"), "draws": True}
        runs |= {f"first/same_draws-{number}": plan for number in range(1, again + 1)}
    return runs


def plan_swaps(
    first: Record, second: Record, causes: list[Cause], metric: str, only_last: bool
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
    swap = {"steps": last[0], "theirs": [number for number, _ in last[1]]}
    rungs = [name_of(causes, subset) for subset in orders(causes)["backward"]]
    rungs = rungs[-1:] if only_last else rungs
    return {f"first/final_of_{rung}-1": {"final": f"second/{rung}-1", **swap} for rung in rungs}


def repeats_differ(records: list[Record]) -> bool:
    """Say whether repeats of one script differ in any bit of a weight or of a reported number."""
    seen = [(trajectory(run), initial_weights(run), run["numbers"]) for run in records]
    return any(one != seen[0] for one in seen)


def plan_ladder(
    firsts: list[Record], seconds: list[Record], metric: str, repeats: int = 0
) -> dict[str, Any]:
    """Return what the rest of the workflow needs to know of a pair, from repeats of both."""
    ladder: dict[str, Any] = {"undecided": None, "causes": [], "blocked": [], "runs": {}}
    ladder |= {"locked": False, "metric": metric, "pin": False}
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
    locked = bool(first["writes"] or second["writes"])  # runs take turns in the script's folder
    pin = can_be_pinned(first, second)
    repeats = repeats or (DISTRIBUTION if racing else REPEATS)
    runs = take_turns(plan_rungs(causes, repeats, RUNG_REPEATS if racing else 1, pin), locked)
    found = {"causes": causes, "blocked": blocked, "locked": locked, "pin": pin, "runs": runs}
    return ladder | found


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


def take_turns(runs: dict[str, dict], locked: bool) -> dict[str, dict]:
    """Return plans in which no two runs run at the same time, if they must not."""
    return {name: plan | {"lock": True} for name, plan in runs.items()} if locked else runs


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
