"""Each control on a planted case whose answer is known."""

import hashlib
from types import SimpleNamespace

import numpy
import pytest
from judge.causes import HYPOTHESES
from judge.compare import (
    describe_parts,
    differences,
    find_causes,
    first_difference,
    judge_comparisons,
    rounding_limit,
    same_rows_differences,
    split_difference,
)
from judge.controls import make_tables
from planted_runs import ROWS, STEPS, Variant, make_config, plant


def edit(index, value):
    """Return a function that sets one weight."""

    def edit(weights):
        changed = weights.copy()
        changed[index] = value(weights[index]) if callable(value) else value
        return changed

    return edit


def always(function):
    """Return edits that apply a function after every step."""
    return dict.fromkeys(range(1, STEPS + 1), function)


def next_number(value):
    """Return the next float32: the smallest difference that there is."""
    return numpy.nextafter(value, numpy.float32(numpy.inf))


@pytest.fixture
def judge(tmp_path_factory):
    """Plant two variants; return their verdict and their rows of controls.csv by control."""

    def judge(first, second, **options):
        config = make_config(tmp_path_factory.mktemp("results"), **options)
        tables = make_tables(config, plant(config, first, second))
        (verdict,) = tables["verdicts"].to_dict("records")
        return verdict, tables["controls"].set_index("control").to_dict("index")

    return judge


OTHER_ROWS = (ROWS[1], ROWS[0])
LAST_WEIGHT = edit(5, lambda value: value + numpy.float32(0.01))
LAST_BIT = edit(5, next_number)
PREDICTS = {"computation": "differ", "draws": "differ", "evaluation": "equal"}
ONLY_STARTS = {
    "published": {"observable": "trajectory", "predicts": PREDICTS},
    "initial_weights": {"observable": "initial_weights", "predicts": PREDICTS},
    "start_of_first": {
        "observable": "trajectory",
        "change": {"initial_weights": "first"},
        "predicts": PREDICTS | {"draws": "equal"},
    },
}
OTHER_PROCESSES = "undecided: other threads or processes differ"
CASES = {
    "nothing differs": (Variant(), Variant(), {}, "no difference"),
    "another computation": (Variant(), Variant(edits={3: LAST_WEIGHT}), {}, "computation"),
    "another computation in the evaluation alone": (
        Variant(), Variant(evaluation=1e-3), {}, "computation"
    ),
    "the last bit of a weight": (Variant(), Variant(edits={5: LAST_BIT}), {}, "rounding"),
    "rounding in the evaluation alone": (Variant(), Variant(evaluation=1e-13), {}, "rounding"),
    "draws and rounding": (Variant(), Variant(draws=1, edits={5: LAST_BIT}), {}, "draws"),
    "rounding and other rows": (
        Variant(), Variant(edits={5: LAST_BIT}), {"rows": OTHER_ROWS}, "evaluation"
    ),
    "more than other processes change": (
        Variant(noise=1e-12), Variant(edits={3: edit(5, 9.0)}), {}, "computation"
    ),
    "more than other processes change, by the draws": (
        Variant(noise=1e-12), Variant(draws=1, noise=1e-12), {}, "draws"
    ),
    "other draws": (Variant(), Variant(draws=1), {}, "draws"),
    "other rows": (Variant(), Variant(), {"rows": OTHER_ROWS}, "evaluation"),
    "draws and computation": (
        Variant(), Variant(draws=1, edits={3: LAST_WEIGHT}), {}, "computation and draws"
    ),
    "draws and rows": (
        Variant(), Variant(draws=1), {"rows": OTHER_ROWS}, "draws and evaluation"
    ),
    "all three": (
        Variant(), Variant(draws=1, edits={1: LAST_WEIGHT}), {"rows": OTHER_ROWS},
        "computation and draws and evaluation",
    ),
    "another result in every process": (
        Variant(), Variant(noise=1e-12), {}, OTHER_PROCESSES
    ),
    "the first is another one in every process": (
        Variant(noise=1e-12), Variant(), {}, OTHER_PROCESSES
    ),
    "a start that no control can make equal": (
        Variant(stubborn=True), Variant(draws=1, stubborn=True), {}, "undecided: no equal start"
    ),
    "a start that only one of two controls can make equal": (
        Variant(), Variant(draws=1, stubborn=True), {}, "draws"
    ),
    "weights of another shape": (Variant(), Variant(weights=8), {}, "undecided: no equal start"),
    "as many weights of another shape": (
        Variant(), Variant(column=True, draws=1), {}, "undecided: no equal start"
    ),
    "as many weights of another shape, equal by chance": (
        Variant(), Variant(column=True, edits={3: LAST_WEIGHT}), {}, "undecided: no equal start"
    ),
    "the same start, though no control can set it": (
        Variant(stubborn=True), Variant(stubborn=True, edits={2: LAST_WEIGHT}), {}, "computation"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second", "options", "causes"), CASES.values(), ids=CASES)
def test_cause(judge, first, second, options, causes):
    verdict, _ = judge(first, second, **options)
    assert verdict["causes"] == causes
    verdict, _ = judge(second, first, **options)
    assert verdict["causes"] == causes


HOLDS = {
    "computation": "another computation",
    "draws": "other draws",
    "evaluation": "other rows",
}


@pytest.mark.parametrize(("hypothesis", "case"), HOLDS.items())
def test_the_planted_hypothesis_alone_holds(judge, hypothesis, case):
    first, second, options, _ = CASES[case]
    verdict, _ = judge(first, second, **options)
    for name in HOLDS:
        said = verdict[f"{name}_alone"]
        assert said == "holds" if name == hypothesis else said.startswith("refuted by ")


def test_no_single_hypothesis_holds_where_two_causes_are_planted(judge):
    verdict, _ = judge(Variant(), Variant(draws=1, edits={3: LAST_WEIGHT}))
    assert all(verdict[f"{name}_alone"].startswith("refuted by ") for name in HOLDS)


def test_nothing_to_explain(judge):
    verdict, _ = judge(Variant(), Variant())
    assert {verdict[f"{name}_alone"] for name in HOLDS} == {"nothing to explain"}
    assert verdict["difference"] == verdict["difference_at_equal_start"] == 0


def test_draws_are_refuted_by_the_right_controls(judge):
    verdict, controls = judge(Variant(), Variant(edits={3: LAST_WEIGHT}))
    assert verdict["draws_alone"] == (
        "refuted by initial_weights, start_of_first, start_of_second, explicit_seeds"
    )
    assert controls["initial_weights"]["observed"] == "equal"
    assert controls["start_of_first"]["observed"] == "differ"


# --- the step of the first difference ------------------------------------------------------------


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_first_difference_is_the_exact_step(judge, step):
    verdict, controls = judge(Variant(), Variant(edits={step: LAST_WEIGHT}))
    assert controls["published"]["first_difference_step"] == step
    assert controls["start_of_first"]["first_difference_step"] == step
    assert f"the weights differ from step {step} on" in verdict["reason"]


def test_a_difference_that_is_gone_later_is_seen(judge):
    def add(weights):
        return weights + numpy.float32(1)

    def forget(weights):
        return numpy.ones_like(weights)

    first, second = Variant(edits={4: forget}), Variant(edits={2: add, 4: forget})
    verdict, controls = judge(first, second)
    assert verdict["difference"] == verdict["computation_size"] == 0
    assert verdict["causes"] == "no difference"  # in the result
    assert "the weights differ from step 2 on" in verdict["reason"]
    assert controls["published"]["first_difference_step"] == 2
    assert controls["same_rows"]["observed"] == "equal"


def test_other_draws_differ_from_step_0_on(judge):
    _, controls = judge(Variant(), Variant(draws=1))
    assert controls["published"]["first_difference_step"] == 0
    assert controls["start_of_second"]["observed"] == "equal"


def test_evaluation_alone_differs_in_no_step(judge):
    verdict, controls = judge(Variant(), Variant(evaluation=0.5))
    assert controls["start_of_first"]["observed"] == "differ"
    assert controls["start_of_first"]["largest_difference"] == 0
    assert "all steps are bitwise equal, but not the losses" in verdict["reason"]


# --- bits, not closeness -------------------------------------------------------------------------


def test_one_bit_is_a_difference(judge):
    _, controls = judge(Variant(), Variant(edits={STEPS: LAST_BIT}))
    assert controls["published"]["observed"] == "differ"
    assert 0 < controls["published"]["largest_difference"] < 1e-6


def test_minus_zero_is_not_zero(judge):
    first, second = (Variant(edits=always(edit(0, zero))) for zero in (0.0, -0.0))
    verdict, controls = judge(first, second)
    assert controls["published"]["first_difference_step"] == 1
    assert controls["published"]["largest_difference"] == 0
    assert controls["same_rows"]["observed"] == "equal"
    assert verdict["causes"] == "no difference"  # of the loss


def test_a_loss_of_minus_zero_is_not_zero(tmp_path):
    config = make_config(tmp_path)
    records = plant(config, Variant(), Variant(), losses={"first": 0.0, "second": -0.0})
    controls = make_tables(config, records)["controls"].set_index("control")
    assert controls.loc["same_rows", "observed"] == "differ"


NO_NUMBER = "undecided: a loss is no finite number"


def test_the_same_nan_is_equal_and_no_verdict(judge):
    broken = Variant(edits={2: edit(0, numpy.float32("nan"))})
    verdict, controls = judge(broken, broken)
    assert verdict["causes"] == NO_NUMBER
    assert {row["observed"] for row in controls.values()} == {"equal"}
    assert controls["published"]["largest_difference"] == 0


def test_nan_against_a_number_is_no_verdict(judge):
    verdict, controls = judge(Variant(), Variant(edits={2: edit(0, numpy.float32("nan"))}))
    assert verdict["causes"] == NO_NUMBER
    assert controls["published"]["first_difference_step"] == 2
    assert controls["same_rows"]["observed"] == "differ"


def test_infinity_is_compared_without_nan(judge):
    broken = Variant(edits={2: edit(0, numpy.float32("inf"))})
    verdict, controls = judge(broken, broken)
    assert verdict["causes"] == NO_NUMBER
    assert controls["published"]["largest_difference"] == 0


def test_rounding_is_judged_by_what_the_kernel_of_the_processor_contributes(tmp_path):
    """What another kernel changes as well is no other computation, on any processor."""
    entry = {"api": "tf.keras", "protocol": "loop", "variants": ["first"]}
    causes = {}
    for noise in (0.0, 1e-12):
        config = make_config(
            tmp_path / str(noise),
            control_runs={"processor": entry},
            controls=ONLY_STARTS,
        )
        records = plant(
            config,
            Variant(kernel=noise),
            Variant(edits={3: edit(5, lambda v: v + numpy.float32(1e-4))}),
        )
        (verdict,) = make_tables(config, records)["verdicts"].to_dict("records")
        causes[noise] = verdict["causes"]
    assert causes == {0.0: "computation", 1e-12: "rounding"}


@pytest.mark.parametrize(
    ("losses", "deterministic", "causes"),
    [
        ({1: 1.0, 2: 1.0}, "yes", "draws"),
        ({1: 1.0, 2: 1.001}, "no", "draws"),  # the pair differs by far more
        ({1: 1.0, 2: 100.0}, "no", "undecided: repeats differ"),
        ({1: 1.0, 2: float("nan")}, "no", "undecided: a loss is no finite number"),
    ],
)
def test_repeats_take_part_in_the_verdict(tmp_path, losses, deterministic, causes):
    config = make_config(tmp_path, repeats={"tf.keras": 2, "keras": 1})
    records = plant(config, Variant(repeats=losses), Variant(draws=1))
    (verdict,) = make_tables(config, records)["verdicts"].to_dict("records")
    assert verdict["deterministic"] == deterministic
    assert verdict["causes"] == causes


def test_layers_that_draw_nothing_are_compared(tmp_path):
    """Constant initializers alone: the weights of all layers are looked at."""
    config = make_config(tmp_path)
    records = plant(config, Variant(drawn=False), Variant(drawn=False, edits={2: LAST_WEIGHT}))
    (verdict,) = make_tables(config, records)["verdicts"].to_dict("records")
    assert verdict["causes"] == "computation"
    assert "the weights differ from step 2 on" in verdict["reason"]


def test_hashes_are_those_of_the_float32_bytes(judge):
    _, controls = judge(Variant(), Variant(draws=1))
    for side, draws in (("first", 0), ("second", 1)):
        weights = numpy.random.default_rng([draws]).normal(size=6).astype("<f4")
        expected = hashlib.sha256(weights.tobytes()).hexdigest()
        assert controls["initial_weights"][f"{side}_sha256"] == expected


# --- statements that must not be made ------------------------------------------------------------


def test_no_statement_where_the_start_is_not_equal(judge):
    verdict, controls = judge(Variant(stubborn=True), Variant(draws=1, stubborn=True))
    for name in ("start_of_first", "start_of_second", "explicit_seeds"):
        assert controls[name]["observed"] == "no statement"
    assert "no control made the initial weights equal" in verdict["reason"]
    assert "start_of" not in verdict["draws_alone"]


def test_no_verdict_where_the_same_trained_again_diverges(tmp_path):
    """The published runs are finite, and the computation differs by far."""
    config = make_config(tmp_path)
    again = Variant(edits={3: LAST_WEIGHT}, again=float("nan"))
    (verdict,) = make_tables(config, plant(config, Variant(), again))["verdicts"].to_dict("records")
    assert verdict["causes"] == NO_NUMBER


@pytest.mark.parametrize("losses", [(1.0, 1.0 + 2**-22), (13_000.0, 13_000.002)])
def test_last_digits_are_rounding_whatever_the_size_of_the_loss(tmp_path, losses):
    """No kernel was measured; the losses differ by two units in the last place."""
    config = make_config(tmp_path, controls=ONLY_STARTS)
    planted = {"first": losses[0], "second": losses[1]}
    records = plant(config, Variant(drawn=False), Variant(drawn=False), planted, controls=True)
    (verdict,) = make_tables(config, records)["verdicts"].to_dict("records")
    assert 0 < verdict["computation_size"] < verdict["rounding_limit"]
    assert verdict["causes"] == "rounding"


def test_the_parts_of_a_difference_sum_up_to_it(judge):
    verdict, controls = judge(
        Variant(), Variant(draws=1, edits={3: LAST_WEIGHT}, evaluation=10.0), rows=OTHER_ROWS
    )
    parts = [verdict[f"{name}_part"] for name in HYPOTHESES]
    starts = [controls[f"start_of_{side}"]["same_rows_difference"] for side in ("first", "second")]
    assert parts[0] == sum(starts) / 2 > 9
    assert sum(parts) == pytest.approx(verdict["difference"], rel=1e-12)
    assert f"computation {parts[0]:+.3g}" in verdict["reason"]


def test_a_cause_alone_makes_up_the_whole_difference(judge):
    for alone, second in (("draws", Variant(draws=1)), ("computation", Variant(evaluation=10.0))):
        verdict, _ = judge(Variant(), second)
        parts = {name: verdict[f"{name}_part"] for name in HYPOTHESES}
        assert parts == {name: verdict["difference"] if name == alone else 0 for name in parts}
        assert f"{alone} {verdict['difference']:+.3g} (100.0%)" in verdict["reason"]


def test_both_starts_count_alike():
    """Whichever cause is removed first: the mean of both orders."""
    published = SimpleNamespace(loss_difference=1.0, same_rows_difference=0.75)
    starts = [
        SimpleNamespace(control=f"start_of_{side}", same_rows_difference=left)
        for side, left in (("first", 0.5), ("second", 0.25))
    ]
    parts = {"computation": 0.375, "draws": 0.375, "evaluation": 0.25}
    assert split_difference(published, starts) == parts
    assert split_difference(published, []) == dict.fromkeys(parts)
    no_rows = SimpleNamespace(loss_difference=1.0, same_rows_difference=None)
    assert split_difference(no_rows, starts) == dict.fromkeys(parts)
    assert describe_parts(published, dict.fromkeys(parts)) == ""


def test_rounding_adds_up_over_steps():
    published = SimpleNamespace(first_loss=-1.5, second_loss=1.0)
    for steps, places in ((1, 2), (4, 4), (100, 20)):
        assert rounding_limit(0.0, published, steps) == places * 2**-23
    assert rounding_limit(0.01, published, 100) == 0.02


@pytest.mark.parametrize("weights", [6, 8])
def test_a_kernel_that_is_not_drawn_is_shown(tmp_path, weights):
    config = make_config(tmp_path, figures={"initial_kernels": {"comparisons": ["pair"]}})
    records = plant(config, Variant(drawn=False), Variant(drawn=False, weights=weights))
    table = make_tables(config, records)["initial_kernels"]
    assert table.groupby("variant")["value"].size().to_dict() == {"first": 6, "second": weights}


@pytest.mark.parametrize("other", [Variant(weights=8), Variant(column=True)])
def test_other_shapes_are_no_other_draws(judge, other):
    verdict, controls = judge(Variant(), other)
    assert "the weights have other shapes: compared as far as they match" in verdict["reason"]
    assert controls["initial_weights"]["observed"] == "no statement"
    assert controls["start_of_first"]["observed"] == "no statement"


def test_repeats_are_looked_at_in_both_runs(judge):
    verdict, controls = judge(Variant(), Variant(noise=1e-12))
    assert verdict["deterministic"] == "no"
    assert controls["new_process"]["observed"] == "differ"


def test_without_repeats_determinism_is_not_tested(judge):
    verdict, _ = judge(Variant(), Variant(draws=1), controls=ONLY_STARTS)
    assert (verdict["deterministic"], verdict["causes"]) == ("not tested", "draws")


def test_predictions_that_refer_to_the_published_pair(judge):
    controls = {
        "published": {
            "observable": "trajectory",
            "predicts": {"computation": "differ", "draws": "differ", "evaluation": "equal"},
        },
        "initial_weights": {
            "observable": "initial_weights",
            "predicts": {"computation": "equal", "draws": "differ", "evaluation": "equal"},
        },
        "switched": {
            "observable": "trajectory",
            "change": {"eager": "switched"},
            "predicts": {
                "computation": "as_published", "draws": "opposite", "evaluation": "as_published"
            },
        },
    }  # fmt: skip
    _, rows = judge(Variant(), Variant(draws=1), controls=controls)
    assert rows["switched"]["predicted_by_computation"] == "differ"
    assert rows["switched"]["predicted_by_draws"] == "equal"


@pytest.mark.parametrize(("noise", "equal"), [(0.0, True), (1e-12, False)])
def test_what_the_kernel_of_the_processor_contributes(tmp_path, noise, equal):
    entry = {"api": "tf.keras", "protocol": "loop", "variants": ["first"]}
    config = make_config(tmp_path, control_runs={"processor": entry})
    records = plant(config, Variant(noise=noise), Variant())
    table = make_tables(config, records)["processor"]
    assert list(table["rows"]) == list(ROWS)
    assert list(table["cpu_instructions"]) == ["avx", "avx"]
    assert table["first_difference_step"].isna().all() == equal
    assert ((table["difference"] == 0) & (table["largest_difference"] == 0)).all() == equal
    assert list(table["portable_val_loss"] - table["val_loss"]) == list(table["difference"])


@pytest.mark.parametrize(
    ("factor", "causes"), [(0.45, "draws"), (0.55, "undecided: repeats differ")]
)
def test_a_pair_within_twice_the_spread_is_undecided(tmp_path, factor, causes):
    """Each of the two runs may be off by the spread."""
    config = make_config(tmp_path / "once")
    tables = make_tables(config, plant(config, Variant(), Variant(draws=1)))
    (verdict,) = tables["verdicts"].to_dict("records")
    moved = 1 + factor * abs(verdict["difference"]) / verdict["first_loss"]
    config = make_config(tmp_path / "twice", repeats={"tf.keras": 2, "keras": 1})
    records = plant(config, Variant(repeats={2: moved}), Variant(draws=1))
    (verdict,) = make_tables(config, records)["verdicts"].to_dict("records")
    assert verdict["repeat_spread"] == pytest.approx(factor * abs(verdict["difference"]))
    assert verdict["causes"] == causes


def test_runs_of_other_lengths_and_sizes_are_compared_as_far_as_they_go():
    long, short = numpy.zeros((4, 2), "<f4"), numpy.zeros((3, 2), "<f4")
    assert first_difference(long, short) == first_difference(short, long) == 3
    assert len(differences(long, short)) == len(differences(short, long)) == 3
    wide = numpy.zeros((4, 3), "<f4")
    assert first_difference(long, wide) == 0
    assert len(differences(long, wide)) == 0


def test_the_larger_of_two_equal_starts_counts():
    rows = [SimpleNamespace(same_rows_difference=value) for value in (0.1, -0.3, numpy.nan)]
    assert same_rows_differences(rows) == [0.1, -0.3]
    assert same_rows_differences(rows[2:]) == []
    by_name = {"initial_weights": SimpleNamespace(observed="equal")}
    entry = {"first": {"rows": "a"}, "second": {"rows": "a"}}
    assert find_causes(entry, by_name, [0.3, -0.1], 0.3) == []  # not more than rounding makes
    assert find_causes(entry, by_name, [0.1, -0.31], 0.3) == ["computation"]
    assert find_causes(entry, by_name, [], 0.3) == []


def test_a_verdict_reads_each_published_run_once(tmp_path, monkeypatch):
    config = make_config(tmp_path, repeats={"tf.keras": 3, "keras": 1})
    records = plant(config, Variant(), Variant(draws=1))
    controls = make_tables(config, records)["controls"]
    read, keys = records.read, []
    monkeypatch.setattr(records, "read", lambda key: keys.append(key) or read(key))
    assert len(judge_comparisons(config, controls, records)) == 1
    assert len(keys) == len(set(keys)) == 6
