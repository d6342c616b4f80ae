"""Deciding the claims of the page from the tables.

A test takes a claim (an entry of claims.yaml) and the tables that schemas/claims.yaml lists for the
test, and returns (measured, verdict, reason). Numbers in reasons are the measured ones.
"""

import argparse
import importlib
from decimal import Decimal
from enum import StrEnum
from itertools import combinations
from pathlib import Path

import numpy
import pandas
from plan.cells import Cell, name_cell
from plan.claims import TESTS, Claim, read_claims
from plan.runs import PUBLISHED

from judge.compare import DIFFER, NO_STATEMENT, UNDECIDED, equal_losses
from judge.tables import make_frame, read_table, rows_where, write_table


class Verdict(StrEnum):
    """The answer to a claim."""

    REPRODUCED = "reproduced"
    WITHIN = "within 0.001"
    NOT_REPRODUCED = "not reproduced"
    REFUTED = "refuted"
    NOT_TESTED = "not tested yet"


REPRODUCED, WITHIN, NOT_REPRODUCED, REFUTED, NOT_TESTED = Verdict

# Means of repeats differ at this level of an exact permutation test; both sides are counted.
PERMUTATION_LEVEL = 0.05

Tables = dict[str, pandas.DataFrame]
Decision = tuple[str, Verdict, str]  # measured, verdict, reason


class CellNotRun(Exception):
    """The tables have no row for a cell that a claim is about."""


class NoStatement(Exception):
    """The rows that a claim is about are there, but allow no verdict."""


def select(table: pandas.DataFrame, cell: Cell) -> pandas.DataFrame:
    """Return the table's rows for a cell, in the table's order; raise CellNotRun if none."""
    chosen = rows_where(table, **{part: value for part, value in cell.items() if part in table})
    if chosen.empty:
        raise CellNotRun(name_cell(cell))
    return chosen


def tolerance_of(published: str) -> Decimal | None:
    """Return half a unit of the last printed digit, as Decimal, or None for text."""
    try:
        exponent = Decimal(published).as_tuple().exponent
    except ArithmeticError:
        return None
    return Decimal(5).scaleb(exponent - 1) if isinstance(exponent, int) else None


def judge_number(published: str, measured: float) -> Verdict:
    """Return the verdict for a published number (as printed) and a measured float."""
    distance = abs(Decimal(published) - Decimal(measured))
    if distance <= (tolerance_of(published) or 0):
        return REPRODUCED
    return WITHIN if distance <= Decimal("0.001") else NOT_REPRODUCED


def published_number(claim: Claim, tables: Tables) -> Decision:
    """Does the measured loss round to the published digits?"""
    measured = loss_of(tables, claim["cells"][0])
    published = claim["published"]
    digits = -int(Decimal(published).as_tuple().exponent)
    reason = (
        f"measured {measured:.{digits}f} at the printed precision, "
        f"{abs(Decimal(published) - Decimal(measured)):.6f} away from {published}"
    )
    return f"{measured:.17g}", judge_number(published, measured), reason


def lower_loss(claim: Claim, tables: Tables) -> Decision:
    """Is the first cell's loss lower than the second's?"""
    lower, higher = (loss_of(tables, cell) for cell in claim["cells"])
    reason = (
        f"the first is {'lower' if lower < higher else 'not lower'} "
        f"(difference {lower - higher:+.6f}); one seed, so no statement about others"
    )
    verdict = REPRODUCED if lower < higher else REFUTED
    return f"{lower:.6f} and {higher:.6f}", verdict, reason


def compare_bits(claim: Claim, tables: Tables) -> tuple[bool, str, str]:
    """Return (equal?, measured, reason) for the bits of two cells' runs."""
    losses = [loss_of(tables, cell) for cell in claim["cells"]]
    kernels, seeds = zip(*(draws(tables, cell) for cell in claim["cells"]), strict=True)
    equal = equal_losses(*losses)
    reason = (
        f"losses are {'bitwise equal' if equal else 'not equal'}; initial kernels are "
        f"{'bitwise equal' if len(set.union(*kernels)) <= 1 else 'different draws'}"
        f" ({' and '.join(seeds)})"
    )
    return equal, f"{losses[0]:.17g} and {losses[1]:.17g}", reason


def loss_of(tables: Tables, cell: Cell) -> float:
    """Return the loss that a cell ends at, in every repeat.

    Raises NoStatement where the loss is no number, and where the repeats end at different losses: a
    statement about the cell means one loss.
    """
    losses = select(tables["runs"], cell)["val_loss"].to_numpy(dtype=float)
    if not numpy.isfinite(losses).all():
        found = ", ".join(map(str, losses))
        raise NoStatement(f"the training of {name_cell(cell)} has diverged: its loss is {found}")
    different = len({loss.tobytes() for loss in losses})
    if different > 1:
        raise NoStatement(
            f"the {len(losses)} repeats of {name_cell(cell)} end at {different} different losses"
        )
    return float(losses[0])


def draws(tables: Tables, cell: Cell) -> tuple[set[tuple], str]:
    """Return what the repeats of a cell drew, a set of tuples of hashes, and their seeds as text.

    The hashes tell the numbers that were drawn. Not every release has op-level seeds.
    """
    layers = select(tables["layers"], cell)
    drawn = layers[layers["draws"]]
    if drawn["initial_kernel_sha256"].isna().any():
        raise CellNotRun(f"{name_cell(cell)}, the hash of an initial kernel")
    kernels = {tuple(rows) for _, rows in drawn.groupby("repeat")["initial_kernel_sha256"]}
    seeds = {tuple(rows.dropna()) for _, rows in drawn.groupby("repeat")["op_seed"]} - {()}
    texts = [", ".join(str(int(seed)) for seed in found) for found in sorted(seeds)]
    return kernels, f"op-level seeds {' or '.join(texts)}" if texts else "no op-level seeds"


def same_result(claim: Claim, tables: Tables) -> Decision:
    """Do two cells end at the same loss, bit for bit?"""
    equal, measured, reason = compare_bits(claim, tables)
    return measured, REPRODUCED if equal else REFUTED, reason


def different_result(claim: Claim, tables: Tables) -> Decision:
    """Do two cells end at different losses?"""
    equal, measured, reason = compare_bits(claim, tables)
    return measured, REFUTED if equal else REPRODUCED, reason


def rows_held_out(claim: Claim, tables: Tables) -> Decision:
    """Of cells that differ in rows only: are the rows that fit the number held out?"""
    runs = [select(tables["runs"], cell).iloc[0] for cell in claim["cells"]]
    losses = [loss_of(tables, cell) for cell in claim["cells"]]
    measured = "; ".join(
        f"rows {run['rows']}: {loss:.6f}" for run, loss in zip(runs, losses, strict=True)
    )
    fitting = [
        (run, loss)
        for run, loss in zip(runs, losses, strict=True)
        if judge_number(claim["published"], loss) != NOT_REPRODUCED
    ]
    roles = {run["rows_role"] for run, _ in fitting}
    if len(roles) != 1:
        found = "rows of both kinds" if fitting else "none of these rows"
        raise NoStatement(f"the number fits {found} within 0.001 ({measured})")
    run, loss = fitting[0]
    reason = (
        f"the number fits rows {run['rows']} ({abs(float(claim['published']) - loss):.6f} away), "
        f"which are {run['rows_role'].replace('_', ' ')} rows of that script"
    )
    return measured, REPRODUCED if roles == {"held_out"} else REFUTED, reason


def layer_output_name(claim: Claim, tables: Tables) -> Decision:
    """Does the framework give the layer's output the published name?"""
    layers = select(tables["layers"], claim["cells"][0])
    names = sorted(set(layers.loc[layers["layer"] == claim["layer"], "output_name"]))
    if not names:
        raise CellNotRun(f"{name_cell(claim['cells'][0])}, layer {claim['layer']}")
    verdict = REPRODUCED if names == [claim["published"]] else NOT_REPRODUCED
    return ", ".join(names), verdict, f"the framework says {', '.join(names)}"


def layers_are_identities(claim: Claim, tables: Tables) -> Decision:
    """Does the layer give back its input, bit for bit, in every run of the cells?"""
    equal = 0
    checked = 0
    for cell in claim["cells"]:
        layers = select(tables["layers"], cell)
        chosen = layers[layers["layer"] == claim["layer"]]
        if chosen.empty:
            raise CellNotRun(f"{name_cell(cell)}, layer {claim['layer']}")
        checked += len(chosen)
        equal += int(chosen["output_equals_input"].eq(True).sum())
    verdict = REPRODUCED if equal == checked else REFUTED
    return (
        f"{equal} of {checked}",
        verdict,
        f"bitwise equal on all rows in {equal} of {checked} runs",
    )


def same_up_to_spread(claim: Claim, tables: Tables) -> Decision:
    """Do two cells differ by no more than their repeats do, from the same initial weights?

    An exact permutation test decides whether the means differ (`permutation_share`). Where the
    repeats are too few for the test to find any difference, there is no statement.
    """
    first, second = (select(tables["runs"], cell) for cell in claim["cells"])
    losses = [cell["val_loss"].to_numpy() for cell in (first, second)]
    if not all(numpy.isfinite(values).all() for values in losses):
        raise NoStatement("a repeat has diverged: its loss is no finite number")
    starts = set(first["initial_weights_sha256"]) | set(second["initial_weights_sha256"])
    fewest, share = permutation_share(*losses)
    if len(starts) == 1 and fewest > PERMUTATION_LEVEL:
        raise NoStatement(
            f"{len(first)} and {len(second)} repeats cannot show a difference at the level "
            f"{PERMUTATION_LEVEL} (config: repeats)"
        )
    solved = len(starts) == 1 and share > PERMUTATION_LEVEL
    gap = abs(losses[0].mean() - losses[1].mean())
    reason = (
        f"the means differ by {gap:.6f}, as much as in {share:.3g} of all ways to divide the "
        f"{len(first) + len(second)} repeats (level {PERMUTATION_LEVEL}); initial weights are "
        f"{'all equal' if len(starts) == 1 else 'not all equal'}"
    )
    measured = f"{losses[0].mean():.6f} and {losses[1].mean():.6f}"
    return measured, REPRODUCED if solved else NOT_REPRODUCED, reason


def permutation_share(first: numpy.ndarray, second: numpy.ndarray) -> tuple[float, float]:
    """Return (the least share that the test can give, the share that it gives).

    The exact two-sided permutation test of the difference of means of two float arrays: the share
    of all divisions of the values into groups of these sizes whose means differ at least as much.
    """
    values = numpy.concatenate([first, second])
    chosen = numpy.array(list(combinations(range(len(values)), len(first))))
    sums = values[chosen].sum(axis=1)
    means = sums / len(first) - (values.sum() - sums) / len(second)
    # The last digits of a sum depend on its order. Sums that differ in these digits are equal here.
    within = abs(means[0]) - 1e-12 * numpy.abs(values).max()
    both_sides = 1 if len(first) != len(second) else 2
    return both_sides / len(chosen), float((numpy.abs(means) >= within).mean())


def find_table(tables: Tables, name: str) -> pandas.DataFrame:
    """Return a table. Raises NoStatement, naming the command that makes the table, if missing."""
    if name not in tables:
        command = "make study" if name.startswith("sensitivity") else "make reproduce"
        raise NoStatement(f"{command} makes {name}.csv, which decides it")
    return tables[name]


def find_rows(tables: Tables, name: str, **values: object) -> pandas.DataFrame:
    """Return the rows of a table with these values.

    Raises NoStatement where there is no table, CellNotRun where the table has no such row.
    """
    chosen = rows_where(find_table(tables, name), **values)
    if chosen.empty:
        raise CellNotRun("/".join(map(str, values.values())))
    return chosen


def cause_is(claim: Claim, tables: Tables) -> Decision:
    """Do the controls find this cause, and no other, for a comparison's difference?"""
    verdict = find_rows(tables, "verdicts", comparison=claim["comparison"]).iloc[0]
    if verdict["causes"].startswith(UNDECIDED):
        return verdict["causes"], NOT_TESTED, verdict["reason"]
    found = verdict["causes"] == claim["cause"]
    return f"cause: {verdict['causes']}", REPRODUCED if found else REFUTED, verdict["reason"]


def cannot_be_shown(claim: Claim, tables: Tables) -> Decision:
    """Does a comparison stay equal under a control, too?"""
    control, published = (
        find_rows(tables, "controls", comparison=claim["comparison"], control=name).iloc[0]
        for name in (claim["control"], PUBLISHED)
    )
    if NO_STATEMENT in (control["observed"], published["observed"]):
        raise NoStatement(f"the control {claim['control']} made no statement")
    shown = DIFFER in (control["observed"], published["observed"])
    reason = (
        f"weights {published['observed']} as published and {control['observed']} under "
        f"{claim['control']} (losses {control['first_loss']:.6f} and {control['second_loss']:.6f})"
    )
    return control["observed"], REFUTED if shown else REPRODUCED, reason


def never_lower_from_same_start(claim: Claim, tables: Tables) -> Decision:
    """Does an architecture end lower than the first one from no start of the crossed runs?"""
    wanted = {name: claim[name] for name in ("environment", "architecture", "rows")}
    chosen = find_rows(tables, "crossed", **wanted)
    if not numpy.isfinite(chosen["difference"].astype(float)).all():
        raise NoStatement("a crossed run has diverged: its loss is no finite number")
    # Of runs from one start, the one that speaks most against the claim counts.
    chosen = chosen.sort_values("difference", kind="stable").drop_duplicates("start_sha256")
    differences = chosen["difference"]
    lower = int((differences < 0).sum())
    reason = (
        f"lower from {lower} of {len(chosen)} different starts, differences from "
        f"{differences.min():+.6f} to {differences.max():+.6f}; one seed of the data"
    )
    verdict = REFUTED if lower else REPRODUCED
    return f"lower from {lower} of {len(chosen)}", verdict, reason


def none_yet(claim: Claim, tables: Tables) -> Decision:
    """A claim that nothing in this workflow has tested."""
    return "", NOT_TESTED, "needs " + claim.get("needs", "a test")


def judge(claim: Claim, tables: Tables) -> dict[str, str]:
    """Return the row of claims.csv for a claim."""
    test = TESTS[claim["test"]]
    decide = getattr(importlib.import_module(test.module), claim["test"])
    try:
        measured, verdict, reason = decide(
            claim, {name: tables[name] for name in test.reads if name in tables}
        )
    except CellNotRun as missing:
        measured, verdict, reason = "", NOT_TESTED, f"not among the runs: {missing}"
    except NoStatement as why:
        measured, verdict, reason = "", NOT_TESTED, str(why)
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


def name_subject(claim: Claim) -> str:
    """Return the subject of a claim as text: its cells, its comparison, or its crossed runs."""
    if "cells" in claim:
        return "; ".join(map(name_cell, claim["cells"]))
    parts = ("comparison", "control", "environment", "architecture", "rows")
    return "/".join(claim[part] for part in parts if part in claim)


def judge_all(claims: list[Claim], tables: Tables) -> pandas.DataFrame:
    """Return claims.csv: every claim, in their order."""
    return make_frame("claims", (judge(claim, tables) for claim in claims))


def main() -> None:
    """Decide every claim of claims.yaml from the tables, and write claims.csv."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--claims", type=Path, required=True, help="claims.yaml")
    parser.add_argument("--tables", type=Path, required=True, nargs="*", help="runs.csv, ...")
    parser.add_argument("--output", type=Path, required=True, help="claims.csv")
    parser.add_argument("--only", nargs="*", help="identifiers of claims (default: all)")
    options = parser.parse_args()
    listed = read_claims(options.claims)
    if options.only:
        listed = [claim for claim in listed if claim["id"] in options.only]
    tables = {path.stem: read_table(path) for path in options.tables}
    write_table(judge_all(listed, tables), options.output)
