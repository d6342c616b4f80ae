"""Compare runs bit for bit, and find the cause of a difference.

Equal means equal bytes of float32 weights or of reported losses: -0.0 is not 0.0, and a NaN equals
the same NaN. "Draws" are the random numbers before the training. Random numbers that are drawn
during the training belong to the computation.
"""

import base64
import struct
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import numpy
import pandas
from plan.controls import applicable, runs_of
from plan.runs import PUBLISHED
from train.files import sha256_of

from judge.causes import (
    HYPOTHESES,
    Cause,
    NoCause,
    exceeds,
    last_places,
    limit_of,
    mean_of_orders,
    share_of,
)
from judge.records import Records
from judge.tables import Row, make_frame

Array = numpy.ndarray[Any, numpy.dtype[numpy.float32]]

SIDES = ("first", "second")  # of a comparison
NO_DIFFERENCE = "no difference"
UNDECIDED = "undecided"  # what causes a difference; the reason follows


class Observed(StrEnum):
    """What a control finds of two runs."""

    EQUAL = "equal"
    DIFFER = "differ"
    NO_STATEMENT = "no statement"


EQUAL, DIFFER, NO_STATEMENT = Observed


def compared_layers(record: dict) -> list[str]:
    """Return the names of the layers whose weights are compared: the layers that draw.

    Layers that draw nothing, as BN, are left out, so that variants with and without BN can be
    compared. If no layer draws, all layers are compared.
    """
    return record["drawing_layers"] or record["layers"]


def compared_shapes(record: dict) -> list[list[int]]:
    """Return the shapes of all weight arrays that are compared, in their order."""
    compared = compared_layers(record)
    arrays = record["initial_weights"]["arrays"]
    return [array["shape"] for array in arrays if array["layer"] in compared]


def trajectory(record: dict) -> Array:
    """Return the weights of the compared layers, before training and after each step.

    float32 array of shape (steps + 1, number of weights).
    """
    arrays = record["initial_weights"]["arrays"]
    compared = compared_layers(record)
    drawing = numpy.concatenate(
        [numpy.full(numpy.prod(array["shape"]), array["layer"] in compared) for array in arrays]
    )
    initial = numpy.concatenate([array["values"] for array in arrays]).astype("<f4")
    steps = [
        numpy.frombuffer(base64.b64decode(text), dtype="<f4")
        for text in record["step_weights_base64"]
    ]
    return numpy.stack([initial, *steps])[:, drawing]


def equal_losses(first: float, second: float) -> bool:
    """Tell whether two reported losses have the same bytes."""
    return struct.pack("<d", first) == struct.pack("<d", second)


def comparable(first: Array, second: Array) -> bool:
    """Tell whether two trajectories are of the same number of weights."""
    return first.shape[1] == second.shape[1]


def first_difference(first: Array, second: Array) -> int | None:
    """Return the first step whose weights differ in any bit, or None.

    0 stands for the initial weights. Where one run has more steps, its first extra step counts.
    """
    if not comparable(first, second):
        return 0
    pairs = enumerate(zip(first, second, strict=False))
    step = next((step for step, (a, b) in pairs if a.tobytes() != b.tobytes()), None)
    if step is None and len(first) != len(second):
        return min(len(first), len(second))
    return step


def differences(first: Array, second: Array) -> Array:
    """Return the largest absolute difference of a weight after each step that both runs have.

    0 where the bits are equal, also the bits of NaN; NaN where one of the runs has a NaN.
    """
    steps = min(len(first), len(second)) if comparable(first, second) else 0
    if not steps:
        return numpy.zeros(0, dtype="<f4")
    first, second = (numpy.ascontiguousarray(each[:steps], dtype="<f4") for each in (first, second))
    with numpy.errstate(invalid="ignore"):
        distance = numpy.abs(first - second)
    return numpy.where(first.view("<u4") == second.view("<u4"), 0, distance).max(axis=1)


def compare_trajectories(first: Array, second: Array) -> Row:
    """Return the columns of controls.csv for two trajectories."""
    step = first_difference(first, second)
    return {
        "observed": EQUAL if step is None else DIFFER,
        "first_difference_step": step,
        "largest_difference": float(differences(first, second).max(initial=0))
        if comparable(first, second)
        else None,
        "first_sha256": sha256_of([first]),
        "second_sha256": sha256_of([second]),
    }


def compare_initial_weights(first: dict, second: dict) -> Row:
    """Return the columns of controls.csv for the initial weights of two runs.

    Weights of other shapes are no other draws of the same weights: no statement.
    """
    found = compare_trajectories(trajectory(first)[:1], trajectory(second)[:1])
    if compared_shapes(first) != compared_shapes(second):
        found["observed"] = NO_STATEMENT
    return found


def start_equally(first: dict, second: dict) -> bool:
    """Tell whether two runs started from weights of the same shapes and bits."""
    return compare_initial_weights(first, second)["observed"] == EQUAL


def compare_losses(first: dict, second: dict, rows: str) -> Row:
    """Return the columns of controls.csv for the losses of two runs on the same rows."""
    losses = losses_on(rows, first, second)
    if losses is None:
        return {"observed": NO_STATEMENT}
    return {"observed": EQUAL if equal_losses(*losses) else DIFFER}


def losses_on(rows: str, first: dict, second: dict) -> tuple[float, float] | None:
    """Return the losses of two runs on the same rows, None if one of the runs has none."""
    losses = (first["evaluations"].get(rows), second["evaluations"].get(rows))
    return None if None in losses else losses


def compare_runs(first: dict, second: dict, rows: str) -> Row:
    """Return the columns of controls.csv for two runs: all steps, and the loss on the same rows.

    Runs whose steps are all equal and whose losses are not differ without a first step.
    """
    found = compare_trajectories(trajectory(first), trajectory(second))
    if found["observed"] == EQUAL:
        of_losses = compare_losses(first, second, rows)["observed"]
        found["observed"] = EQUAL if of_losses == NO_STATEMENT else of_losses
    return found


def observe(config: dict, records: Records, control: dict, comparison: str) -> Row:
    """Return the row of controls.csv for a control on a comparison, without predictions."""
    pair = config["comparisons"][comparison]
    runs = first, second = [records.find(*run) for run in runs_of(config, control, comparison)]
    rows = pair["first"]["rows"]
    observable = control["observable"]
    if observable == "trajectory":
        found = compare_runs(first, second, rows)
        # A control that has to make both starts equal says nothing where the starts differ.
        if equalizes_start(control) and not start_equally(first, second):
            found["observed"] = NO_STATEMENT
    elif observable == "initial_weights":
        found = compare_initial_weights(first, second)
    elif observable == "loss_on_same_rows":
        found = compare_losses(first, second, rows)
    else:
        found = compare_with_published(records, pair, runs)
    losses = [run["evaluations"][pair[side]["rows"]] for run, side in zip(runs, SIDES, strict=True)]
    same_rows = losses_on(rows, *runs)
    return {
        "comparison": comparison,
        "environment": join_sides(pair, "environment"),
        "pair": join_sides(pair, "variant"),
        "control": control["name"],
        "observable": observable,
        **found,
        "first_loss": losses[0],
        "second_loss": losses[1],
        "loss_difference": losses[1] - losses[0],
        "same_rows_difference": same_rows and same_rows[1] - same_rows[0],
    }


def join_sides(pair: dict, key: str) -> str:
    """Return the values of both cells of a pair under a key, as text; equal values once."""
    return " and ".join(dict.fromkeys(pair[side][key] for side in SIDES))


def equalizes_start(control: dict) -> bool:
    """Tell whether a control has to give both runs the same initial weights."""
    return bool({"initial_weights", "initializer_seeds"} & set(control.get("change") or {}))


def compare_with_published(records: Records, pair: dict, runs: list[dict]) -> Row:
    """Compare each run of a pair with its own published run; return a pair that differs, if any."""
    found = [
        compare_runs(records.find(PUBLISHED, pair[side]), record, pair[side]["rows"])
        for side, record in zip(SIDES, runs, strict=True)
    ]
    return next((each for each in found if each["observed"] == DIFFER), found[0])


def compare_controls(config: dict, records: Records) -> pandas.DataFrame:
    """Return controls.csv: one row per comparison and control that applies to the comparison."""
    rows = [
        observe(config, records, control, comparison)
        for _, control, comparison in applicable(config)
    ]
    published = {row["comparison"]: row["observed"] for row in rows if row["control"] == PUBLISHED}
    for row in rows:
        predicts = config["controls"][row["control"]]["predicts"]
        for hypothesis in HYPOTHESES:
            row[f"predicted_by_{hypothesis}"] = resolve(
                predicts[hypothesis], published.get(row["comparison"])
            )
    table = make_frame("controls", rows)
    order = {name: position for position, name in enumerate(config["comparisons"])}
    return table.sort_values("comparison", key=lambda names: names.map(order), kind="stable")


def resolve(prediction: str, published: Observed | None) -> str | None:
    """Return "equal" or "differ" for a prediction that may refer to the published pair."""
    opposite = {EQUAL: DIFFER, DIFFER: EQUAL}.get(published) if published else None
    return {"as_published": published, "opposite": opposite}.get(prediction, prediction)


def judge_comparisons(
    config: dict,
    controls: pandas.DataFrame,
    records: Records,
    kernel_differences: Sequence[float] = (),
) -> pandas.DataFrame:
    """Return verdicts.csv from controls.csv: what causes the difference in each comparison.

    `kernel_differences` are the differences in processor.csv: the contribution of the matrix kernel
    that is made for this processor.
    """
    kernel = numpy.abs(numpy.asarray(kernel_differences, dtype=float)).max(initial=0)
    rows = []
    for comparison, entry in config["comparisons"].items():
        repeats = [read_repeats(config, records, entry[side]) for side in SIDES]
        rows.append(
            judge_comparison(
                comparison,
                entry,
                controls[controls["comparison"] == comparison],
                repeat_differences(entry, repeats),
                kernel,
                steps=max(len(runs[0]["step_weights_base64"]) for runs in repeats),
            )
        )
    return make_frame("verdicts", rows)


def read_repeats(
    config: dict, records: Records, cell: Mapping[str, Any], change: str = PUBLISHED
) -> list[dict]:
    """Return the runs of a cell under a change, every repeat."""
    repeats = range(1, config["repeats"][cell["api"]] + 1)
    return [records.find(change, cell, repeat) for repeat in repeats]


def repeat_differences(entry: dict, repeats: list[list[dict]]) -> list[float]:
    """Return the differences in loss of each further repeat of both cells from the first one.

    A repeat that differs in a weight alone gives 0.0. A repeat with the same bits gives nothing.
    `repeats` has the runs of both cells.
    """
    found = []
    for side, (first, *others) in zip(SIDES, repeats, strict=True):
        rows = entry[side]["rows"]
        for other in others:
            if compare_runs(first, other, rows)["observed"] != EQUAL:
                found.append(abs(other["evaluations"][rows] - first["evaluations"][rows]))
    return found


def judge_comparison(
    comparison: str,
    entry: dict,
    controls: pandas.DataFrame,
    repeated: list[float],
    kernel: float,
    steps: int,
) -> Row:
    """Return the row of verdicts.csv for one comparison; `controls` has its rows only.

    `repeated` is what `repeat_differences` gives, `kernel` the largest difference in loss that the
    matrix kernel makes, `steps` the number of training steps of the longer one of the two runs.
    """
    by_name = {row.control: row for row in controls.itertuples()}
    published = by_name[PUBLISHED]
    starts = equal_starts(by_name)
    deterministic = is_deterministic(controls, repeated)
    spreads = {
        "repeats": largest(repeated),
        "other threads or processes": largest(again_differences(controls, published)),
    }
    spread = largest(list(spreads.values()))
    rounding = rounding_limit(kernel, published, steps)
    computation = same_rows_differences(starts)
    causes = find_causes(entry, by_name, computation, limit_of(rounding, spread))
    parts = split_difference(published, starts)
    conclusion = conclude(published, starts, spreads, causes)
    at_equal_start = max((abs(row.loss_difference) for row in starts), default=None)
    return {
        "comparison": comparison,
        "label": entry["label"],
        "first_loss": published.first_loss,
        "second_loss": published.second_loss,
        "difference": published.loss_difference,
        "difference_at_equal_start": at_equal_start,
        "computation_size": max(map(abs, computation), default=None),
        **{f"{name}_part": part for name, part in parts.items()},
        "rounding_limit": rounding,
        "repeat_spread": spread,
        "deterministic": deterministic,
        **{
            f"{name}_alone": "nothing to explain"
            if conclusion == NO_DIFFERENCE
            else judge_hypothesis(name, controls)
            for name in HYPOTHESES
        },
        "causes": conclusion,
        "reason": explain(by_name, starts, at_equal_start) + describe_parts(published, parts),
    }


def largest(numbers: Sequence[float]) -> float:
    """Return the largest of some numbers, 0.0 of none; NaN if one of them is NaN."""
    return float(numpy.max(numbers, initial=0.0))


def equal_starts(by_name: dict[str, Any]) -> list[Any]:
    """Return the rows of controls.csv whose two runs started from equal initial weights."""
    names: list[str] = [name for name in ("start_of_first", "start_of_second") if name in by_name]
    if by_name["initial_weights"].observed == EQUAL:
        names.append(PUBLISHED)
    return [by_name[name] for name in names if by_name[name].observed != NO_STATEMENT]


def rounding_limit(kernel: float, published: Any, steps: int) -> float:
    """Return how far two runs of the same computation may differ in their loss by rounding.

    Each of the two runs may be off by the contribution of the matrix kernel (`kernel`). The kernel
    is measured only where `processor.csv` is asked for, so the limit has `last_places` as a floor.
    """
    loss = max(abs(published.first_loss), abs(published.second_loss))
    return 2 * max(kernel, last_places(loss, steps))


def same_rows_differences(starts: list[Any]) -> list[float]:
    """Return the differences in loss, on the same rows, from equal initial weights."""
    found = [row.same_rows_difference for row in starts]
    return [difference for difference in found if not pandas.isna(difference)]


def split_difference(published: Any, starts: list[Any]) -> dict[str, float | None]:
    """Return what each hypothesis adds to the difference of the losses; the parts sum up to it.

    The computation adds the difference that equal initial weights leave, on the first run's rows:
    the mean over both starts. The evaluation adds the change by the second run's own rows. The
    draws add the rest. There are no parts without an equal start, or without rows in common.
    """
    left = [row.same_rows_difference for row in starts]
    same_rows = published.same_rows_difference
    if not left or pandas.isna([*left, same_rows]).any():
        return dict.fromkeys(HYPOTHESES)
    computation = mean_of_orders(left)
    parts = (computation, same_rows - computation, published.loss_difference - same_rows)
    return dict(zip(HYPOTHESES, parts, strict=True))


def conclude(
    published: Any, starts: list[Any], spreads: dict[str, float], causes: list[Cause]
) -> str:
    """Return the causes of a difference as text, or the reason why no cause can be named.

    `spreads` says how far each kind of training the same again moved the loss of one run.
    """
    losses = [published.first_loss, published.second_loss]
    losses += [loss for row in starts for loss in (row.first_loss, row.second_loss)]
    if not numpy.isfinite([*losses, *spreads.values()]).all():
        return f"{UNDECIDED}: a loss is no finite number"
    # Each of the two runs may be off by the spread.
    found = [
        name
        for name, spread in spreads.items()
        if spread and abs(published.loss_difference) <= 2 * spread
    ]
    if found:
        return f"{UNDECIDED}: {' and '.join(found)} differ"
    if equal_losses(*losses[:2]):
        return NO_DIFFERENCE  # in the result; `reason` says whether the weights differ on the way
    if not starts:
        return f"{UNDECIDED}: no equal start"
    return " and ".join(causes) or NoCause.ROUNDING


def find_causes(
    entry: dict, by_name: dict[str, Any], computation: list[float], limit: float
) -> list[Cause]:
    """Return the causes of a difference, by intervention.

    The computation is named only if it makes more than rounding and repeats do (`limit`): a cause
    without a size is none, and last bits differ between processors.
    """
    causes = []
    if exceeds(computation, limit):
        causes.append(Cause.COMPUTATION)
    if by_name["initial_weights"].observed == DIFFER:
        causes.append(Cause.DRAWS)
    if entry["first"]["rows"] != entry["second"]["rows"]:
        causes.append(Cause.EVALUATION)
    return causes


def describe_parts(published: Any, parts: dict[str, float | None]) -> str:
    """Return the parts of a difference in words, each with its share; "" where there are none."""
    total = published.loss_difference
    words = [
        f"{name} {part:+.3g} ({share_of(part, total):z.1%})"
        for name, part in parts.items()
        if part is not None and total
    ]
    if not words:
        return ""
    return f"; the difference is made up of {', '.join(words)}"


def judge_hypothesis(name: str, controls: pandas.DataFrame) -> str:
    """Tell whether one hypothesis alone agrees with every control that makes a statement."""
    informative = controls[controls["observed"].isin([EQUAL, DIFFER])]
    against = informative[informative["observed"] != informative[f"predicted_by_{name}"]]
    return "refuted by " + ", ".join(against["control"]) if len(against) else "holds"


def trained_again(controls: pandas.DataFrame) -> pandas.DataFrame:
    """Return the rows of controls.csv about training the same again."""
    return controls[controls["observable"] == "trajectory_and_published_one"]


def is_deterministic(controls: pandas.DataFrame, repeated: list[float]) -> str:
    """Return yes or no by repeats and controls that train the same again, "not tested" without."""
    again = trained_again(controls)
    if repeated or (again["observed"] == DIFFER).any():
        return "no"
    return "not tested" if again.empty else "yes"


def again_differences(controls: pandas.DataFrame, published: Any) -> list[float]:
    """Return the differences in loss between the published runs and the same trained again."""
    return [
        abs(getattr(row, loss) - getattr(published, loss))
        for row in trained_again(controls).itertuples()
        for loss in ("first_loss", "second_loss")
    ]


def explain(by_name: dict[str, Any], starts: list[Any], at_equal_start: float | None) -> str:
    """Return one line on the published pair and the pair from equal initial weights."""
    published = by_name[PUBLISHED]
    line = f"as published the losses differ by {abs(published.loss_difference):.3g}"
    if by_name["initial_weights"].observed == NO_STATEMENT:
        return f"{line}; the weights have other shapes: compared as far as they match, by the loss"
    if not starts:
        return f"{line}; no control made the initial weights equal"
    differ = [row for row in starts if row.observed == DIFFER]
    steps = [row.first_difference_step for row in differ]
    steps = [int(step) for step in steps if not pandas.isna(step)]
    if steps:
        found = f"the weights differ from step {min(steps)} on"
    elif differ:
        found = "all steps are bitwise equal, but not the losses on the same rows"
    else:
        found = "all steps are bitwise equal"
    return f"{line}; from equal initial weights {found}, losses differ by {at_equal_start:.3g}"
