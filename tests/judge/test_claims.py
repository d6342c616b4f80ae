"""Every way to decide a claim, on tables whose answer is known, with every verdict it can give."""

import inspect
from math import inf, nan, nextafter

import numpy
import pandas
import pytest
from judge import claims
from judge.claims import (
    NOT_REPRODUCED,
    NOT_TESTED,
    REFUTED,
    REPRODUCED,
    WITHIN,
    judge,
    judge_all,
    judge_number,
    permutation_share,
    tolerance_of,
)
from judge.tables import COLUMNS, make_table, read_table
from plan.claims import TESTS, read_claims
from planted import make_record
from publish import summary
from repository import ROOT

from page import study_claims

EMPTY = {name: pandas.DataFrame(columns=list(COLUMNS[name])) for name in COLUMNS}
CELL = {"environment": "tf1.14-keras2.2.4", "api": "tf.keras", "protocol": "question", "seed": 3}


def cell(variant, rows="90:100"):
    """Return a cell as a claim names it."""
    return CELL | {"variant": variant, "rows": rows}


def run(variant, losses, **changes):
    """Return a record that ends at the given losses, {rows: loss} or the held-out loss."""
    losses = losses if isinstance(losses, dict) else {"80:90": 9.0, "90:100": losses}
    return make_record(variant=variant, evaluations=losses, **changes)


def decide(test, cells, records, **claim):
    """Return the row of claims.csv for a claim about planted records."""
    claim = {"id": "x", "statement": "s", "place": "p", "test": test, "cells": cells} | claim
    tables = {name: make_table(name, records) for name in ("runs", "layers")}
    return judge(claim, EMPTY | tables)


def verdict(*arguments, **claim):
    """Return only the verdict."""
    return decide(*arguments, **claim)["verdict"]


@pytest.mark.parametrize(
    ("published", "measured", "expected"),
    [
        ("0.7751", 0.7751016616821289, REPRODUCED),
        ("1.1230", 1.122987985610962, REPRODUCED),
        ("1.1230", 1.12306, WITHIN),  # the printed zero counts
        ("0.7751", 0.77515, WITHIN),  # this float lies 5.7e-18 above the boundary
        ("0.7751", nextafter(0.77515, 0), REPRODUCED),
        ("0.7", 0.75, REPRODUCED),  # this one lies on it
        ("0.7", nextafter(0.75, inf), NOT_REPRODUCED),
        ("0.840", 0.8407, WITHIN),
        ("0.819", 0.8184505701065063, WITHIN),
        ("0.840", 0.842, NOT_REPRODUCED),
        ("0.840", 0.838, NOT_REPRODUCED),
    ],
)
def test_a_number_is_judged_by_its_printed_digits(published, measured, expected):
    assert judge_number(published, measured) == expected
    assert verdict(
        "published_number", [cell("bn")], [run("bn", measured)], published=published
    ) == (expected)


@pytest.mark.parametrize(
    ("published", "tolerance"),
    [
        ("0.7751", "0.00005"),
        ("1.1230", "0.00005"),
        ("0.840", "0.0005"),
        ("1", "0.5"),
        ("a/b", None),
    ],
)
def test_tolerance_of(published, tolerance):
    assert (tolerance_of(published) and str(tolerance_of(published))) == tolerance


def test_published_number_shows_every_digit_and_its_reason():
    row = decide(
        "published_number", [cell("bn")], [run("bn", 0.8407472372055054)], published="0.840"
    )
    assert float(row["measured"]) == 0.8407472372055054
    assert row["reason"] == "measured 0.841 at the printed precision, 0.000747 away from 0.840"
    assert row["cells"] == "tf1.14-keras2.2.4/tf.keras/bn/question/3/90:100"
    assert (row["published"], row["tolerance"]) == ("0.840", "0.0005")


@pytest.mark.parametrize(("first", "expected"), [(0.7, REPRODUCED), (0.8, REFUTED), (0.9, REFUTED)])
def test_lower_loss(first, expected):
    records = [run("bn", first), run("plain", 0.8)]
    assert verdict("lower_loss", [cell("bn"), cell("plain")], records) == expected


@pytest.mark.parametrize(
    ("second", "same", "different"),
    [(0.8, REPRODUCED, REFUTED), (nextafter(0.8, 1), REFUTED, REPRODUCED)],
)
def test_results_are_compared_bit_for_bit(second, same, different):
    cells, records = [cell("bn"), cell("plain")], [run("bn", 0.8), run("plain", second)]
    assert verdict("same_result", cells, records) == same
    assert verdict("different_result", cells, records) == different


def test_reason_tells_the_initial_draws():
    row = decide("same_result", [cell("bn"), cell("plain")], [run("bn", 0.8), run("plain", 0.7)])
    assert row["reason"] == (
        "losses are not equal; initial kernels are bitwise equal"
        " (op-level seeds 4, 25 and op-level seeds 4, 25)"
    )


@pytest.mark.parametrize(
    ("published", "expected", "rows"), [("0.840", REFUTED, "80:90"), ("0.77", REPRODUCED, "90:100")]
)
def test_rows_held_out(published, expected, rows):
    records = [run("plain", {"80:90": 0.8407, "90:100": 0.7654})]
    cells = [cell("plain", "80:90"), cell("plain", "90:100")]
    row = decide("rows_held_out", cells, records, published=published)
    assert row["verdict"] == expected
    assert row["measured"] == "rows 80:90: 0.840700; rows 90:100: 0.765400"
    distance, role = ("0.000700", "training") if rows == "80:90" else ("0.004600", "held out")
    assert row["reason"] == (
        f"the number fits rows {rows} ({distance} away), which are {role} rows of that script"
    )


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ({"80:90": 5.0, "90:100": 4.0}, "fits none of these rows"),  # however near one of them is
        ({"80:90": 0.8403, "90:100": 0.8398}, "fits rows of both kinds"),
    ],
)
def test_rows_that_a_number_does_not_tell_apart(losses, said):
    cells = [cell("plain", "80:90"), cell("plain", "90:100")]
    row = decide("rows_held_out", cells, [run("plain", losses)], published="0.840")
    assert row["verdict"] == NOT_TESTED
    assert f"the number {said} within 0.001 (rows 80:90: {losses['80:90']:.6f}; " in row["reason"]


@pytest.mark.parametrize(
    ("published", "expected"),
    [("activation/activation/Identity:0", REPRODUCED), ("activation/Identity:0", NOT_REPRODUCED)],
)
def test_layer_output_name(published, expected):
    row = decide(
        "layer_output_name",
        [cell("plain")],
        [make_record()],
        layer="activation",
        published=published,
    )
    assert row["verdict"] == expected
    assert row["measured"] == "activation/activation/Identity:0"


@pytest.mark.parametrize(
    ("second", "expected", "measured"), [(True, REPRODUCED, "2 of 2"), (False, REFUTED, "1 of 2")]
)
def test_layers_are_identities(second, expected, measured):
    records = [make_record(), make_record(variant="bn", layer_is_identity={"activation": second})]
    row = decide("layers_are_identities", [cell("plain"), cell("bn")], records, layer="activation")
    assert (row["verdict"], row["measured"]) == (expected, measured)


def repeats(variant, losses, weights="c"):
    """Return a cell's repeats, all from the same initial weights."""
    initial = make_record()["initial_weights"] | {"sha256": weights * 64}
    return [
        run(variant, loss, repeat=number, initial_weights=initial)
        for number, loss in enumerate(losses, start=1)
    ]


FIVE = [0.500, 0.501, 0.502, 0.503, 0.504]


@pytest.mark.parametrize(
    ("second", "weights", "expected"),
    [
        ([0.5015, 0.5005, 0.5025, 0.5035, 0.5045], "c", REPRODUCED),
        (FIVE, "c", REPRODUCED),
        # Apart by less than the range of either, and yet by more than chance allows.
        ([0.5032, 0.5036, 0.5040, 0.5045, 0.5049], "c", NOT_REPRODUCED),
        ([0.600, 0.601, 0.602, 0.603, 0.604], "c", NOT_REPRODUCED),
        (FIVE, "d", NOT_REPRODUCED),  # other initial weights
        ([0.501], "d", NOT_REPRODUCED),
        ([0.501], "c", NOT_TESTED),  # too few to tell anything
        ([0.501, 0.502, inf, 0.503, 0.504], "c", NOT_TESTED),
    ],
)
def test_same_up_to_spread(second, weights, expected):
    records = repeats("plain", FIVE) + repeats("bn", second, weights)
    assert verdict("same_up_to_spread", [cell("plain"), cell("bn")], records) == expected


def test_what_is_said_of_repeats():
    records = repeats("plain", FIVE) + repeats("bn", [loss + 0.0005 for loss in FIVE])
    row = decide("same_up_to_spread", [cell("plain"), cell("bn")], records)
    share = permutation_share(numpy.array(FIVE), numpy.array(FIVE) + 0.0005)[1]
    assert row["measured"] == "0.502000 and 0.502500"
    assert row["reason"] == (
        f"the means differ by 0.000500, as much as in {share:.3g} of all ways to divide the 10 "
        "repeats (level 0.05); initial weights are all equal"
    )


def test_one_other_start_among_the_repeats_is_seen():
    records = repeats("plain", FIVE) + repeats("bn", FIVE)
    records[0]["initial_weights"] = records[0]["initial_weights"] | {"sha256": "d" * 64}
    row = decide("same_up_to_spread", [cell("plain"), cell("bn")], records)
    assert (row["verdict"], "not all equal" in row["reason"]) == (NOT_REPRODUCED, True)


def test_the_least_share_may_be_the_level_itself():
    """One repeat against nineteen: 1 in 20."""
    losses = [0.5 + 0.001 * number for number in range(19)]
    records = repeats("plain", [0.7]) + repeats("bn", losses)
    row = decide("same_up_to_spread", [cell("plain"), cell("bn")], records)
    assert row["verdict"] == NOT_REPRODUCED  # a share of 0.05 is not above the level
    assert "in 0.05 of all ways" in row["reason"]


@pytest.mark.parametrize(("other", "said"), [("x", "different draws"), ("a", "bitwise equal")])
def test_kernels_of_every_repeat_are_compared(other, said):
    weights = make_record()["initial_weights"]
    first, *rest = weights["arrays"]
    changed = weights | {"arrays": [first | {"sha256": other * 64}, *rest]}
    records = [run(name, 0.8, repeat=1) for name in ("bn", "plain")]
    records.append(run("plain", 0.8, repeat=2, initial_weights=changed))
    row = decide("same_result", [cell("bn"), cell("plain")], records)
    assert f"initial kernels are {said}" in row["reason"]


def test_more_repeats_tell_smaller_differences():
    """Their range only grows, and a gap within it would pass the sooner the more there are."""
    apart = [loss + 0.0015 for loss in FIVE]
    few, many = (
        permutation_share(numpy.array(FIVE * times), numpy.array(apart * times))[1]
        for times in (1, 2)
    )
    assert many < few
    assert few > 0.05 > many


@pytest.mark.parametrize(
    ("first", "second", "least", "share"),
    [
        ([1.0, 2.0], [3.0, 4.0], 2 / 6, 2 / 6),
        ([1.0], [2.0, 3.0], 1 / 3, 2 / 3),
        ([1.0, 1.0], [1.0, 1.0], 2 / 6, 1.0),
        ([0.0, 0.0], [0.0, 0.0], 2 / 6, 1.0),
        # Equal but for the last digits of their sums, of large numbers and of small ones.
        ([1e9, 2e9, 3.3e9, 7e8], [7e8, 3.3e9, 2e9, 1e9], 2 / 70, 1.0),
        ([1e-9, 2e-9, 3.3e-9, 7e-10], [7e-10, 3.3e-9, 2e-9, 1e-9], 2 / 70, 1.0),
    ],
)
def test_permutation_share_counts_all_divisions(first, second, least, share):
    found = permutation_share(numpy.array(first), numpy.array(second))
    assert found == (pytest.approx(least), pytest.approx(share))


@pytest.mark.parametrize(
    ("test", "published"),
    [
        ("published_number", "0.8"),
        ("lower_loss", None),
        ("same_result", None),
        ("different_result", None),
        ("rows_held_out", "0.8"),
    ],
)
@pytest.mark.parametrize("loss", [nan, inf, -inf])
def test_no_verdict_rests_on_a_loss_that_is_no_number(test, published, loss):
    cells = [cell("plain"), cell("bn")]
    records = [run("plain", loss), run("bn", loss)]
    row = decide(test, cells, records, **({"published": published} if published else {}))
    assert row["verdict"] == NOT_TESTED
    assert "has diverged: its loss is" in row["reason"]


def test_losses_are_compared_as_bytes():
    """0.0 and -0.0 are equal numbers of other bits."""
    records = [run("bn", 0.0), run("plain", -0.0)]
    assert verdict("same_result", [cell("bn"), cell("plain")], records) == REFUTED


@pytest.mark.parametrize(("other", "said"), [("x", "different draws"), ("a", "bitwise equal")])
def test_kernels_without_op_level_seeds_are_compared(other, said):
    """From 2.11 on, and where layers draw more than weights, no op-level seeds are known."""
    weights = make_record()["initial_weights"]
    first, *rest = weights["arrays"]
    changed = {"arrays": [first | {"sha256": other * 64}, *rest]}
    records = [
        run("bn", 0.8, op_level_seeds={}),
        run("plain", 0.7, op_level_seeds={}, initial_weights=weights | changed),
    ]
    row = decide("same_result", [cell("bn"), cell("plain")], records)
    assert f"initial kernels are {said} (no op-level seeds and no op-level seeds)" in row["reason"]


ABOUT_CELLS = [name for name, test in TESTS.items() if test.cells]
ABOUT_CONTROLS = [
    name for name, test in TESTS.items() if {*test.reads} & {"controls", "verdicts", "crossed"}
]


def test_every_test_is_a_function_of_its_module():
    functions = {
        (module, name)
        for module in (claims, study_claims)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if [*inspect.signature(function).parameters] == ["claim", "tables"]
        and function.__module__ == module.__name__
    }
    helpers = {("judge.claims", "judge"), ("judge.claims", "compare_bits")}
    described = {(test.module, name) for name, test in TESTS.items()}
    assert {(module.__name__, name) for module, name in functions} - helpers == described


@pytest.mark.parametrize("test", ABOUT_CELLS)
def test_a_cell_that_was_not_run_is_told(test):
    cells = [cell("plain"), cell("missing")][-TESTS[test].cells :]
    row = decide(test, cells, [make_record()], layer="activation", published="0.8")
    assert row["verdict"] == NOT_TESTED
    assert row["measured"] == ""
    assert row["reason"].startswith("not among the runs: tf1.14-keras2.2.4/tf.keras/missing")


def test_a_layer_that_the_model_lacks_is_told():
    row = decide("layer_output_name", [cell("plain")], [make_record()], layer="relu", published="a")
    assert (row["verdict"], row["reason"].endswith("layer relu")) == (NOT_TESTED, True)


def decide_by(table, rows, /, **claim):
    """Return the row of claims.csv for a claim about one of the controls' tables."""
    columns = dict.fromkeys(COLUMNS[table])
    planted = pandas.DataFrame([columns | row for row in rows], columns=list(columns))
    claim = {"id": "x", "statement": "s", "place": "p"} | claim
    return judge(claim, EMPTY | {table: planted})


@pytest.mark.parametrize(
    ("causes", "expected"),
    [("draws", REFUTED), ("computation", REPRODUCED), ("undecided: draws, evaluation", NOT_TESTED)],
)
def test_cause_is(causes, expected):
    rows = [{"comparison": "pair", "causes": causes, "reason": "because"}]
    row = decide_by("verdicts", rows, test="cause_is", comparison="pair", cause="computation")
    assert (row["verdict"], row["reason"], row["cells"]) == (expected, "because", "pair")


def test_what_differs_as_published_can_be_shown():
    losses = {"comparison": "pair", "first_loss": 0.5, "second_loss": 0.25}
    rows = [
        losses | {"control": "published", "observed": "differ"},
        losses | {"control": "switch", "observed": "equal"},
    ]
    row = decide_by("controls", rows, test="cannot_be_shown", comparison="pair", control="switch")
    assert row["verdict"] == REFUTED


def test_the_lower_of_two_runs_from_one_start_counts():
    subject = {"environment": "e", "architecture": "bn", "rows": "90:100", "start_sha256": "a"}
    rows = [subject | {"difference": difference} for difference in (0.1, -0.2)]
    about = {name: value for name, value in subject.items() if name != "start_sha256"}
    row = decide_by("crossed", rows, test="never_lower_from_same_start", **about)
    assert (row["verdict"], row["measured"]) == (REFUTED, "lower from 1 of 1")
    rows[1]["difference"] = nan  # and none stands for another one that diverged
    row = decide_by("crossed", rows, test="never_lower_from_same_start", **about)
    assert row["verdict"] == NOT_TESTED


def test_every_cell_has_to_have_the_layer():
    without = make_record(variant="bn", layers=["dense"])
    cells = [cell("plain"), cell("bn")]
    row = decide("layers_are_identities", cells, [make_record(), without], layer="activation")
    assert row["verdict"] == NOT_TESTED
    assert row["reason"].endswith("/bn/question/3/90:100, layer activation")


@pytest.mark.parametrize("silent", ["published", "switch"])
def test_a_control_without_a_statement_shows_nothing(silent):
    losses = {"comparison": "pair", "first_loss": 0.5, "second_loss": 0.25}
    rows = [
        losses | {"control": name, "observed": "no statement" if name == silent else "equal"}
        for name in ("published", "switch")
    ]
    row = decide_by("controls", rows, test="cannot_be_shown", comparison="pair", control="switch")
    assert row["verdict"] == NOT_TESTED
    assert row["reason"] == "the control switch made no statement"


@pytest.mark.parametrize(("observed", "expected"), [("differ", REFUTED), ("equal", REPRODUCED)])
def test_cannot_be_shown(observed, expected):
    losses = {"comparison": "pair", "first_loss": 0.5, "second_loss": 0.25}
    rows = [
        losses | {"control": "published", "observed": "equal"},
        losses | {"control": "switch", "observed": observed},
    ]
    row = decide_by("controls", rows, test="cannot_be_shown", comparison="pair", control="switch")
    assert row["verdict"] == expected
    assert row["reason"] == (
        f"weights equal as published and {observed} under switch (losses 0.500000 and 0.250000)"
    )


@pytest.mark.parametrize(
    ("differences", "expected", "measured"),
    [
        ([0.1, 0.2, 0.0], REPRODUCED, "lower from 0 of 3"),
        ([0.1, -0.2], REFUTED, "lower from 1 of 2"),
        ([0.1, nan], NOT_TESTED, ""),
    ],
)
def test_never_lower_from_same_start(differences, expected, measured):
    subject = {"environment": "e", "architecture": "bn", "rows": "90:100"}
    rows = [
        subject | {"start_sha256": str(start), "difference": difference}
        for start, difference in enumerate([*differences, differences[0]])
    ]
    rows[-1]["start_sha256"] = "0"  # the same start under another name counts once
    for key in subject:  # runs that the claim is not about
        rows.append(rows[0] | {key: "other", "difference": -9.0, "start_sha256": "other"})
    row = decide_by("crossed", rows, test="never_lower_from_same_start", **subject)
    assert (row["verdict"], row["measured"]) == (expected, measured)
    assert row["cells"] == "e/bn/90:100"
    if measured:
        assert row["reason"] == (
            f"{measured} different starts, differences from "
            f"{min(differences):+.6f} to {max(differences):+.6f}; one seed of the data"
        )


@pytest.mark.parametrize("test", ABOUT_CONTROLS)
def test_a_control_that_was_not_run_is_told(test):
    names = dict.fromkeys(("comparison", "control", "cause", "environment", "architecture"), "x")
    row = decide_by("controls", [], test=test, rows="90:100", **names)
    assert row["verdict"] == NOT_TESTED
    assert row["reason"].startswith("not among the runs: x")


def test_what_is_needed_is_told():
    row = decide("none_yet", [], [make_record()], needs="a study")
    assert (row["verdict"], row["reason"]) == (NOT_TESTED, "needs a study")
    assert decide("none_yet", [], [make_record()])["reason"] == "needs a test"


@pytest.mark.parametrize("test", ABOUT_CONTROLS)
def test_a_table_of_the_controls_that_is_not_made_is_told(test):
    (table,) = TESTS[test].reads
    claim = {"id": "x", "statement": "s", "place": "p", "test": test, "comparison": "pair"}
    claim |= {
        "control": "separate_processes",
        "environment": "e",
        "architecture": "a",
        "rows": "0:1",
    }
    row = judge(claim, {})
    assert row["verdict"] == NOT_TESTED
    assert row["reason"] == f"make reproduce makes {table}.csv, which decides it"


def test_verdicts_are_the_documented_ones():
    """In the description of the column, and in the colours of the terminal."""
    verdicts = [REPRODUCED, WITHIN, NOT_REPRODUCED, REFUTED, NOT_TESTED]
    assert COLUMNS["claims"]["verdict"] == f"{', '.join(verdicts[:-1])} or {verdicts[-1]}"
    assert list(summary.VERDICT_COLOURS) == verdicts


@pytest.mark.parametrize(
    "test", ["published_number", "lower_loss", "same_result", "different_result", "rows_held_out"]
)
@pytest.mark.parametrize("place", [0, 1])
def test_no_repeat_stands_for_others_that_end_elsewhere(test, place):
    """Each of them alone would decide: the first one in one way, the second in another."""
    cells = [cell("plain"), cell("bn")] if place == 0 else [cell("bn"), cell("plain")]
    cells = cells[:1] if test == "published_number" else cells
    published = {"published": "0.8"} if test in ("published_number", "rows_held_out") else {}
    same = [run(name, 0.8, repeat=number) for name in ("plain", "bn") for number in (1, 2)]
    assert verdict(test, cells, same, **published) != NOT_TESTED
    same[1] = run("plain", nextafter(0.8, 1), repeat=2)
    row = decide(test, cells, same, **published)
    if test == "published_number" and place == 1:  # about the other cell
        assert row["verdict"] == REPRODUCED
    else:
        assert row["verdict"] == NOT_TESTED
        assert row["reason"] == (
            "the 2 repeats of tf1.14-keras2.2.4/tf.keras/plain/question/3/90:100 end at 2 "
            "different losses"
        )


def test_table_of_the_committed_claims():
    listed = read_claims(ROOT / "claims.yaml")
    table = judge_all(listed, EMPTY)
    assert list(table) == list(COLUMNS["claims"])
    assert list(table["claim"]) == [claim["id"] for claim in listed]
    assert set(table["verdict"]) == {NOT_TESTED}


def test_a_claim_whose_table_is_not_made_says_what_makes_it():
    listed = read_claims(ROOT / "claims.yaml")
    studied = [claim for claim in listed if TESTS[claim["test"]].module == "page.study_claims"]
    rows = judge_all(studied, {})
    assert len(rows) == len(studied) > 0
    assert set(rows["reason"]) == {"make study makes sensitivity_effects.csv, which decides it"}


def test_every_claim_stands_wherever_claims_are_listed():
    """One table, with the same claims in the same order, in the list of commands too."""
    wanted = [claim["id"] for claim in read_claims(ROOT / "claims.yaml")]
    for path in ("results/tables/claims.csv", "docs/claims-to-commands.csv"):
        assert list(read_table(ROOT / path)["claim"]) == wanted
