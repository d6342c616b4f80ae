"""A record explains itself: all that was set, all that was measured, where and in what."""

import hashlib
import struct

import pytest

pytestmark = pytest.mark.slow

ENVIRONMENTS = ["tf1.14-keras2.2.4", "tf2.0-keras2.3.1"]


@pytest.fixture(params=ENVIRONMENTS)
def environment(request):
    return request.param


@pytest.fixture(params=["question", "answer"])
def protocol(request):
    return request.param


@pytest.fixture
def record(records, environment, protocol):
    """A run with one Activation and one BN."""
    return records(environment, "activation_bn", protocol)


def test_what_was_asked_for(record, protocol, planned):
    cell = record["cell"]
    assert (cell["variant"], cell["protocol"], cell["api"]) == (
        "activation_bn",
        protocol,
        "tf.keras",
    )
    assert cell["layers"] == planned["variants"]["activation_bn"]["layers"]
    assert cell["settings"] == planned["protocols"][protocol]
    assert cell["data"] == planned["experiment"]["data"]
    assert (cell["seed"], cell["data_seed"], cell["python_seed"]) == (3, 1, 2)
    assert cell["repeat"] == 1


def test_where_it_ran(record, environment):
    machine = record["machine"]
    tensorflow = {"tf1.14-keras2.2.4": "1.14.0", "tf2.0-keras2.3.1": "2.0.0"}[environment]
    assert machine["tensorflow"] == tensorflow
    assert machine["keras"].endswith("-tf")  # the Keras that is part of TensorFlow
    assert machine["python"].startswith("3.7.")
    assert machine["numpy"].startswith("1.")
    assert machine["executes_eagerly"] is (tensorflow == "2.0.0")
    assert machine["threads"] == 1
    assert machine["cpu_model"]
    assert machine["process"]
    assert record["seconds"] > 0


def test_every_epoch_and_step(record, protocol):
    steps = {"question": 60, "answer": 180}[protocol]
    assert len(record["step_losses"]) == len(record["weight_sums"]) == steps
    assert len(record["step_weights_sha256"]) == steps
    assert [epoch["epoch"] for epoch in record["epochs"]] == [*range(1, 21)]
    assert all(set(epoch["rows"]) == {"80:90", "90:100"} for epoch in record["epochs"])
    assert set(record["evaluations"]) == {"80:90", "90:100"}
    assert set(record["weight_sums"][0]) == {"dense", "batch_normalization", "dense_1"}


def test_weights_and_their_hashes(record):
    for name in ("initial_weights", "final_weights"):
        weights = record[name]
        contents = [
            struct.pack(f"<{len(array['values'])}f", *array["values"])
            for array in weights["arrays"]
        ]
        assert [hashlib.sha256(content).hexdigest() for content in contents] == [
            array["sha256"] for array in weights["arrays"]
        ]
        assert hashlib.sha256(b"".join(contents)).hexdigest() == weights["sha256"]
    layers = [array["layer"] for array in weights["arrays"]]
    assert layers == ["dense"] * 2 + ["batch_normalization"] * 4 + ["dense_1"] * 2
    assert weights["arrays"][0]["shape"] == [12, 8]
    assert record["step_weights_sha256"][-1] == weights["sha256"]


def test_draws_names_and_identities(record, environment):
    assert record["layers"] == ["dense", "activation", "batch_normalization", "dense_1"]
    assert set(record["op_level_seeds"]) == {"dense", "dense_1"}
    assert {seeds["graph_seed"] for seeds in record["op_level_seeds"].values()} == {3}
    name = "activation/activation/Identity:0" if environment[2] == "1" else "activation/Identity:0"
    assert record["layer_output_names"]["activation"] == name
    assert record["layer_is_identity"] == {"activation": True, "batch_normalization": False}


def test_op_level_seeds_of_v1_and_v2(records):
    seeds = {
        variant: records(ENVIRONMENTS[0], variant, "answer")["op_level_seeds"]
        for variant in ("plain", "activation")
    }
    assert [seeds["plain"][layer]["op_seed"] for layer in ("dense", "dense_1")] == [4, 24]
    assert [seeds["activation"][layer]["op_seed"] for layer in ("dense", "dense_1")] == [4, 25]
