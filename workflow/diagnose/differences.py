"""How two records differ: configurations, data, draws, losses and evaluations, in words."""

import difflib
import re
from typing import Any

import numpy

from diagnose.configured import DROPS, NOISE
from diagnose.records import (
    SINGLE_PRECISION,
    Record,
    same_start,
    trained_models,
    training_calls,
    unequal,
)
from diagnose.steps import match, state_of

# What says nothing of how a layer or an optimizer computes, unless a script writes it; and never.
NO_DEFAULTS = {"dtype", "implementation", "jit_compile"}
NO_SETTINGS = {"name", "layers", "inputs", "outputs", "layer", "cell", "cells"}
NO_SETTINGS |= {"input_dim", "input_shape", "batch_input_shape", "batch_shape"}  # weights tell them
BESIDE = ("callback", "metric")  # kinds of objects that have no part in a step
STARTS = ("_initializer", "weights")  # how keys end that say what a layer starts from
# Functions of keras.losses that have a short name, too.
LOSSES = {
    "mse": "meansquarederror",
    "mae": "meanabsoluteerror",
    "mape": "meanabsolutepercentageerror",
    "msle": "meansquaredlogarithmicerror",
    "kld": "kullbackleiblerdivergence",
    "kldivergence": "kullbackleiblerdivergence",
}
ABSENT, UNWRITTEN = "no such argument", "not written"


def settings(first: Record, second: Record) -> list[dict]:
    """Return how configurations differ: class, its kind, key, value in each run, who writes it.

    Layers are paired in the order in which they stand in the models, losses and optimizers in that
    in which they are made, by their class. Who writes a key is `first`, `second`, `both` or nobody,
    "".
    """
    ours, theirs = as_they_stand(first), as_they_stand(second)
    names, others = ([made["class"] for made in part] for part in (ours, theirs))
    found: list[dict] = []
    matcher = difflib.SequenceMatcher(None, names, others, autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        pairs: list[tuple[Any, Any]] = list(zip(ours[i:j], theirs[k:m], strict=False))
        if tag != "equal":
            pairs = [(made, None) for made in ours[i:j]]
            pairs += [(None, made) for made in theirs[k:m]]
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


def as_they_stand(record: Record) -> list[dict]:
    """Return what a run makes, in this order; layers of models in the order of the models."""
    layers = number([layer["name"] for entry in record["models"] for layer in entry["layers"]])
    places = {layer: place for place, layer in enumerate(layers)}
    names = number([made["config"].get("name") for made in record["made"]])
    known = [place for place, name in enumerate(names) if name in places]
    order = iter(sorted(known, key=lambda place: places[names[place]]))
    made = [next(order) if name in places else place for place, name in enumerate(names)]
    return [record["made"][place] for place in made]


def number(names: list) -> list[tuple]:
    """Return each name with how often it has come by then."""
    return [(name, names[: place + 1].count(name)) for place, name in enumerate(names)]


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


def change_of(entry: dict) -> str:
    """Return an entry of `settings` in words: its class and key, and both values."""
    values = f"{brief(entry['first'])} → {brief(entry['second'])}"
    return f"{entry['class']}.{entry['key']}: {values}"


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
    if not same_start(first, second):
        return False
    parted = False
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


def noise_of(record: Record) -> list[tuple]:
    """Return class, rates and seed of the layers of a run that drop or add noise."""
    rates = ("rate", "stddev", *DROPS, "seed")
    found = [
        (made["class"], *(made["config"].get(key) for key in rates))
        for made in record["made"]
        if NOISE.search(made["class"]) or any(made["config"].get(key) for key in DROPS)
    ]
    return [layer for layer in found if any(layer[1:-1])]


def evaluate_alike(one: dict, other: dict) -> bool:
    """Say whether two numbers were reported on the same rows, in batches of the same size."""
    kinds = [number["method"].replace("_generator", "") for number in (one, other)]
    same = kinds[0] == kinds[1] != "printed" and one["name"] == other["name"]
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
    through = [number.get("through") for number in (one, other)]
    if through[0] != through[1]:  # one is handed labels, too
        return f"{through[0]} against {through[1]}"
    known = one.get("data") and other.get("data")
    parts = [number.get("each") or {} for number in (one, other)]
    sums = [part.get("rows") for part in parts]
    if known and one["data"] != other["data"] and (sums[0] is None or sums[0] != sums[1]):
        differing = [key for key in parts[0] if parts[0][key] != parts[1].get(key)]
        differing = [key for key in differing if key != "rows"]
        return f"with another {differing[0]}" if differing == ["sample_weight"] else "on other rows"
    methods = [number["method"] for number in (one, other)]
    if methods[0] != methods[1]:
        return f"{methods[0]} against {methods[1]}"
    validated = all(number["name"].startswith("val_") for number in (one, other))
    settings = [text for text in call_settings(first, second_run) if text.startswith("validation_")]
    if validated and settings:
        return "; ".join(settings)
    rows = [number.get("batch_size") or 32 for number in (one, other)]  # Keras' default is 32
    if rows[0] != rows[1]:
        return f"batches of {rows[0]} and {rows[1]} rows"
    if one.get("steps") != other.get("steps"):
        steps = [number.get("steps") or UNWRITTEN for number in (one, other)]
        return f"steps: {steps[0]} → {steps[1]}"
    said = losses_differ(first, second_run)
    if said := said + settings_of(("metric", "loss"), first, second_run):
        return "; ".join(said[:2])
    if not known:
        return "on data that cannot be seen"
    same = one["data"] == other["data"]
    return f"the same rows, {'another formula' if same else 'in another order or other batches'}"


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
        if entry["key"] and (entry["written"] or told) and entry["kind"] not in BESIDE:
            keys.append(entry)
    policies = [run.get("policy") for run in (first, second_run)]
    said = [f"dtype policy: {policies[0]} → {policies[1]}"] if policies[0] != policies[1] else []
    said += losses_differ(first, second_run) + trained_in_one(first, second_run)
    said += map(change_of, sorted(keys, key=lambda entry: not entry["written"]))
    for entry in found:
        if entry["key"] is None and entry["kind"] not in ("loss", *BESIDE):
            side = "first" if entry["first"] == "made" else "second"
            numbers = [
                sum(made["class"] == entry["class"] for made in run["made"])
                for run in (first, second_run)
            ]
            only = f"{entry['class']} is made in the {side} script only"
            more = f"the {side} script makes one more {entry['class']}" if all(numbers) else only
            order = f"{entry['kind']}s stand in another order"
            said.append(order if numbers[0] == numbers[1] else more)
    numbers = [sum(m.get("begun", 0) for m in trained_models(run)) for run in (first, second_run)]
    if numbers[0] != numbers[1]:
        said.append(f"steps that the optimizer has made before: {numbers[0]} → {numbers[1]}")
    said += settings_of(("callback",), first, second_run) if optimizing else []
    lengths = [
        [len(model["hashes"]) for model in trained_models(run)] for run in (first, second_run)
    ]
    lasting = ("epochs", "initial_epoch", "steps_per_epoch") if lengths[0] == lengths[1] else ()
    calls = call_settings(first, second_run)
    said += [text for text in calls if not text.startswith(("validation_", *lasting))]
    return list(dict.fromkeys(said))


def trained_in_one(first: Record, second_run: Record) -> list[str]:
    """Return which arrays that two runs have one of them alone trains, model by model."""
    said = []
    for one, other in zip(trained_models(first), trained_models(second_run), strict=False):
        pairs = sorted(match(one["layers"], other["layers"]))
        trained = {(n, m): (one["trained"][n], other["trained"][m]) for n, m in pairs}
        for side, alone in (("first", (True, False)), ("second", (False, True))):
            names = [one["weights"][n] for (n, _), found in trained.items() if found == alone]
            more = f" and {len(names) - 1} more are" if len(names) > 1 else " is"
            said += [f"{names[0]}{more} trained in the {side} script only"] if names else []
    return said


def full_name(loss: Any) -> Any:
    """Return a loss, or a structure of losses, by the names that a class and its function share."""
    if isinstance(loss, dict):
        return {key: full_name(part) for key, part in loss.items()}
    if isinstance(loss, list):
        return [full_name(part) for part in loss]
    name = str(loss).replace("_", "").lower()
    return LOSSES.get(name, name)


def losses_differ(first: Record, second_run: Record) -> list[str]:
    """Return how the losses of two runs, their weights and penalties differ, model by model."""
    calls = [run.get("penalties", 0) for run in (first, second_run)]
    said = [f"calls of add_loss: {calls[0]} → {calls[1]}"] if calls[0] != calls[1] else []
    for one, other in zip(trained_models(first), trained_models(second_run), strict=False):
        for key in ("loss", "loss_weights"):
            old, new = (
                part["class_name"] if isinstance(part, dict) and "class_name" in part else part
                for part in (one.get(key), other.get(key))
            )
            differ = old != new if key == "loss_weights" else full_name(old) != full_name(new)
            said += [f"{key}: {brief(old)} → {brief(new)}"] if differ else []
    return list(dict.fromkeys(said))


def settings_of(kinds: tuple[str, ...], first: Record, second_run: Record) -> list[str]:
    """Return how arguments of callbacks, metrics or losses differ."""
    return [
        change_of(entry)
        for entry in settings(first, second_run)
        if entry["kind"] in kinds and entry["key"] and entry["written"]
    ]


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


def noise_made(first: Record, second_run: Record) -> list[str]:
    """Return how the scripts differ in what shuffles rows, drops or adds noise."""
    sources = re.compile(rf"{NOISE.pattern}|shuffle|\.({'|'.join(DROPS)}):")
    return [said for said in reasons(first, second_run) if sources.search(said)]


def without_effect(first: Record, second_run: Record) -> list[str]:
    """Return what is written, where no step depends on it.

    Where one script has a layer more, that may do what the other writes as an argument.
    """
    said: list[str] = []
    found = settings(first, second_run)
    if any(entry["key"] is None and entry["kind"] == "layer" for entry in found):
        return said
    names = [text.split(":")[0] for text in losses_differ(first, second_run)]
    names += [entry["class"] for entry in found if (entry["key"], entry["kind"]) == (None, "loss")]
    for entry in found:
        if not entry["written"] or not entry["key"] or entry["key"].endswith(STARTS):
            continue
        names.append(f"{entry['class']}.{entry['key']}")
        if entry["written"] == "both":
            said.append(f"{change_of(entry)} has no effect here.")
        else:
            side = entry["written"]
            value = f"{names[-1]} = {brief(entry[side])}"
            said.append(f"{value} is written in the {side} script and has no effect here.")
    return [f"{', '.join(names)}: together without effect here."] if len(names) > 1 else said
