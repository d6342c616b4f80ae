"""Which causes two recorded runs may have, and what each contributes to the difference.

`second − first` of one metric is taken apart. A rung takes a cause away from the second run (the
draws during training from both). Each rung is measured in two orders, first to last and last to
first, and its contribution is the mean of both.
"""

import difflib
import json
import re
from pathlib import Path
from typing import Any

Record = dict[str, Any]
Cause = str | list

NOISE = re.compile("Dropout|Noise")
NOT_DEFAULTS = {"name", "dtype", "trainable", "batch_input_shape"}
RUNGS = {
    "data": "data",
    "weights": "initial draws",
    "draws": "draws during training",
}
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|inf)(?![\w.])")
SINGLE_ULP = 2.0**-23  # of a number in single precision, relative
ROUNDING_FACTOR = 10  # times the yardstick: what moving every weight by one ulp does to the metric


def read(path: str | Path) -> Any:
    """Return the content of a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def label(cause: Cause) -> str:
    """Return the name of a cause as it is printed."""
    if isinstance(cause, str):
        return RUNGS[cause]
    return f"changed default {cause[0]}.{cause[1]}"


def evaluated(record: Record) -> list[dict]:
    """Return what the framework reported of evaluations, in the order of time."""
    return [
        number
        for number in record["numbers"]
        if number["name"].startswith("val_") or number["method"].startswith(("eval", "test"))
    ]


def choose_metric(first: Record, second: Record) -> str:
    """Return the metric of a pair whose user names none.

    The last number that was evaluated; where only one of the two evaluates, the last one printed;
    the last loss of the training otherwise.
    """
    losses = [
        [number for number in evaluated(record) if number["name"] in ("val_loss", "loss")]
        for record in (first, second)
    ]
    if all(losses):
        return "evaluated"
    printed = all(NUMBER.findall(record["printed"]) for record in (first, second))
    return "printed" if any(losses) and printed else "training loss"


def value(record: Record, metric: str) -> float:
    """Return the metric of a run.

    Raises:
        KeyError: the run does not report it.
    """
    if metric == "printed":
        return float(NUMBER.findall(record["printed"])[-1])
    if metric == "training loss":
        return [entry["losses"] for entry in record["models"] if entry["losses"]][-1][-1]
    names = ("val_loss", "loss") if metric == "evaluated" else (metric,)
    numbers = evaluated(record) if metric == "evaluated" else record["numbers"]
    found = [number for number in numbers if number["name"] in names]
    if not found:
        known = sorted({number["name"] for number in record["numbers"]})
        raise KeyError(f"no metric {metric!r} is reported, but {', '.join(known) or 'none'}")
    return found[-1]["values"][-1]


def trajectory(record: Record) -> list[list[str]]:
    """Return the hashes of all weights after every step, model by model."""
    return [entry["hashes"] for entry in record["models"]]


def unequal(one: Any, other: Any) -> bool:
    """Say whether two configured scalars differ by more than single precision."""
    numbers = all(isinstance(part, int | float) for part in (one, other))
    if numbers and not isinstance(one, bool) and not isinstance(other, bool):
        return abs(one - other) > 1e-6 * max(abs(one), abs(other))
    return one != other


def changed_defaults(first: Record, second: Record) -> list[list]:
    """Return [class, key, value in the first run] of every default that differs."""
    pairs = []
    for one, other in zip(first["models"], second["models"], strict=False):
        classes = [[layer["class"] for layer in entry["layers"]] for entry in (one, other)]
        matcher = difflib.SequenceMatcher(None, *classes, autojunk=False)
        for start, other_start, size in matcher.get_matching_blocks():
            pairs += zip(
                one["layers"][start : start + size],
                other["layers"][other_start : other_start + size],
                strict=True,
            )
        if "optimizer" in one and "optimizer" in other:
            pairs.append((one["optimizer"], other["optimizer"]))
    found = []
    for one, other in pairs:
        for key in sorted(set(one["config"]) & set(other["config"]) - NOT_DEFAULTS):
            old, new = one["config"][key], other["config"][key]
            scalar = not isinstance(old, dict | list) and not isinstance(new, dict | list)
            written = key in one["written"] or key in other["written"]
            change = [one["class"], key, old]
            same_class = one["class"] == other["class"]
            if scalar and same_class and not written and unequal(old, new) and change not in found:
                found.append(change)
    return found


def data_of(record: Record) -> list:
    """Return the distinct data that the run trains on, in the order of their first use."""
    hashes = [call["data"] for call in record["calls"] if "exchangeable" in call]
    return list(dict.fromkeys(data["hash"] for data in hashes if data))


def possible_causes(first: Record, second: Record) -> list[Cause]:
    """Return what differs, or may differ, between two runs, in the order of the ladder."""
    causes: list[Cause] = []
    if trajectory(first) == trajectory(second):
        return causes
    calls = [call for call in first["calls"] if call.get("exchangeable")]
    if data_of(first) != data_of(second) and calls:
        causes.append("data")
    initial = [[entry["initial"] for entry in run["models"]] for run in (first, second)]
    if initial[0] != initial[1]:
        causes.append("weights")
    shuffled = any(call.get("shuffle") for run in (first, second) for call in run["calls"])
    noisy = any(
        NOISE.search(layer["class"]) and layer["config"].get("rate", 1)
        for run in (first, second)
        for entry in run["models"]
        for layer in entry["layers"]
    )
    if shuffled or noisy:
        causes.append("draws")
    return causes + changed_defaults(first, second)


def subsets(causes: list[Cause]) -> list[list[int]]:
    """Return which causes are taken away together: both orders, each set once."""
    positions = list(range(len(causes)))
    forward = [positions[: size + 1] for size in positions]
    backward = [positions[size:] for size in reversed(positions)]
    return forward + [subset for subset in backward if subset not in forward]


def name_of(subset: list[int]) -> str:
    """Return the name of the run without these causes; `as_is` without any taken away."""
    return "without-" + "-".join(map(str, subset)) if subset else "as_is-0"


def take_apart(gaps: dict[tuple[int, ...], float], count: int) -> list[tuple[float, float]]:
    """Return (contribution in the first order, in the second) of each cause.

    Args:
        gaps: the remaining difference for every set of causes that is taken away.
        count: how many causes there are.
    """
    everything = tuple(range(count))
    return [
        (
            gaps[everything[:place]] - gaps[everything[: place + 1]],
            gaps[everything[place + 1 :]] - gaps[everything[place:]],
        )
        for place in everything
    ]


def first_difference(one: Record, other: Record) -> str | None:
    """Return where two runs part: a sentence, or None where all their steps have equal bits."""
    for number, (mine, theirs) in enumerate(zip(one["models"], other["models"], strict=False), 1):
        where = f" of model {number}" if len(one["models"]) > 1 else ""
        for step, (left, right) in enumerate(zip(mine["hashes"], theirs["hashes"], strict=False)):
            if left == right:
                continue
            losses = mine["losses"][step], theirs["losses"][step]
            if None not in losses and losses[0] != losses[1]:
                size = abs(losses[0] - losses[1]) / max(abs(losses[0]), abs(losses[1]))
                return f"step {step + 1}{where}, in the loss: relative difference {size:.3g}"
            return f"step {step + 1}{where}, in the gradient or the update: the loss is equal"
        if len(mine["hashes"]) != len(theirs["hashes"]):
            return f"{len(mine['hashes'])} steps{where} against {len(theirs['hashes'])}"
    return None


def loss_beyond_rounding(one: Record, other: Record, moved: list[Record]) -> bool:
    """Say whether the runs part in a loss, by more than rounding.

    Args:
        one: a run.
        other: the run that started from the same state.
        moved: the first run from weights that are moved by one ulp: how far rounding reaches.
    """
    for number, mine in enumerate(one["models"]):
        runs = [run["models"][number] for run in (other, *moved)]
        pairs = zip(mine["hashes"], runs[0]["hashes"], strict=False)
        parted = next((step for step, (left, right) in enumerate(pairs) if left != right), None)
        if parted is None:
            continue
        loss = mine["losses"][parted]
        sizes = [abs(run["losses"][parted] - loss) for run in runs]
        return sizes[0] > ROUNDING_FACTOR * max(*sizes[1:], SINGLE_ULP * abs(loss))
    return False
