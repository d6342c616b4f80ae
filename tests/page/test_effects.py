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
    (effect,) = made("effects", kind="bn", start="own", rows="held_out").itertuples()
    assert (effect.first, effect.second, effect.seeds) == ("plain", "bn", 40)
    assert str(effect.equal_start) == "False"  # its kernels are others, whatever the release
    assert effect.mean_difference == pytest.approx(-0.1 + 0.4 / 40)
    assert effect.low < effect.mean_difference < effect.high < 0
    assert effect.share_second_lower == 39 / 40
    assert effect.published_difference == pytest.approx(-0.1)


def test_bn_from_equal_initial_weights(made):
    (effect,) = made("effects", kind="bn", start="equal", rows="held_out").itertuples()
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
    found = made("effects", kind="chance", first="a seed", rows="held_out", variant="plain")
    (effect,) = found.itertuples(index=False)
    assert effect.published_difference == pytest.approx(-0.1)
    assert effect.share_as_extreme == effect.share_low == 0  # neighbours differ by 0.039 at most
    # Wilson: z² / (n + z²), with half of the pairs.
    assert effect.share_high == pytest.approx(1.96**2 / (20 + 1.96**2), abs=1e-4)
    # The mean of these differences is zero whatever is true.
    meaningless = ["mean_difference", "low", "high", "low_of_family", "share_second_lower"]
    assert found[meaningless].isna().all(axis=None)


def test_intervals_of_a_family_hold_together(made):
    """Bonferroni: each of m intervals has the level 1 - 0.05 / m of Student's t."""
    family = made("effects", kind="bn", rows="held_out")
    assert list(family["family"]) == [2, 2]
    assert set(family["family_confidence"]) == {0.95}
    (own,) = family[family["start"] == "own"].itertuples()
    half = 2.3313 * own.standard_deviation / 40**0.5  # t of 39 degrees at 0.9875
    assert own.high_of_family - own.mean_difference == pytest.approx(half, rel=1e-3)
    assert own.mean_difference - own.low_of_family == pytest.approx(half, rel=1e-3)


def test_cells_have_the_published_seed_and_the_runs_of_stock_keras(made):
    cells = made("cells", rows="held_out")
    assert list(cells["seeds"]) == [40] * 4
    plain = cells[cells["variant"] == "plain"].iloc[0]
    assert plain["published_seed_percentile"] == pytest.approx(98.75)
    assert (plain["compared_runs"], plain["largest_difference_from_keras"]) == (2, 0)
    assert list(cells["compared_runs"])[1:] == [0, 0, 0]


def test_percentiles_run_from_the_least_to_the_greatest(made):
    rows = made("percentiles", kind="loss", variant="plain", rows="held_out")
    assert list(rows["percentile"]) == list(range(101))
    assert rows["value"].is_monotonic_increasing
    assert (rows["value"].iloc[0], rows["value"].iloc[-1]) == (1.0, pytest.approx(1.039))


def test_yardsticks_come_from_the_data_of_the_page(made):
    losses = made("yardsticks").set_index(["yardstick", "rows"])["loss"]
    numpy.random.seed(1)
    data = numpy.random.normal(0, 1, (100, 12))
    assert losses["zero", "held_out"] == pytest.approx((data[90:] ** 2).mean())
    covariance = numpy.cov(data[:90].T, bias=True)
    dropped = numpy.linalg.eigvalsh(covariance)[:4].sum() / 12  # what rank 8 leaves out
    assert losses["pca", "training"] == pytest.approx(dropped)
    assert losses["mean", "training"] == pytest.approx(numpy.trace(covariance) / 12)
