"""What `make check` lets pass, and what it does not."""

import numpy
import pandas
import pytest
from bnyesno.check import MARGIN, compare

KERNEL, RANGE = 1e-5, 1e-3  # what the planted tables say of one processor, and of repeats
OLD, NEW = "avx avx2", "avx avx2 avx512f"


def make_run(instructions=OLD):
    """Return the tables of a run: one loss of tf.keras, one of keras, and what was measured."""
    runs = {
        "api": ["tf.keras", "keras"],
        "cpu_model": ["planted"] * 2,
        "cpu_instructions": [instructions] * 2,
        "val_loss": [0.75, 0.75],
        "initial_weights_sha256": ["a", "b"],
        "final_weights_sha256": ["c", "d"],
    }
    claims = {
        "cells": ["old/tf.keras/plain", "old/keras/plain"],
        "measured": ["0.75", "0.75"],
        "verdict": ["reproduced", "reproduced"],
    }
    return {
        "runs": pandas.DataFrame(runs),
        "claims": pandas.DataFrame(claims),
        "processor": pandas.DataFrame(
            {"difference": [-KERNEL], "largest_difference": [2 * KERNEL]}
        ),
        "spread": pandas.DataFrame({"api": ["keras"], "minimum": [0.5], "maximum": [0.5 + RANGE]}),
    }


def change(table, column, row, value, instructions=OLD):
    """Return {column: within the spread?} of what `compare` finds after one change."""
    fresh = make_run(instructions)
    fresh[table].loc[row, column] = value
    return {one.column: one.within for one in compare(make_run(), fresh)}


TF_KERAS, KERAS = 0, 1


def test_the_same_tables_do_not_differ():
    assert compare(make_run(), make_run()) == []


@pytest.mark.parametrize(
    ("row", "distance", "instructions", "within"),
    [
        (TF_KERAS, 1e-12, OLD, False),  # on one kind of processor every bit counts
        (TF_KERAS, 0.9 * MARGIN * KERNEL, NEW, True),
        (TF_KERAS, 1.1 * MARGIN * KERNEL, NEW, False),
        (TF_KERAS, numpy.nan, NEW, False),
        (KERAS, 0.9 * MARGIN * RANGE, OLD, True),
        (KERAS, 1.1 * MARGIN * RANGE, OLD, False),
        (KERAS, 1.1 * MARGIN * RANGE, NEW, False),
    ],
)
def test_numbers(row, distance, instructions, within):
    found = change("runs", "val_loss", row, 0.75 + distance, instructions)
    assert found["val_loss"] == within


@pytest.mark.parametrize(
    ("table", "column", "row", "instructions", "within"),
    [
        ("runs", "final_weights_sha256", TF_KERAS, OLD, False),
        ("runs", "final_weights_sha256", TF_KERAS, NEW, True),
        ("runs", "final_weights_sha256", KERAS, OLD, True),
        ("runs", "initial_weights_sha256", TF_KERAS, NEW, False),  # draws are the same everywhere
        ("claims", "measured", TF_KERAS, OLD, False),
        ("claims", "measured", KERAS, OLD, True),
        ("claims", "verdict", KERAS, NEW, False),
    ],
)
def test_text(table, column, row, instructions, within):
    assert change(table, column, row, "other", instructions)[column] == within


def test_lost_rows_and_columns_are_beyond():
    fresh = make_run()
    fresh["runs"] = fresh["runs"].iloc[:1].drop(columns="final_weights_sha256")
    found = {one.column: one.within for one in compare(make_run(), fresh)}
    assert found == {"final_weights_sha256": False, "number of rows": False}


def test_the_larger_spread_of_both_runs_counts():
    fresh = make_run()
    fresh["spread"]["maximum"] += 10 * RANGE
    fresh["runs"].loc[KERAS, "val_loss"] += 5 * MARGIN * RANGE
    found = {one.column: one.within for one in compare(make_run(), fresh)}
    assert found == {"val_loss": True, "maximum": True}


@pytest.mark.parametrize(("instructions", "within"), [(OLD, False), (NEW, True)])
def test_a_table_that_names_its_processor_is_judged_by_it(instructions, within):
    """The sweep may have run elsewhere than the rest."""
    reference, fresh = make_run(), make_run()
    for run, loss, made_on in ((reference, 0.75, OLD), (fresh, 0.75 + KERNEL, instructions)):
        run["releases"] = pandas.DataFrame({"cpu_instructions": [made_on], "val_loss": [loss]})
    found = {one.column: one.within for one in compare(reference, fresh)}
    assert found["val_loss"] == within
