"""How far the tables of a run are from those of another one, and how far they may be.

The rule, derived from what the workflow itself measures:

- On one kind of processor (`cpu_model` and `cpu_instructions` of the table, or else of runs.csv) a
  run of tf.keras gives the same bits every time: nothing may differ.
- On another kind the matrix kernel is another one. A loss may differ by MARGIN times the largest
  difference that the kernel makes in processor.csv, a weight by MARGIN times the largest of one.
- Standalone keras is not reproducible: by MARGIN times the largest range of repeats in spread.csv.
- What is said of single bits (BITS) may differ wherever numbers may. Everything else, the verdicts
  of the claims first, may not differ at all.
"""

from typing import NamedTuple

import numpy
import pandas

# Two processors, without and with AVX-512, differed by 2.4 times what the kernels of one did.
MARGIN = 10
WEIGHTS = ("weight_sum", "largest_difference", "value")
BITS = (
    *("cpu_model", "cpu_instructions", "first_difference_step", "distinct_trajectories"),
    *("observed", "causes", "reason", "measured", "same_trajectory", "same_val_loss"),
    *("computation_alone", "draws_alone", "evaluation_alone", "equals_first_variant"),
)
DRAWN = ("initial", "start")  # hashes of what is drawn, on every processor the same
# Numbers and bits of one kind of processor only; of standalone keras; equal for everyone.
PROCESSOR, REPEATS, EXACT = "processor", "repeats", "exact"


class Difference(NamedTuple):
    """One column of one table in which two runs differ."""

    table: str
    column: str
    rows: int
    largest: float  # largest absolute difference; NaN where it is no number
    allowed: float  # NaN where it is no number
    within: bool


def compare(reference, fresh):
    """Return a Difference for each column that differs between two sets of tables.

    Both are {name: data frame}; a table that one of them lacks is not compared.
    """
    spread = spread_of(reference, fresh)
    one_processor = {(PROCESSOR, kind): 0.0 for kind in ("loss", "weight")}
    differences = []
    for name in reference:
        if name in fresh:
            same = processors_of(reference, name) == processors_of(fresh, name)
            allowed = {**spread, **one_processor} if same else spread
            differences += compare_table(name, reference[name], fresh[name], allowed)
    return differences


def spread_of(*runs):
    """Return {(source, kind): largest allowed difference}; kind is "loss" or "weight".

    The spread is the larger one measured in any of the runs, each {name: data frame}.
    """
    allowed = {(EXACT, kind): 0.0 for kind in ("loss", "weight")}
    for source, kind, measure in (
        (PROCESSOR, "loss", lambda run: run["processor"]["difference"].abs()),
        (PROCESSOR, "weight", lambda run: run["processor"]["largest_difference"]),
        (REPEATS, "loss", lambda run: run["spread"]["maximum"] - run["spread"]["minimum"]),
        (REPEATS, "weight", lambda run: run["spread"]["maximum"] - run["spread"]["minimum"]),
    ):
        table = "spread" if source == REPEATS else "processor"
        measured = [measure(run).max() for run in runs if table in run]
        allowed[source, kind] = MARGIN * max(measured, default=0.0)
    return allowed


def processors_of(run, name):
    """Return the kinds of processor that a table was made on: its own word, or else runs.csv's."""
    table = run[name] if "cpu_instructions" in run[name] else run["runs"]
    table = table.reindex(columns=["cpu_model", "cpu_instructions"])
    return frozenset(table.fillna("unknown").itertuples(index=False, name=None))


def compare_table(name, reference, fresh, allowed):
    """Yield a Difference for each column of one table; rows are compared in their order."""
    for column in sorted(set(reference) ^ set(fresh)):
        yield Difference(name, column, len(fresh), numpy.nan, numpy.nan, False)
    if len(reference) != len(fresh):
        counts = abs(len(reference) - len(fresh))
        yield Difference(name, "number of rows", counts, numpy.nan, numpy.nan, False)
        return
    sources = sources_of(reference)
    for column in reference.columns.intersection(fresh.columns, sort=False):
        first, second = reference[column], fresh[column]
        differing = ~((first == second) | (first.isna() & second.isna()))
        if differing.any():
            yield judge(name, column, first[differing], second[differing], sources, allowed)


def sources_of(table):
    """Return for each row what its numbers may depend on: PROCESSOR or REPEATS."""
    keras = table["api"] == "keras" if "api" in table else False
    if "cells" in table:
        keras = table["cells"].fillna("").str.contains("/keras/", regex=False)
    return pandas.Series(numpy.where(keras, REPEATS, PROCESSOR), index=table.index)


def judge(name, column, first, second, sources, allowed):
    """Return the Difference of the differing rows of a column."""
    sources = sources[first.index]
    if column in BITS or (column.endswith("sha256") and not column.startswith(DRAWN)):
        within = all(allowed[source, "loss"] > 0 for source in sources.unique())
        return Difference(name, column, len(first), numpy.nan, numpy.nan, within)
    if not all(pandas.api.types.is_float_dtype(values) for values in (first, second)):
        return Difference(name, column, len(first), numpy.nan, numpy.nan, False)
    kind = "weight" if column in WEIGHTS else "loss"
    limits = sources.map({source: allowed[source, kind] for source in (PROCESSOR, REPEATS)})
    distance = (first - second).abs().fillna(numpy.inf)
    return Difference(
        *(name, column, len(first), distance.max(), limits.max()), bool((distance <= limits).all())
    )


def describe(differences):
    """Return the differences as lines of text, a heading first."""
    lines = [f"{'table':<16} {'column':<26} {'rows':>6} {'largest':>9} {'allowed':>9}"]
    for one in differences:
        numbers = [
            "-" if numpy.isnan(value) else f"{value:.2g}" for value in (one.largest, one.allowed)
        ]
        verdict = "within the spread" if one.within else "BEYOND the spread"
        lines.append(
            f"{one.table:<16} {one.column:<26} {one.rows:>6} {numbers[0]:>9} {numbers[1]:>9}"
            f"  {verdict}"
        )
    return lines
