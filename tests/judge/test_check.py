"""What `make check` lets pass, and what it does not: planted changes of the committed tables."""

import subprocess
from pathlib import Path

import numpy
import pandas
import pytest
from judge.check import (
    MARGIN,
    SHARES,
    Difference,
    compare,
    compare_table,
    describe,
    drop_untested,
    judge,
    keras_environments,
    kernel_limits,
    limit_of,
    main,
    processors_of,
    ranges_in_spread,
    ranges_of_repeats,
    repeat_limits,
    share_limits,
)
from judge.claims import NOT_TESTED
from judge.tables import DESCRIBED, NEAR, read_table, write_table
from repository import ROOT

OTHER = "avx avx2 fma"  # the instruction sets of another processor
TABLES = {path.stem: path for path in sorted((ROOT / "results/tables").glob("*.csv"))}
COLUMNS = [(table, column) for table in TABLES for column in DESCRIBED[table]]
WITH_KERAS = ("runs", "epochs", "steps", "layers", "spread", "claims")


@pytest.fixture(scope="module")
def committed():
    """The committed tables, {name: data frame}; long ones cut, so that a test is quick."""
    return {
        name: read_table(path).groupby(["api", "environment"]).head(400).reset_index(drop=True)
        if name in ("steps", "epochs")
        else read_table(path).head(400)
        for name, path in TABLES.items()
    }


def change(committed, table, column, row, value, instructions=None):
    """Return {column: within the spread?} of what is found in a table after one change of it."""
    changed = committed[table][column].astype(object)
    changed[row] = value
    fresh = dict(committed)
    fresh[table] = fresh[table].assign(**{column: changed.infer_objects()})
    if instructions:
        for name in {table, "runs"}:
            if "cpu_instructions" in fresh[name]:
                fresh[name] = fresh[name].assign(cpu_instructions=instructions)
    return {one.column: one.within for one in compare_table(table, committed, fresh)}


def another(value):
    """Return a value near another one, of its type."""
    if isinstance(value, bool | numpy.bool_):
        return not value
    if isinstance(value, str):
        return value + " (other words)"
    if pandas.isna(value):
        return 1.0
    return value + 1 if float(value).is_integer() else value * (1 + 1e-9)


def row_of(table, api):
    """Return the first row that is about an API; None if there is none."""
    if "cells" in table:
        about = table["cells"].fillna("").str.contains("/keras/", regex=False)
        chosen = table[about if api == "keras" else ~about]
    elif "api" in table:
        chosen = table[table["api"] == api]
    else:
        chosen = table if api == "tf.keras" else table[:0]
    return None if chosen.empty else chosen.index[0]


def test_the_same_tables_do_not_differ(committed):
    assert compare(committed, committed) == []


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_on_one_processor_nothing_of_tf_keras_may_differ(committed, table, column):
    row = row_of(committed[table], "keras" if table == "spread" else "tf.keras")
    value = another(committed[table].loc[row, column])
    found = change(committed, table, column, row, value)
    if DESCRIBED[table][column]["kind"] == "machine":
        assert found == {} or column == "cpu_instructions" or column == "cpu_model"
    elif table == "spread":  # about standalone keras alone
        assert set(found) == {column}
    else:
        assert found == {column: False}


NEVER = ("setting", "count", "verdict", "drawn")
FIXED = [
    (table, column, api)
    for table, column in COLUMNS
    for api in ("tf.keras", "keras")
    if DESCRIBED[table][column]["kind"] in NEVER
    and (table in WITH_KERAS if api == "keras" else table != "spread")
]


@pytest.mark.parametrize(("table", "column", "api"), FIXED)
def test_what_is_asked_for_counted_drawn_or_concluded_never_differs(committed, table, column, api):
    """On another processor and for standalone keras, too: a changed learning rate, a tolerance."""
    row = row_of(committed[table], api)
    value = another(committed[table].loc[row, column])
    assert change(committed, table, column, row, value, OTHER)[column] is False


@pytest.mark.parametrize(("factor", "within"), [(0.9, True), (1.1, False)])
@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [
        ("runs", "val_loss", "loss"),
        ("steps", "weight_sum", "weight"),
        ("effects", "mean_difference", "loss"),
    ],
)
def test_another_processor_may_move_numbers_as_far_as_its_kernel(
    committed, table, column, kind, factor, within
):
    row = row_of(committed[table][committed[table][column].notna()], "tf.keras")
    moved = committed[table].loc[row, column] + factor * kernel_limits(committed)[kind]
    assert change(committed, table, column, row, moved, OTHER)[column] is within
    assert change(committed, table, column, row, moved)[column] is False


def test_no_number_is_beyond(committed):
    row = row_of(committed["runs"], "tf.keras")
    assert change(committed, "runs", "val_loss", row, numpy.nan, OTHER)["val_loss"] is False


@pytest.mark.parametrize("environment", ["tf1.14-keras2.2.4", "tf2.0-keras2.3.1"])
@pytest.mark.parametrize(("table", "column"), [("runs", "val_loss"), ("steps", "weight_sum")])
def test_standalone_keras_may_move_as_far_as_its_repeats_there(
    committed, environment, table, column
):
    """Weights by weights, losses by losses; where all repeats are equal, nothing may differ."""
    rows = committed[table]
    rows = rows[(rows["api"] == "keras") & (rows["environment"] == environment)]
    limit = repeat_limits(table, column, committed)[environment, "1"]
    row, value = rows.index[0], rows[column].iloc[0]
    for factor, within in ((0.9, limit > 0), (1.1, False)):
        moved = value + max(factor * limit, 1e-12)
        assert change(committed, table, column, row, moved)[column] is within
    repeats = rows.groupby(
        [c for c in ("variant", "protocol", "rows", "step", "layer") if c in rows]
    )
    measured = (repeats[column].max() - repeats[column].min()).max()
    assert limit == pytest.approx(MARGIN * measured)


def test_a_run_cannot_widen_its_own_limits(committed):
    """One repeat of keras that went astray would else allow itself ten times its distance."""
    rows = committed["runs"]
    row = rows.index[(rows["api"] == "keras") & rows["environment"].str.contains("1.14")][0]
    astray = rows.loc[row, "val_loss"] + 1.0
    assert change(committed, "runs", "val_loss", row, astray)["val_loss"] is False


SHARE_COLUMNS = [
    (table, column)
    for table, column in COLUMNS
    if DESCRIBED[table][column]["kind"] in SHARES and table in ("effects", "study_cells")
]


@pytest.mark.parametrize(("table", "column"), SHARE_COLUMNS)
def test_shares_differ_by_the_seeds_near_the_threshold(committed, table, column):
    """On another processor as many seeds change sides as there are, and not one where none is."""
    rows, near = committed[table], DESCRIBED[table][column]["near"]
    factor, more = SHARES[DESCRIBED[table][column]["kind"]]
    there = rows[rows[column].notna() & (rows[near] > 0) & (rows["seeds"] == 2000)]
    row = there.index[0]
    for seeds, within in ((0, True), (1, False)):
        distance = factor * (there.loc[row, near] + seeds / 2000) + more / 2000
        for moved in (rows.loc[row, column] + distance, rows.loc[row, column] - distance):
            moved += 1e-9 * (rows.loc[row, column] - moved)  # last digits of the sums
            assert change(committed, table, column, row, moved, OTHER)[column] is within
            assert change(committed, table, column, row, moved)[column] is False
    alone = committed | {table: rows.assign(**{near: 0.0})}
    value = rows.loc[row, column] + 1e-9
    assert change(alone, table, column, row, value, OTHER)[column] is False


def test_an_end_of_an_interval_moves_at_most_twice_as_far_as_its_share():
    """Wilson's interval at 95 % of 40 pairs, of which one changes sides."""
    z, pairs = 1.96, 40
    shares = numpy.arange(pairs + 1) / pairs
    middle = shares + z**2 / 2 / pairs
    half = z * (shares * (1 - shares) / pairs + (z / 2 / pairs) ** 2) ** 0.5
    factor, _ = SHARES["share_end"]
    for end in (middle - half, middle + half):
        assert numpy.diff(end / (1 + z**2 / pairs)).max() <= factor / pairs
    assert SHARES["share"] == (1, 0)
    assert SHARES["percentile"] == (100, 0)


def test_shares_differ_by_more_where_losses_may_differ_by_more():
    rows = pandas.DataFrame({"near": [0.01, 0.01, 0.01, 0.0], "seeds": 100})
    limits = numpy.array([0.0, NEAR / 2, NEAR, NEAR])
    assert list(share_limits(rows, "near", (1, 0), limits)) == pytest.approx([0, 0.01, 0.02, 0])
    assert list(share_limits(rows, "near", (2, 4), limits)) == pytest.approx([0, 0.06, 0.08, 0])


def test_what_depends_on_the_last_bit_may_differ_on_another_processor_only(committed):
    for table, column in (("runs", "final_weights_sha256"), ("controls", "observed")):
        row = row_of(committed[table], "tf.keras")
        assert change(committed, table, column, row, "other", OTHER)[column] is True
        assert change(committed, table, column, row, "other")[column] is False


def test_words_never_differ_and_their_numbers_where_losses_may(committed):
    claims = committed["claims"]
    row = claims.index[claims["reason"].str.contains("0.000002 away")][0]
    reason = claims.loc[row, "reason"]
    moved = reason.replace("0.000002 away", "0.000013 away")
    assert change(committed, "claims", "reason", row, moved, OTHER)["reason"] is True
    assert change(committed, "claims", "reason", row, moved)["reason"] is False
    other = reason.replace("away", "beyond")
    assert change(committed, "claims", "reason", row, other, OTHER)["reason"] is False


def test_lost_rows_and_columns_are_beyond(committed):
    fresh = dict(committed)
    fresh["runs"] = fresh["runs"].iloc[:-1].drop(columns="final_weights_sha256")
    found = {one.column: one.within for one in compare(committed, fresh)}
    assert found == {"final_weights_sha256": False, "number of rows": False}


@pytest.mark.parametrize(("instructions", "within"), [(None, False), (OTHER, True)])
def test_a_table_that_names_its_processor_is_judged_by_it(committed, instructions, within):
    """The sweep may have run elsewhere than the rest."""
    fresh = dict(committed)
    fresh["releases"] = committed["releases"].copy()
    fresh["releases"].loc[0, "val_loss"] += 1e-6
    if instructions:
        fresh["releases"]["cpu_instructions"] = instructions
    found = {one.column: one.within for one in compare(committed, fresh)}
    assert found["val_loss"] is within


@pytest.mark.parametrize("kind", NEVER)
def test_however_far_losses_may_move_nothing_else_does(kind):
    rows = pandas.DataFrame({"value": [1, 2]})
    found = judge("table", "value", kind, rows, rows + 1, numpy.array([1e9, 1e9]))
    assert (found.rows, found.within) == (2, False)


def test_numbers_may_differ_by_their_limits_each():
    old, new = (pandas.DataFrame({"value": values}) for values in ([1.0, 2.0], [1.5, 1.75]))
    for limits, within in (([0.5, 0.25], True), ([0.5, 0.2], False), ([0.4, 0.3], False)):
        found = judge("table", "value", "loss", old, new, numpy.array(limits))
        assert found == Difference("table", "value", 2, 0.5, max(limits), within)


def test_words_may_differ_in_numbers_only_where_all_rows_may():
    old, new = (pandas.DataFrame({"value": [f"by {n}", f"of {n}"]}) for n in (1, 2))
    for limits, within in (([1.0, 1.0], True), ([1.0, 0.0], False)):
        assert judge("table", "value", "words", old, new, numpy.array(limits)).within is within


def test_a_row_may_differ_by_all_that_it_is_about():
    """By the kernel, and by the repeats of each environment whose keras it names."""
    kernel, repeats = {"loss": 1.0, "weight": 2.0}, {("a", "1"): 10.0, ("b", "1"): 20.0}
    repeats |= {("a", "default"): 40.0}
    for row, kind, expected in (
        ({"environment": "a", "api": "tf.keras"}, "loss", 1.0),
        ({"environment": "a", "api": "keras"}, "weight", 12.0),
        ({"environment": "a", "api": "keras", "threads": "default"}, "loss", 41.0),
        ({"environment": "c", "api": "keras"}, "bit", 1.0),
        ({"cells": "a/keras/x/p; b/keras/y/p; b/keras/z/p"}, "words", 31.0),
        ({"cells": "a/tf.keras/keras/keras"}, "words", 1.0),
        ({"cells": "comparison"}, "words", 1.0),
    ):
        assert limit_of(pandas.Series(row), kind, kernel, repeats) == expected


def test_environments_of_keras_are_those_that_a_claim_names():
    named = pandas.Series({"cells": "a/keras/x/p; b/tf.keras/y/p; c/keras/z/p"})
    assert keras_environments(named) == {"a", "c"}


def test_repeats_are_taken_within_a_cell():
    """Also where a setting is empty; where no repeat has a value, nothing may differ."""
    rows = pandas.DataFrame(
        {
            "environment": ["a", "a", "a", "a", "b", "b"],
            "api": "keras",
            "step": [1, 1, None, None, 1, 1],
            "repeat": [1, 2, 1, 2, 1, 2],
            "loss": [1.0, 1.5, 9.0, 7.0, numpy.nan, numpy.nan],
        }
    )
    assert ranges_of_repeats("steps", rows, "loss") == {("a", "1"): 2.0, ("b", "1"): 0.0}


def test_the_largest_range_with_as_many_threads_counts_where_repeats_differ():
    """Five repeats of an environment may lie together by chance, though they race as elsewhere."""
    spread = pandas.DataFrame(
        {
            "environment": ["a", "a", "a", "b", "b"],
            "threads": [1, 1, "default", 1, "default"],
            "minimum": [1.0, 1.0, 1.0, 5.0, 5.0],
            "maximum": [1.5, 1.25, 4.0, 5.0, 5.125],
        }
    )
    expected = {("a", "1"): 0.5, ("a", "default"): 3.0, ("b", "default"): 3.0}
    assert ranges_in_spread(spread) == expected
    assert ranges_in_spread(None) == {}
    reference = {"claims": pandas.DataFrame(columns=list(DESCRIBED["claims"])), "spread": spread}
    found = repeat_limits("claims", "reason", reference)
    assert found == {key: MARGIN * value for key, value in expected.items()}


def test_the_kernel_is_measured_by_its_largest_differences():
    measured = pandas.DataFrame({"difference": [-3.0, 1.0], "largest_difference": [2.0, 5.0]})
    limits = {"loss": MARGIN * 3.0, "weight": MARGIN * 5.0}
    assert kernel_limits({"processor": measured}) == limits
    assert kernel_limits({}) == {"loss": 0.0, "weight": 0.0}


def test_processors_are_told_apart_by_kind_not_by_rows():
    """Nor by words that a machine does not say."""
    machine = {"cpu_model": ["m", "m"], "cpu_instructions": [numpy.nan, numpy.nan]}
    runs = pandas.DataFrame(machine)
    assert processors_of({"runs": runs}, "runs") == processors_of({"runs": runs[1:]}, "runs")
    assert processors_of({"runs": runs.assign(cpu_model="n")}, "runs") != processors_of(
        {"runs": runs}, "runs"
    )


def test_differences_are_a_table_with_a_heading():
    lines = describe(
        [
            Difference("runs", "val_loss", 3, 0.125, 0.25, True),
            Difference("claims", "verdict", 1, numpy.nan, numpy.nan, False),
        ]
    )
    assert [line.split() for line in lines] == [
        ["table", "column", "rows", "largest", "allowed"],
        ["runs", "val_loss", "3", "0.12", "0.25", "within", "the", "spread"],
        ["claims", "verdict", "1", "-", "-", "BEYOND", "the", "spread"],
    ]


def test_rows_that_are_too_many_are_counted(committed):
    fresh = committed | {"runs": committed["runs"].iloc[:-3]}
    (found,) = compare(committed, fresh)
    assert (found.column, found.rows, found.within) == ("number of rows", 3, False)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """run(*options): (exit status, what is printed) of the command, in a repository of its own.

    It holds runs.csv and processor.csv, as committed, and a file that is no table.
    """
    folder = tmp_path / "results/tables"
    folder.mkdir(parents=True)
    for name in ("runs", "processor"):
        write_table(read_table(TABLES[name]).head(40), folder / f"{name}.csv")
    (folder / "study.parquet").write_bytes(b"no table")
    monkeypatch.chdir(tmp_path)
    person = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], [*person, "commit", "-q", "-m", "Tables"]):
        subprocess.run(["git", *command], check=True)

    def run(*options):
        monkeypatch.setattr("sys.argv", ["judge.check", *options])
        try:
            status = main() or 0
        except SystemExit as leaving:
            status = leaving.code
        return status, capsys.readouterr().out

    return run


def edit(column, value, **machine):
    """Set a column of the first row of runs.csv, and what is said of the machine everywhere."""
    path = Path("results/tables/runs.csv")
    table = read_table(path).assign(**machine)
    table.loc[0, column] = value(table.loc[0, column])
    write_table(table, path)


def test_the_same_bytes_are_told(run):
    assert run() == (0, "All 2 tables are those of HEAD, byte for byte.\n")


@pytest.mark.parametrize(
    ("column", "value", "status", "said"),
    [
        ("val_loss", lambda loss: loss + 1e-6, 1, "within the spread."),
        ("val_loss", lambda loss: loss + 1, 2, "1 columns beyond the spread."),
        ("learning_rate", lambda rate: rate * 1.05, 2, "1 columns beyond the spread."),
    ],
)
def test_the_exit_status_says_how_far(run, column, value, status, said):
    edit(column, value, cpu_instructions=OTHER)
    found, printed = run()
    heading, line, last = printed.splitlines()
    assert (found, last) == (status, f"1 of 2 tables differ from HEAD: {said}")
    assert heading.startswith("table ")
    assert line.split()[:3] == ["runs", column, "1"]


def test_claims_that_only_the_study_tests_are_named_and_not_compared():
    """As after `make reproduce`, where the commit has the claims of `make study`, too."""
    committed = {"claims": read_table(TABLES["claims"]), "runs": read_table(TABLES["runs"])}
    fresh = dict(committed, claims=committed["claims"].copy())
    of_study = fresh["claims"]["claim"] == "small_batches_are_bad"
    told = ["measured", "verdict", "reason"]
    fresh["claims"].loc[of_study, told] = ["", NOT_TESTED, "make study"]
    assert {one.column for one in compare(committed, fresh)} == set(told)
    assert drop_untested(committed, fresh) == ["small_batches_are_bad"]
    assert compare(committed, fresh) == []
    fresh["claims"].loc[0, "verdict"] = "refuted"
    (found,) = compare(committed, fresh)
    assert (found.column, found.within) == ("verdict", False)
    assert drop_untested({}, fresh) == []


def test_other_tables_and_another_commit_can_be_named(run):
    edit("variant", str.upper)
    assert run()[0] == 2
    Path("results/tables").rename("other")
    with pytest.raises(ValueError, match="HEAD has no other; expected committed tables"):
        run("--tables", "other")
    with pytest.raises(ValueError, match=r"git ls-tree: .*v0"):
        run("--reference", "v0")


def test_tables_that_are_not_there_are_named(run):
    Path("results/tables/runs.csv").unlink()
    said = "Committed tables are missing: results/tables/runs.csv. Run `make reproduce`.\n"
    assert run() == (2, said)
