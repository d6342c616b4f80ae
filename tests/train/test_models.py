"""Models that are no chain of Dense layers, observed in the real frameworks."""

import json
from pathlib import Path

import pytest
from cells import ENVIRONMENTS
from repository import ROOT

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("models.py")


@pytest.fixture(scope="module")
def observed(in_environment):
    """What models.py prints in each environment, with each API."""
    found = []
    for environment in ENVIRONMENTS:
        done = in_environment(environment, SCRIPT, ROOT / "workflow")
        assert done.returncode == 0, done.stderr
        found += map(json.loads, done.stdout.splitlines()[-2:])
    return found


def test_a_functional_model_is_observed(observed):
    """In TensorFlow 1 an Input is fed, and cannot be fetched."""
    for found in observed:
        assert found["functional"]["draws"] == ["only"]
        assert found["functional"]["identities"] == {}


def test_a_layer_is_compared_with_its_own_input(observed):
    """In the branch the layer before `copy` in the list is not the one that it repeats."""
    for found in observed:
        identities = found["branch"]["identities"]
        assert identities["copy"] is True
        assert identities["other"] is False
        assert "sum" not in identities  # it has two inputs


def test_what_is_drawn_is_not_told_by_values(observed):
    """A 1 x 1 kernel has one value and is drawn; an identity matrix has several and is not."""
    for found in observed:
        assert found["constants"]["draws"] == ["narrow", "single"]


def test_every_array_that_is_drawn_counts(observed):
    for found in observed:
        assert found["parts"]["draws"] == ["recurrent", "bias", "bn", "depthwise"]


def test_a_model_within_the_model_is_left_out(observed):
    for found in observed:
        assert found["nested"]["draws"] == ["inner"]
        assert found["nested"]["identities"] == {"copy": True}


def test_a_model_that_is_no_graph_of_layers_is_observed(observed):
    for found in observed:
        assert found["subclass"]["draws"] == ["only"]
        assert found["subclass"]["identities"] == {}


def test_what_does_not_say_whether_it_draws_is_seen_to(observed):
    """The model is built again: a drawn weight is another one, a constant matrix is the same."""
    for found in observed:
        assert found["own"]["draws"] == ["drawn"]


# The page's experiment with initializers of its own, which say that they draw or do not say it.
OWN_INITIALIZERS = """

def build_model(keras, inputs, slots, optimizer, initializer):
    described = {"seed": None} if slots["between"][0].name == "told" else {}

    class Own(keras.initializers.VarianceScaling):
        def get_config(self):
            return described

    return build_model_of_the_page(
        keras, inputs, slots, optimizer, lambda: Own(mode="fan_avg", distribution="uniform")
    )
"""


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_building_a_model_again_leaves_no_trace(
    environment, in_environment, committed_config, tmp_path
):
    variants = ("told", "silent", "told")
    plan = {
        **{"environment": environment, "api": "tf.keras", "seeds": [3], "threads": 1},
        "data": committed_config["experiment"]["data"],
        "variants": {one: {"between": [{"BatchNormalization": {"name": one}}]} for one in variants},
        "protocols": {"answer": committed_config["protocols"]["answer"] | {"epochs": 1}},
        "cells": [{"variant": one, "protocol": "answer"} for one in variants],
    }
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    page = (ROOT / "page/autoencoder.py").read_text(encoding="utf-8")
    module = page.replace("def build_model(", "def build_model_of_the_page(") + OWN_INITIALIZERS
    (tmp_path / "own.py").write_text(module)
    output = tmp_path / "own.jsonl"
    words = ["--experiment", tmp_path / "own.py", "--plan", tmp_path / "plan.json"]
    done = in_environment(environment, ROOT / "workflow", "train.job", *words, "--output", output)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in output.read_text().splitlines()]
    kept = [
        [record[name] for name in ("drawing_layers", "op_level_seeds", "trajectory_sha256")]
        for record in records
    ]
    assert kept[0] == kept[1] == kept[2]
    assert len(records[0]["op_level_seeds"]) == 2
    assert len({record["initial_weights"]["sha256"] for record in records}) == 1
