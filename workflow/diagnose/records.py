"""Records of runs: what one run holds, its number, and the runs of a pair side by side."""

import itertools
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diagnose.calls import EVALUATING, TRAINING
from diagnose.loops import LOOP
from diagnose.steps import match

Record = dict[str, Any]
SINGLE_PRECISION = 1e-6  # numbers that are this close, relative, are the same number
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|inf)(?![\w.])")


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


def trained_models(record: Record) -> list[dict]:
    """Return the models of a run that are trained."""
    return [entry for entry in record["models"] if entry["hashes"]]


def trajectory(record: Record) -> list[list[list[str]]]:
    """Return the hashes of all arrays after every step, model by model."""
    return [entry["hashes"] for entry in trained_models(record)]


def same_steps(one: list, other: list) -> bool:
    """Say whether trajectories are equal in all steps that both runs have noted."""
    return [len(steps) for steps in one] == [len(steps) for steps in other] and all(
        None in pair or pair[0] == pair[1]
        for steps in zip(one, other, strict=True)
        for pair in zip(*steps, strict=True)
    )


def initial_weights(record: Record) -> list[list[str]]:
    """Return the hashes of all initial arrays of the models that are trained."""
    return [entry["initial"] for entry in trained_models(record)]


def same_start(one: Record, other: Record) -> bool:
    """Say whether all models of two runs start from equal weights, layer by layer."""
    if initial_weights(one) != initial_weights(other):
        return False
    models = zip(trained_models(one), trained_models(other), strict=True)
    return all(
        mine["initial"][here] == theirs["initial"][there]
        for mine, theirs in models
        for here, there in match(mine["layers"], theirs["layers"])
    )


def training_calls(record: Record) -> list[dict]:
    """Return the calls that train a model, in the order of time."""
    return [call for call in record["calls"] if call["method"] in TRAINING]


def data_of(record: Record) -> list[str | None]:
    """Return the distinct data that a run trains on, in order; None for what cannot be seen."""
    hashes = [call["data"] and call["data"]["hash"] for call in training_calls(record)]
    return list(dict.fromkeys(hashes))


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
        last: dict = record["calls"][-1] if record["calls"] else {"method": LOOP}
        number = {"name": metric, "values": [float(found[-1])], "method": metric}
        if last["method"] in TRAINING:
            return number | {"state": None, "through": "training"}
        more = {"state": last.get("state"), "through": last["method"], "result": last.get("result")}
        rows = last["data"] or {}
        more |= {"data": rows.get("hash"), "each": rows.get("each")}
        return number | more | {"batch_size": last["settings"].get("batch_size")}
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


def unequal(one: Any, other: Any) -> bool:
    """Say whether two values differ, by more than single precision if they are numbers."""
    numbers = all(isinstance(part, int | float) for part in (one, other))
    if one == other or not numbers or isinstance(one, bool) or isinstance(other, bool):
        return one != other
    return not abs(one - other) <= SINGLE_PRECISION * max(abs(one), abs(other))


def choose_metric(first: Record, second: Record, repeats: bool = True) -> str:
    """Return the metric of a pair whose user names none.

    The last loss that both evaluated; if it is equal, another metric of evaluations that is not, or
    the last number printed. Where one of the two evaluates nothing: the last number printed, if it
    repeats itself and differs, or else the last loss of training, if this differs.

    Args:
        first, second: the records of both.
        repeats: false if what is printed differs from run to run, as a time does.
    """
    pair = (first, second)
    printed = [find_number(run, "printed") for run in pair]
    ends = [number["values"][-1] for number in printed if number]
    print_differs = repeats and None not in printed and unequal(*ends)
    if all(any(bare(n["name"]) == "loss" for n in evaluated(run)) for run in pair):
        if unequal(value(first, "loss"), value(second, "loss")):
            return "loss"
        names = [{bare(n["name"]) for n in evaluated(run)} for run in pair]
        for name in sorted(names[0] & names[1]):
            if unequal(value(first, name), value(second, name)):
                return name
        return "printed" if print_differs else "loss"
    trained = [find_number(run, "training loss") for run in pair]
    losses = [number["values"][-1] for number in trained if number]
    by_training = len(losses) == 2 and not print_differs and (unequal(*losses) or not repeats)
    return "training loss" if None in printed or by_training else "printed"


def repeats_differ(records: list[Record]) -> bool:
    """Say whether repeats of one script differ in any bit of a weight or of a reported number."""
    seen = [(initial_weights(run), run["numbers"]) for run in records]
    paths = [trajectory(run) for run in records]
    return any(
        one != seen[0] or not same_steps(path, paths[0])
        for one, path in zip(seen, paths, strict=True)
    )


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
        pairs = itertools.product(self.records[one], self.records[other])
        return any(same_steps(*shared_hashes(*pair)) for pair in pairs)


def shared_hashes(one: Record, other: Record) -> tuple[list, list]:
    """Return the hashes of the steps of two runs, of the arrays that both have, in one order.

    Where neither model's arrays are all shared, or other models are trained, of all arrays.
    """
    found: tuple[list, list] = [], []
    trained = [trained_models(run) for run in (one, other)]
    if len(trained[0]) != len(trained[1]):
        return trajectory(one), trajectory(other)
    for models in zip(*trained, strict=True):
        pairs = match(*(entry["layers"] for entry in models))
        if len(pairs) < min(len(entry["weights"]) for entry in models):
            return trajectory(one), trajectory(other)
        for side, entry in enumerate(models):
            shared = [step and [step[pair[side]] for pair in pairs] for step in entry["hashes"]]
            found[side].append(shared)
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
    paths = shared_hashes(one, other)
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


OPTIONAL = ("first/ulp", "first/portable", "first/final_of", "first/with_")  # not on the ladder


def broken(runs: Runs) -> str | None:
    """Return a clause on a run that the verdict needs and that has failed, or None."""
    for name, records in runs.records.items():
        if name.startswith(OPTIONAL) or "/probe" in name:
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


def curve(record: Record) -> list[float]:
    """Return the training loss of each step, of the model that is trained last."""
    losses = [entry["losses"] for entry in record["models"] if entry["losses"]]
    return [loss for loss in losses[-1] if loss is not None] if losses else []
