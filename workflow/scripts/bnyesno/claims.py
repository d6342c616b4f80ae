"""Deciding the claims of the page from the tables.

Each function in TESTS takes a claim (an entry of claims.yaml) and the tables, and returns
(measured, verdict, reason). Numbers in reasons are the measured ones.
"""

from decimal import Decimal

import pandas

from bnyesno.tables import COLUMNS

REPRODUCED = "reproduced"
WITHIN = "within 0.001"
NOT_REPRODUCED = "not reproduced"
REFUTED = "refuted"
NOT_TESTED = "not tested yet"
VERDICTS = (REPRODUCED, WITHIN, NOT_REPRODUCED, REFUTED, NOT_TESTED)

CELL_KEYS = ("environment", "api", "variant", "protocol", "seed", "rows")


class CellNotRun(Exception):
    """The tables have no row for a cell that a claim is about."""


def select(table, cell):
    """Return the table's rows for a cell, in the table's order; raise CellNotRun if none."""
    chosen = table
    for key in CELL_KEYS:
        if key in cell and key in chosen:
            chosen = chosen[chosen[key] == cell[key]]
    if chosen.empty:
        raise CellNotRun(name_cell(cell))
    return chosen


def name_cell(cell):
    """Return environment/api/variant/protocol/seed/rows."""
    return "/".join(str(cell[key]) for key in CELL_KEYS if key in cell)


def first_run(tables, cell):
    """Return the row of runs.csv for the first repeat of a cell."""
    return select(tables["runs"], cell).iloc[0]


def tolerance_of(published):
    """Return half a unit of the last printed digit, as Decimal, or None for text."""
    try:
        exponent = Decimal(published).as_tuple().exponent
    except ArithmeticError:
        return None
    return Decimal(5).scaleb(exponent - 1)


def judge_number(published, measured):
    """Return the verdict for a published number (as printed) and a measured float."""
    distance = abs(Decimal(published) - Decimal(measured))
    if distance <= tolerance_of(published):
        return REPRODUCED
    return WITHIN if distance <= Decimal("0.001") else NOT_REPRODUCED


def published_number(claim, tables):
    """Does the measured loss round to the published digits?"""
    measured = float(first_run(tables, claim["cells"][0])["val_loss"])
    published = claim["published"]
    digits = -Decimal(published).as_tuple().exponent
    reason = (
        f"measured {measured:.{digits}f} at the printed precision, "
        f"{abs(Decimal(published) - Decimal(measured)):.6f} away from {published}"
    )
    return f"{measured:.17g}", judge_number(published, measured), reason


def lower_loss(claim, tables):
    """Is the first cell's loss lower than the second's?"""
    lower, higher = (float(first_run(tables, cell)["val_loss"]) for cell in claim["cells"])
    reason = (
        f"the first is {'lower' if lower < higher else 'not lower'} "
        f"(difference {lower - higher:+.6f}); one seed, so no statement about others"
    )
    verdict = REPRODUCED if lower < higher else REFUTED
    return f"{lower:.6f} and {higher:.6f}", verdict, reason


def compare_runs(claim, tables):
    """Return (equal?, measured, reason) for the bits of two cells' runs."""
    first, second = (first_run(tables, cell) for cell in claim["cells"])
    first_draws, second_draws = (draws(tables, cell) for cell in claim["cells"])
    equal = first["val_loss"] == second["val_loss"]
    measured = f"{first['val_loss']:.17g} and {second['val_loss']:.17g}"
    reason = (
        f"losses are {'bitwise equal' if equal else 'not equal'}; initial kernels are "
        f"{'bitwise equal' if list(first_draws) == list(second_draws) else 'different draws'}"
        f" (op-level seeds {list_seeds(first_draws)} and {list_seeds(second_draws)})"
    )
    return equal, measured, reason


def draws(tables, cell):
    """Return {initial kernel hash: op-level seed} of the layers that draw, in model order."""
    layers = select(tables["layers"], cell)
    drawn = layers[(layers["repeat"] == layers["repeat"].min()) & layers["op_seed"].notna()]
    return dict(zip(drawn["initial_kernel_sha256"], drawn["op_seed"].astype(int), strict=True))


def list_seeds(drawn):
    """Return op-level seeds as text."""
    return ", ".join(map(str, drawn.values())) or "none"


def same_result(claim, tables):
    """Do two cells end at the same loss, bit for bit?"""
    equal, measured, reason = compare_runs(claim, tables)
    return measured, REPRODUCED if equal else REFUTED, reason


def different_result(claim, tables):
    """Do two cells end at different losses?"""
    equal, measured, reason = compare_runs(claim, tables)
    return measured, REFUTED if equal else REPRODUCED, reason


def rows_held_out(claim, tables):
    """Of cells that differ in rows only: are the rows that fit the number held out?"""
    runs = [first_run(tables, cell) for cell in claim["cells"]]
    distances = [abs(float(claim["published"]) - float(run["val_loss"])) for run in runs]
    fitting = runs[distances.index(min(distances))]
    measured = "; ".join(f"rows {run['rows']}: {run['val_loss']:.6f}" for run in runs)
    verdict = REPRODUCED if fitting["rows_role"] == "held_out" else REFUTED
    reason = (
        f"the number fits rows {fitting['rows']} ({min(distances):.6f} away), "
        f"which are {fitting['rows_role'].replace('_', ' ')} rows of that script"
    )
    return measured, verdict, reason


def layer_output_name(claim, tables):
    """Does the framework give the layer's output the published name?"""
    layers = select(tables["layers"], claim["cells"][0])
    names = sorted(set(layers.loc[layers["layer"] == claim["layer"], "output_name"]))
    if not names:
        raise CellNotRun(f"{name_cell(claim['cells'][0])}, layer {claim['layer']}")
    verdict = REPRODUCED if names == [claim["published"]] else NOT_REPRODUCED
    return ", ".join(names), verdict, f"the framework says {', '.join(names)}"


def layers_are_identities(claim, tables):
    """Does the layer give back its input, bit for bit, in every run of the cells?"""
    equal = 0
    checked = 0
    for cell in claim["cells"]:
        layers = select(tables["layers"], cell)
        chosen = layers[layers["layer"] == claim["layer"]]
        checked += len(chosen)
        equal += int((chosen["output_equals_input"].astype(str) == "True").sum())
    if not checked:
        raise CellNotRun(f"{name_cell(claim['cells'][0])}, layer {claim['layer']}")
    verdict = REPRODUCED if equal == checked else REFUTED
    return (
        f"{equal} of {checked}",
        verdict,
        f"bitwise equal on all rows in {equal} of {checked} runs",
    )


def same_up_to_spread(claim, tables):
    """Is the gap between two cells' means no larger than the spread over their repeats?"""
    first, second = (select(tables["runs"], cell) for cell in claim["cells"])
    repeats = min(len(first), len(second))
    if repeats < 2:
        return "one repeat", NOT_TESTED, "the spread needs at least 2 repeats (config: repeats)"
    gap = abs(first["val_loss"].mean() - second["val_loss"].mean())
    spread = max(cell["val_loss"].max() - cell["val_loss"].min() for cell in (first, second))
    starts = set(first["initial_weights_sha256"]) | set(second["initial_weights_sha256"])
    solved = len(starts) == 1 and gap <= spread
    reason = (
        f"over {repeats} repeats the means differ by {gap:.6f}, repeats of one variant by up to "
        f"{spread:.6f}; initial weights are {'all equal' if len(starts) == 1 else 'not all equal'}"
    )
    measured = f"{first['val_loss'].mean():.6f} and {second['val_loss'].mean():.6f}"
    return measured, REPRODUCED if solved else NOT_REPRODUCED, reason


def find_table(tables, name):
    """Return a table that not every configuration makes; raise CellNotRun if it was not made."""
    if name not in tables:
        raise CellNotRun(f"table {name}")
    return tables[name]


def find_row(table, **values):
    """Return the first row of a table with these values; raise CellNotRun if there is none."""
    chosen = table
    for column, value in values.items():
        chosen = chosen[chosen[column] == value]
    if chosen.empty:
        raise CellNotRun("/".join(map(str, values.values())))
    return chosen.iloc[0]


def cause_is(claim, tables):
    """Do the controls find this cause, and no other, for a comparison's difference?"""
    verdict = find_row(find_table(tables, "verdicts"), comparison=claim["comparison"])
    if verdict["causes"].startswith("undecided"):
        return verdict["causes"], NOT_TESTED, verdict["reason"]
    found = verdict["causes"] == claim["cause"]
    return f"cause: {verdict['causes']}", REPRODUCED if found else REFUTED, verdict["reason"]


def cannot_be_shown(claim, tables):
    """Does a comparison stay equal under a control, too?"""
    rows = find_table(tables, "controls")
    control = find_row(rows, comparison=claim["comparison"], control=claim["control"])
    published = find_row(rows, comparison=claim["comparison"], control="published")
    shown = control["observed"] == "differ"
    reason = (
        f"weights {published['observed']} as published and {control['observed']} under "
        f"{claim['control']} (losses {control['first_loss']:.6f} and {control['second_loss']:.6f})"
    )
    return control["observed"], REFUTED if shown else REPRODUCED, reason


def never_lower_from_same_start(claim, tables):
    """Does an architecture end lower than the first one from no start of the crossed runs?"""
    crossed = find_table(tables, "crossed")
    chosen = crossed[
        (crossed["environment"] == claim["environment"])
        & (crossed["architecture"] == claim["architecture"])
        & (crossed["rows"] == claim["rows"])
    ].drop_duplicates("start_sha256")
    if chosen.empty:
        raise CellNotRun(f"{claim['environment']}/{claim['architecture']}")
    differences = chosen["difference"]
    lower = int((differences < 0).sum())
    reason = (
        f"lower from {lower} of {len(chosen)} different starts, differences from "
        f"{differences.min():+.6f} to {differences.max():+.6f}; one seed of the data"
    )
    verdict = REFUTED if lower else REPRODUCED
    return f"lower from {lower} of {len(chosen)}", verdict, reason


def none_yet(claim, tables):
    """A claim that nothing in this workflow has tested."""
    return "", NOT_TESTED, "needs " + claim.get("needs", "a test")


TESTS = {
    test.__name__: test
    for test in (
        published_number,
        lower_loss,
        same_result,
        different_result,
        rows_held_out,
        layer_output_name,
        layers_are_identities,
        same_up_to_spread,
        cause_is,
        cannot_be_shown,
        never_lower_from_same_start,
        none_yet,
    )
}


def judge(claim, tables, tests=TESTS):
    """Return the row of claims.csv for a claim, whose test is one of `tests`."""
    try:
        measured, verdict, reason = tests[claim["test"]](claim, tables)
    except CellNotRun as missing:
        measured, verdict, reason = "", NOT_TESTED, f"not among the runs: {missing}"
    published = claim.get("published", "")
    tolerance = tolerance_of(published) if published else None
    return {
        "claim": claim["id"],
        "statement": claim["statement"],
        "place": claim["place"],
        "cells": name_subject(claim),
        "published": published,
        "tolerance": "" if tolerance is None else str(tolerance),
        "measured": measured,
        "verdict": verdict,
        "reason": reason,
    }


def name_subject(claim):
    """Return what a claim is about: its cells, its comparison, or its crossed runs."""
    if "cells" in claim:
        return "; ".join(map(name_cell, claim["cells"]))
    parts = ("comparison", "control", "environment", "architecture", "rows")
    return "/".join(claim[part] for part in parts if part in claim)


def judge_all(claims, tables, tests=TESTS):
    """Return claims.csv as a data frame: the claims that these tests decide, in their order."""
    rows = [judge(claim, tables, tests) for claim in claims if claim["test"] in tests]
    return pandas.DataFrame(rows, columns=list(COLUMNS["claims"]))
