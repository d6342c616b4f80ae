"""Effects, percentiles and yardsticks of planted losses, computed in the environment `study`."""

import subprocess
from pathlib import Path

import numpy
import pytest
from judge.tables import COLUMNS, read_table

pytestmark = pytest.mark.slow

PLANTED = Path(__file__).with_name("planted_effects.py")
TABLES = {"cells": "study_cells"}


@pytest.fixture(scope="module")
def made(framework_pythons, tmp_path_factory):
    """made(name, **values): the rows of a table with these values; written twice, equal."""
    folders = [tmp_path_factory.mktemp("made") for _ in range(2)]
    for folder in folders:
        subprocess.run([framework_pythons["study"], "-s", PLANTED, folder], check=True)
    for path in folders[0].iterdir():
        assert path.read_bytes() == (folders[1] / path.name).read_bytes()

    def made(name, **values):
        table = read_table(folders[0] / f"{name}.csv")
        assert list(table) == list(COLUMNS[TABLES.get(name, name)])
        for column, value in values.items():
            table = table[table[column] == value]
        return table

    return made


def test_bn_from_its_own_draws(made):
    (effect,) = made(
        "effects", question="page", kind="bn", start="own", rows="held_out"
    ).itertuples()
    assert (effect.first, effect.second, effect.seeds) == ("plain", "bn", 40)
    assert str(effect.equal_start) == "False"  # its kernels are others, whatever the release
    assert effect.mean_difference == pytest.approx(-0.1 + 0.4 / 40)
    assert effect.low < effect.mean_difference < effect.high < 0
    assert effect.share_second_lower == 39 / 40
    assert effect.published_difference == pytest.approx(-0.1)


def test_bn_from_equal_initial_weights(made):
    (effect,) = made(
        "effects", question="page", kind="bn", start="equal", rows="held_out"
    ).itertuples()
    assert effect.mean_difference == pytest.approx(-0.1)
    assert effect.low == pytest.approx(-0.1) and effect.high == pytest.approx(-0.1)
    assert effect.share_second_lower == 1
    assert str(effect.equal_start) == "True"


def test_identity_layer_is_centred_on_zero(made):
    (effect,) = made("effects", kind="extra_activation", rows="training").itertuples()
    assert effect.mean_difference == pytest.approx(0)
    assert effect.low < 0 < effect.high
    assert effect.share_as_extreme == pytest.approx(0.5)


def test_chance_asks_how_often_seeds_differ_as_much_as_published(made):
    found = made("effects", kind="chance", rows="held_out", variant="plain", question="page")
    (effect,) = found.itertuples(index=False)
    assert effect.published_difference == pytest.approx(-0.1)
    assert effect.share_as_extreme == effect.share_low == 0  # neighbours differ by 0.039 at most
    # Wilson: z² / (n + z²), with half of the pairs.
    assert effect.share_high == pytest.approx(1.96**2 / (20 + 1.96**2), abs=1e-4)
    # Neighbours differ by 0.001, the last seed and the first by 0.039.
    assert effect.standard_deviation == pytest.approx(((39e-6 + 0.039**2) / 39) ** 0.5)
    assert (effect.seeds, effect.diverged) == (40, 0)
    assert effect.mean_first == pytest.approx(1.0195)
    # The mean of these differences is zero whatever is true.
    meaningless = ["mean_difference", "low", "high", "low_of_family", "share_second_lower"]
    assert found[meaningless].isna().all(axis=None)


# Every contrast of the planted cells: question, environment, kind, start, first, second, epoch.
PLAIN, PAIR = ("plain", "bn"), ("a seed", "the next seed")
CONTRASTS = {
    ("page", "x", "bn", "own", *PLAIN, 20),
    ("page", "x", "bn", "equal", *PLAIN, 20),
    ("page", "x", "extra_activation", "own", "plain", "activation", 20),
    ("page", "x", "pca", "own", "rank-8 PCA", "plain", 20),
    ("page", "x", "chance", "own", *PAIR, 20),
    ("batch_size", "x", "bn", "own", *PLAIN, 20),
    ("batch_size", "x", "chance", "own", *PAIR, 20),
    *(
        ("batch_size", "x", f"batch_size_32_{kind}", "own", "bn, batches of 32", second, epoch)
        for kind, second, epoch in (
            ("epochs", "bn, batches of 8", 20),
            ("steps", "bn, batches of 8", 5),
            ("steps", "bn, batches of 30", 97),
        )
    ),
    ("activations", "x", "bn", "own", "activations", "bn_activations", 20),
    ("activations", "x", "chance", "own", *PAIR, 20),
    (
        *("activations", "x", "linear_linear", "own"),
        *("activations, linear/linear", "activations, relu/linear", 20),
    ),
    (
        *("activations", "x", "linear_linear", "own"),
        *("activations, linear/linear", "activations, linear/tanh", 20),
    ),
    ("activations", "x", "bn", "own", "activation", "activation_bn", 20),
    ("learning_rate", "x", "bn", "equal", "plain", "bn_activations", 20),
    ("momentum", "x", "bn", "equal", *PLAIN, 20),
    ("rows", "x", "chance", "own", *PAIR, 20),
    ("near", "x", "bn", "own", *PLAIN, 20),
    ("near", "x", "chance", "own", *PAIR, 20),
    ("learning_rate", "x", "pca", "own", "rank-8 PCA", "plain", 20),
    ("learning_rate", "x", "chance", "own", *PAIR, 20),
    ("momentum", "x", "bn", "own", *PLAIN, 20),
    ("momentum", "x", "chance", "own", *PAIR, 20),
    ("momentum", "x", "chance", "activations", *PAIR, 20),
    *(
        ("data_seeds", environment, kind, start if kind != "chance" else "own", *sides, 20)
        for environment, start in (("x", "own"), ("y", "equal"))
        for kind, sides in (("bn", PLAIN), ("bn_over_data", PLAIN), ("chance", PAIR))
    ),
}


@pytest.mark.parametrize("rows", ["training", "answer_rows", "held_out"])
def test_cells_are_paired_with_what_differs_in_one_setting_alone(made, rows):
    """Not with another learning rate, environment, part or data seed, nor with other kernels."""
    names = ["question", "environment", "kind", "start", "first", "second", "epoch"]
    assert set(made("effects", rows=rows)[names].itertuples(index=False, name=None)) == CONTRASTS


@pytest.mark.parametrize(
    ("kind", "epoch", "difference", "equal_start"),
    [
        ("batch_size_32_epochs", 20, 0.5, "True"),
        ("batch_size_32_steps", 5, -0.5, "True"),
        ("batch_size_32_steps", 97, 0.25, "True"),
        ("linear_linear", 20, 0.3, "True"),
    ],
)
def test_the_second_is_compared_with_the_first(made, kind, epoch, difference, equal_start):
    effect = made("effects", kind=kind, rows="held_out", epoch=epoch).iloc[0]
    assert effect.mean_second - effect.mean_first == pytest.approx(difference)
    assert effect.mean_difference == pytest.approx(difference)
    assert effect.standard_deviation == pytest.approx(0.01 * (40 / 39) ** 0.5)
    assert str(effect.equal_start) == equal_start
    assert effect.published_difference == pytest.approx(difference + 0.01)
    assert effect.share_as_extreme == (0.5 if difference > 0 else 1)


def test_trainings_that_diverge_are_counted_and_left_out(made):
    some, two, one = (
        made("effects", question="momentum", kind="bn", rows="held_out", bn_momentum=momentum)
        for momentum in (0.5, 0.8, 0.9)
    )
    (chance,) = made("effects", question="rows", rows="held_out").itertuples()
    assert (chance.kind, chance.seeds, chance.diverged) == ("chance", 39, 1)
    numbers = ["seeds", "diverged"]
    assert [tuple(found[numbers].iloc[0]) for found in (some, two, one)] == [
        (38, 2), (2, 38), (1, 39)
    ]  # fmt: skip
    assert some["mean_difference"].item() == pytest.approx(-0.1)
    assert some["share_second_lower"].item() == 1
    assert two["mean_difference"].item() == pytest.approx(-0.1)
    assert (
        one[["mean_difference", "low", "low_of_family", "share_as_extreme"]].isna().all(axis=None)
    )
    assert two["share_as_extreme"].isna().all()  # the page's seed is one of those that diverged
    # Not of the family: nothing is known of its mean.
    assert set(made("effects", kind="bn", rows="held_out")["family"].dropna()) == {17}


def test_the_loss_of_pca_is_subtracted(made):
    (line,) = made("yardsticks", yardstick="pca", rows="training", data_seed=1)["loss"]
    effects = made("effects", kind="pca", rows="training")
    assert list(effects["mean_first"]) == pytest.approx([line, line])
    assert list(effects["mean_second"]) == pytest.approx([1.0195, 1.0195])
    assert list(effects["learning_rate"]) == [0.001, 0.1]
    assert list(effects["mean_difference"]) == pytest.approx([1.0195 - line] * 2)


def test_seeds_near_a_threshold_are_counted(made):
    """Within 0.00025 of zero or of a loss, 0.0005 of a difference; what is equal is not near."""
    (effect,) = made(
        "effects", question="page", kind="extra_activation", rows="training"
    ).itertuples()
    assert (effect.near_zero, effect.near_published) == (0, 0)  # all are 0.2 from zero
    (effect,) = made("effects", question="near", kind="bn", rows="training").itertuples()
    assert (effect.near_zero, effect.share_second_lower) == (3 / 40, 1 / 40)
    assert effect.near_published == 5 / 40
    (cell,) = made("cells", question="near", variant="plain", rows="training").itertuples()
    assert cell.near_published == 2 / 40


def test_data_seeds_are_pooled_by_their_means(made):
    """Each seed of the data counts once, however many graph-level seeds there are."""
    pooled = made("effects", kind="bn_over_data", rows="held_out")
    first = pooled.iloc[0]
    assert list(pooled["environment"]) == ["x", "y", "x"]
    assert list(pooled["learning_rate"]) == [0.001, 0.001, 0.1]
    assert list(pooled["seeds"]) == [3, 2, 2]
    assert list(pooled["mean_difference"]) == pytest.approx([-0.2, -5, -7])
    assert list(pooled["mean_first"]) == pytest.approx([1.0195] * 3)
    assert first.standard_deviation == pytest.approx(0.1)
    # Student's t of 2 degrees at 1 - 0.025 / 3, since there are three such contrasts.
    assert first.high_of_family - first.mean_difference == pytest.approx(
        7.6488 * 0.1 / 3**0.5, rel=1e-3
    )
    blank = ["data_seed", "published_difference", "share_as_extreme", "share_low", "share_high"]
    assert pooled[blank].isna().all(axis=None)
    assert list(pooled["equal_start"].astype(str)) == ["False", "True", "False"]


def test_intervals_of_a_family_hold_together(made):
    """Bonferroni: each of m intervals has the level 1 - 0.05 / m of Student's t."""
    family = made("effects", kind="bn", rows="held_out")
    assert set(family["family_confidence"].dropna()) == {0.95}
    (own,) = family[(family["question"] == "page") & (family["start"] == "own")].itertuples()
    assert own.family == 17
    half = 3.1729 * own.standard_deviation / 40**0.5  # t of 39 degrees at 1 - 0.025 / 17
    assert own.high_of_family - own.mean_difference == pytest.approx(half, rel=1e-3)
    assert own.mean_difference - own.low_of_family == pytest.approx(half, rel=1e-3)


def test_both_comparisons_with_batches_of_32_are_one_family(made):
    """One claim rests on all of them: as many epochs, and as many steps."""
    batches = made("effects", question="batch_size", rows="held_out")
    batches = batches[batches["kind"].str.startswith("batch_size")]
    assert list(batches["family"]) == [3, 3, 3]


def test_cells_have_the_published_seed_and_the_runs_of_stock_keras(made):
    cells = made("cells", rows="held_out", question="page")
    assert list(cells["seeds"]) == [40] * 4
    plain = cells[cells["variant"] == "plain"].iloc[0]
    assert plain["mean"] == pytest.approx(1.0195)
    assert plain["standard_deviation"] == pytest.approx(0.0116905, rel=1e-5)
    assert plain["published_seed_loss"] == pytest.approx(1.039)
    assert plain["published_seed_percentile"] == pytest.approx(98.75)
    assert (plain["compared_runs"], plain["largest_difference_from_keras"]) == (2, 0.25)
    others = made("cells", rows="held_out").iloc[1:]
    assert set(others["compared_runs"]) == {0}
    assert others["largest_difference_from_keras"].isna().all()


def test_percentiles_run_from_the_least_to_the_greatest(made):
    table = made("percentiles", rows="held_out")
    rows = table[(table["kind"] == "loss") & (table["variant"] == "plain")].head(101)
    assert list(rows["percentile"]) == list(range(101))
    assert rows["value"].is_monotonic_increasing
    assert (rows["value"].iloc[0], rows["value"].iloc[-1]) == (1.0, pytest.approx(1.039))
    (layer,) = {
        tuple(values)
        for _, values in made("percentiles", rows="held_out", kind="extra_activation")[
            ["first", "start", "variant"]
        ].iterrows()
    }
    assert layer == ("plain", "own", "activation")
    ends = made("percentiles", kind="batch_size_32_epochs", rows="training")["value"]
    assert (ends.iloc[0], ends.iloc[-1]) == (pytest.approx(0.49), pytest.approx(0.51))
    assert "chance" not in set(table["kind"])
    equal = made("percentiles", rows="held_out", kind="bn", start="equal", variant="bn")
    assert set(equal["first"]) == {"plain"}


def test_yardsticks_come_from_the_data_of_the_page(made):
    losses = made("yardsticks", data_seed=1).set_index(["yardstick", "rows"])["loss"]
    numpy.random.seed(1)
    data = numpy.random.normal(0, 1, (100, 12))
    assert losses["zero", "held_out"] == pytest.approx((data[90:] ** 2).mean())
    assert losses["zero", "answer_rows"] == pytest.approx((data[80:90] ** 2).mean())
    covariance = numpy.cov(data[:90].T, bias=True)
    dropped = numpy.linalg.eigvalsh(covariance)[:4].sum() / 12  # what rank 8 leaves out
    assert losses["pca", "training"] == pytest.approx(dropped)
    assert losses["mean", "training"] == pytest.approx(numpy.trace(covariance) / 12)
