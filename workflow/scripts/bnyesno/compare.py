"""Comparing runs bit for bit, and what the comparison says about the cause of a difference.

Equal always means equal bytes, of float32 weights or of reported losses, never "close": -0.0 is
not 0.0, and a NaN equals the same NaN. Other weights after a step are other computation; random
numbers drawn during the training are part of what is computed, "draws" are those before it.
"""

import base64
import hashlib
import struct

import numpy
import pandas

from bnyesno.controls import applicable, runs_of
from bnyesno.runs import PUBLISHED
from bnyesno.tables import COLUMNS

EQUAL, DIFFER, NO_STATEMENT = "equal", "differ", "no statement"
NO_DIFFERENCE = "no difference"
HYPOTHESES = ("computation", "draws", "evaluation")


def trajectory(record):
    """Return the weights of the layers that draw, before training and after each step.

    float32 array of shape (steps + 1, number of weights). Layers that draw nothing, as BN,
    are left out, so that variants with and without them can be compared. If no layer draws, it
    is all weights.
    """
    arrays = record["initial_weights"]["arrays"]
    compared = record["drawing_layers"] or record["layers"]
    drawing = numpy.concatenate(
        [numpy.full(numpy.prod(array["shape"]), array["layer"] in compared) for array in arrays]
    )
    initial = numpy.concatenate([array["values"] for array in arrays]).astype("<f4")
    steps = [
        numpy.frombuffer(base64.b64decode(text), dtype="<f4")
        for text in record["step_weights_base64"]
    ]
    return numpy.stack([initial, *steps])[:, drawing]


def sha256_of(array):
    """Return the SHA-256 of an array's float32 bytes (little-endian, C order)."""
    return hashlib.sha256(numpy.ascontiguousarray(array, dtype="<f4").tobytes()).hexdigest()


def equal_losses(first, second):
    """Tell whether two reported losses have the same bytes."""
    return struct.pack("<d", first) == struct.pack("<d", second)


def comparable(first, second):
    """Tell whether two trajectories are of the same number of weights."""
    return first.shape[1] == second.shape[1]


def first_difference(first, second):
    """Return the first step whose weights differ in any bit, or None.

    0 stands for the initial weights. Where one run has more steps, its first one too many counts.
    """
    if not comparable(first, second):
        return 0
    pairs = enumerate(zip(first, second, strict=False))
    step = next((step for step, (a, b) in pairs if a.tobytes() != b.tobytes()), None)
    if step is None and len(first) != len(second):
        return min(len(first), len(second))
    return step


def differences(first, second):
    """Return the largest absolute difference of a weight after each step that both runs have.

    0 where the bits are equal, also those of NaN; NaN where one of them has a NaN.
    """
    steps = min(len(first), len(second)) if comparable(first, second) else 0
    if not steps:
        return numpy.zeros(0, dtype="<f4")
    first, second = (numpy.ascontiguousarray(each[:steps], dtype="<f4") for each in (first, second))
    with numpy.errstate(invalid="ignore"):
        distance = numpy.abs(first - second)
    return numpy.where(first.view("<u4") == second.view("<u4"), 0, distance).max(axis=1)


def compare_trajectories(first, second):
    """Return the columns of controls.csv for two trajectories."""
    step = first_difference(first, second)
    return {
        "observed": EQUAL if step is None else DIFFER,
        "first_difference_step": step,
        "largest_difference": float(differences(first, second).max(initial=0))
        if comparable(first, second)
        else None,
        "first_sha256": sha256_of(first),
        "second_sha256": sha256_of(second),
    }


def compare_initial_weights(first, second):
    """Return the columns of controls.csv for the initial weights of two trajectories.

    Weights of other shapes are no other draws of the same weights: no statement.
    """
    found = compare_trajectories(first[:1], second[:1])
    return found if comparable(first, second) else {**found, "observed": NO_STATEMENT}


def compare_losses(first, second, rows):
    """Return the columns of controls.csv for the losses of two runs on the same rows."""
    losses = [record["evaluations"].get(rows) for record in (first, second)]
    if None in losses:
        return {"observed": NO_STATEMENT}
    return {"observed": EQUAL if equal_losses(*losses) else DIFFER}


def compare_runs(first, second, rows):
    """Return the columns of controls.csv for two runs: all steps, and the loss on the same rows.

    Runs whose steps are all equal and whose losses are not differ without a first step.
    """
    found = compare_trajectories(trajectory(first), trajectory(second))
    if found["observed"] == EQUAL:
        found["observed"] = compare_losses(first, second, rows)["observed"].replace(
            NO_STATEMENT, EQUAL
        )
    return found


def observe(config, records, control, comparison):
    """Return the row of controls.csv for a control on a comparison, without predictions."""
    pair = config["comparisons"][comparison]
    runs = [records.find(*run) for run in runs_of(config, control, comparison)]
    first, second = map(trajectory, runs)
    rows = pair["first"]["rows"]
    observable = control["observable"]
    if observable == "trajectory":
        found = compare_runs(*runs, rows)
        # A control that means to give both the same start says nothing where it did not.
        if equalizes_start(control) and first[0].tobytes() != second[0].tobytes():
            found["observed"] = NO_STATEMENT
    elif observable == "initial_weights":
        found = compare_initial_weights(first, second)
    elif observable == "loss_on_same_rows":
        found = compare_losses(*runs, rows)
    else:
        found = compare_with_published(records, pair, runs)
    losses = [
        record["evaluations"][pair[side]["rows"]]
        for record, side in zip(runs, ("first", "second"), strict=True)
    ]
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
    }


def join_sides(pair, key):
    """Return what both cells of a pair have under a key, as text; once where it is the same."""
    return " and ".join(dict.fromkeys(pair[side][key] for side in ("first", "second")))


def equalizes_start(control):
    """Tell whether a control means to give both runs the same initial weights."""
    return bool({"initial_weights", "initializer_seeds"} & set(control.get("change") or {}))


def compare_with_published(records, pair, runs):
    """Compare each run of a pair with its own published run; the worse one is reported."""
    found = [
        compare_runs(records.find(PUBLISHED, pair[side]), record, pair[side]["rows"])
        for side, record in zip(("first", "second"), runs, strict=True)
    ]
    return next((each for each in found if each["observed"] == DIFFER), found[0])


def compare_controls(config, records):
    """Return controls.csv: one row per comparison and control that applies to it."""
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


def resolve(prediction, published):
    """Return "equal" or "differ" for a prediction that may refer to the published pair."""
    opposite = {EQUAL: DIFFER, DIFFER: EQUAL}
    return {"as_published": published, "opposite": opposite.get(published)}.get(
        prediction, prediction
    )


def judge_comparisons(config, controls):
    """Return verdicts.csv from controls.csv: what causes the difference in each comparison."""
    rows = [
        judge_comparison(comparison, entry, controls[controls["comparison"] == comparison])
        for comparison, entry in config["comparisons"].items()
    ]
    return make_frame("verdicts", rows)


def judge_comparison(comparison, entry, controls):
    """Return the row of verdicts.csv for one comparison; `controls` has its rows only."""
    by_name = {row.control: row for row in controls.itertuples()}
    published = by_name[PUBLISHED]
    starts = equal_starts(by_name)
    deterministic = is_deterministic(controls)
    conclusion = conclude(entry, by_name, starts, deterministic)
    at_equal_start = max((abs(row.loss_difference) for row in starts), default=None)
    return {
        "comparison": comparison,
        "label": entry["label"],
        "first_loss": published.first_loss,
        "second_loss": published.second_loss,
        "difference": published.loss_difference,
        "difference_at_equal_start": at_equal_start,
        "deterministic": deterministic,
        **{
            f"{name}_alone": "nothing to explain"
            if conclusion == NO_DIFFERENCE
            else judge_hypothesis(name, controls)
            for name in HYPOTHESES
        },
        "causes": conclusion,
        "reason": explain(published, starts, at_equal_start),
    }


def equal_starts(by_name):
    """Return the rows of controls.csv whose two runs started from equal initial weights."""
    names = [name for name in ("start_of_first", "start_of_second") if name in by_name]
    if by_name["initial_weights"].observed == EQUAL:
        names.append(PUBLISHED)
    return [by_name[name] for name in names if by_name[name].observed != NO_STATEMENT]


def conclude(entry, by_name, starts, deterministic):
    """Return the causes of a difference as text, or why none can be named."""
    published = by_name[PUBLISHED]
    if deterministic == "no":
        return "undecided: repeats differ"
    if published.observed == EQUAL and equal_losses(published.first_loss, published.second_loss):
        return NO_DIFFERENCE
    if not starts:
        return "undecided: no equal start"
    return " and ".join(find_causes(entry, by_name, starts))


def find_causes(entry, by_name, starts):
    """Return the list of what contributes to a difference, by intervention."""
    causes = []
    if any(row.observed == DIFFER for row in starts):
        causes.append("computation")
    if by_name["initial_weights"].observed == DIFFER:
        causes.append("draws")
    if entry["first"]["rows"] != entry["second"]["rows"]:
        causes.append("evaluation")
    return causes


def judge_hypothesis(name, controls):
    """Tell whether one hypothesis alone agrees with every control that makes a statement."""
    informative = controls[controls["observed"].isin([EQUAL, DIFFER])]
    against = informative[informative["observed"] != informative[f"predicted_by_{name}"]]
    return "refuted by " + ", ".join(against["control"]) if len(against) else "holds"


def is_deterministic(controls):
    """Return yes or no by the controls that train the same again, "not tested" without any."""
    again = controls[controls["observable"] == "trajectory_and_published_one"]
    if again.empty:
        return "not tested"
    return "yes" if (again["observed"] == EQUAL).all() else "no"


def explain(published, starts, at_equal_start):
    """Return one line on the published pair and the pair from equal initial weights."""
    line = f"as published the losses differ by {abs(published.loss_difference):.3g}"
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


def make_frame(name, rows):
    """Return a data frame with the columns of COLUMNS[name]; step numbers stay integers."""
    table = pandas.DataFrame(rows, columns=list(COLUMNS[name]))
    whole = {"first_difference_step", "graph_seed", "op_seed"}
    return table.astype(dict.fromkeys(whole & set(table), "Int64"))
