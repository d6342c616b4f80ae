"""The committed tables hold what the frameworks give today, bit for bit on the same processor.

Another processor may sum in another order; there, losses agree to five digits after the point.
"""

import numpy
import pytest
from bnyesno.tables import COLUMNS, make_table, read_table
from repository import ROOT

pytestmark = pytest.mark.slow

RUNS = ROOT / "results/tables/runs.csv"
KEYS = ["environment", "variant", "protocol", "rows"]
HASHES = ["initial_weights_sha256", "final_weights_sha256", "trajectory_sha256"]


@pytest.fixture(scope="module")
def committed(committed_config):
    """The rows of the runs that give the same bits every time, by cell."""
    if not RUNS.is_file():
        pytest.skip("there are no committed results yet")
    runs = read_table(RUNS)
    seed = committed_config["figures"]["seed"]
    chosen = runs[(runs["api"] == "tf.keras") & (runs["seed"] == seed) & (runs["repeat"] == 1)]
    return chosen.set_index(KEYS).sort_index()


@pytest.fixture(scope="module")
def fresh(records, committed):
    """The same rows from runs of today, and the processor they ran on."""
    cells = sorted({key[:3] for key in committed.index})
    runs = [records(*cell) for cell in cells]
    table = make_table("runs", runs).set_index(KEYS).sort_index()
    return table, runs[0]["machine"]["cpu_model"]


def test_committed_runs_are_those_of_today(committed, fresh):
    table, processor = fresh
    assert list(table.index) == list(committed.index)
    losses = [runs[["loss", "val_loss"]].to_numpy() for runs in (table, committed)]
    assert numpy.allclose(*losses, rtol=0, atol=1e-5)
    if set(committed.get("cpu_model", [])) <= {processor}:
        assert losses[0].tobytes() == losses[1].tobytes()
        assert table[HASHES].equals(committed[HASHES])


@pytest.mark.parametrize("name", COLUMNS)
def test_committed_columns_are_the_documented_ones(committed, name):
    assert list(read_table(ROOT / f"results/tables/{name}.csv")) == list(COLUMNS[name])
