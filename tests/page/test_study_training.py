"""The seed study's jobs in the real environments: a chunk, its sample, and what goes wrong.

The engine's own tests (test_engine.py, marked long) cover every cell; these, every command line.
"""

import json
import subprocess

import numpy
import pytest
from repository import ROOT

pytestmark = pytest.mark.slow

WORKFLOW = ROOT / "workflow"
PART = {
    "noted": [2],
    "cells": [
        {"variant": ["activations"], "protocol": "question", "hidden": ["linear", "tanh"]},
        {"variant": "bn", "protocol": ["question", "answer"], "start": "plain", "epochs": 4},
    ],
}
SEEDS = 3
OLD, NEW = ENVIRONMENTS = ("tf1.14-keras2.2.4", "tf2.0-keras2.3.1")
# What no release decides; with the long tests in both.
in_one = pytest.mark.parametrize(
    "environment",
    [OLD, pytest.param(NEW, marks=pytest.mark.long)],
    indirect=True,
    scope="module",
)


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def environment(request):
    return request.param


@pytest.fixture(scope="module")
def chunk_arguments(committed_config):
    """Return the arguments that train a chunk of PART."""

    def chunk_arguments(output, part=PART, last=SEEDS - 1):
        plan = {
            **{"part": "planned", "environment": "here", "first_seed": 0, "last_seed": last},
            **{key: committed_config[key] for key in ("experiment", "protocols")},
            **part,
        }
        output.with_suffix(".json").write_text(json.dumps(plan))
        plan = ["--plan", output.with_suffix(".json")]
        return [WORKFLOW, "page.train_study", *plan, "--output", output]

    return chunk_arguments


@pytest.fixture(scope="module")
def chunk(environment, in_environment, chunk_arguments, tmp_path_factory):
    """A chunk of PART."""
    path = tmp_path_factory.mktemp("chunk") / "chunk.npz"
    done = in_environment(environment, *chunk_arguments(path))
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def compare(environment, in_environment, committed_config):
    """compare(chunk, count, output): compare_with_stock.py, finished."""
    layers = {name: entry["layers"] for name, entry in committed_config["variants"].items()}

    def compare(chunk, count, output):
        plan = {"count": count, "sample_seed": 1, "variants": layers}
        plan["protocols"] = committed_config["protocols"]
        output.with_suffix(".json").write_text(json.dumps(plan))
        words = ["--plan", output.with_suffix(".json"), "--chunks", chunk, "--output", output]
        return in_environment(environment, WORKFLOW, "page.compare_with_stock", *words)

    return compare


def test_a_sample_is_what_stock_keras_gives(chunk, compare, tmp_path):
    output = tmp_path / "compared.jsonl"
    done = compare(chunk, 3, output)
    assert done.returncode == 0, done.stderr
    entries = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert len(entries) == 3
    assert {(entry["part"], entry["environment"]) for entry in entries} == {("planned", "here")}
    assert {entry["start"] for entry in entries} == {"own", "plain"}
    assert all(not entry["differing"] for entry in entries)
    assert all(entry["largest_difference"] == 0 for entry in entries)


@in_one
def test_one_differing_bit_stops_it(chunk, compare, tmp_path):
    with numpy.load(chunk) as arrays:
        tampered = {key: array.copy() for key, array in arrays.items()}
    for key, array in tampered.items():
        if key.endswith(("/evaluations", "/final_weights_sha256")):
            array.view(numpy.uint8).reshape(-1, array.dtype.itemsize)[:, 0] ^= 1
    numpy.savez(tmp_path / "tampered.npz", **tampered)
    output = tmp_path / "compared.jsonl"
    done = compare(tmp_path / "tampered.npz", 1, output)
    assert done.returncode != 0
    differing = "final_weights, evaluations ("
    assert f"the engine differs from stock Keras in {differing}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not output.exists()


# Runs a script whose arrays stop in the middle of being written, until it is killed.
STOPS_WRITING = """
import runpy, sys, time
import numpy

def write_half(stream, **arrays):
    stream.write(b"half of an archive")
    stream.flush()
    print("writing", flush=True)
    time.sleep(10 ** 6)

numpy.savez = write_half
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@in_one
def test_a_killed_chunk_is_trained_again_whatever_switches_the_caller_sets(
    framework_pythons, environment, in_environment, chunk_arguments, chunk, tmp_path, monkeypatch
):
    path = tmp_path / "chunk.npz"
    command = [framework_pythons[environment], "-s", "-c", STOPS_WRITING, *chunk_arguments(path)]
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        assert "writing\n" in iter(running.stdout.readline, "")
        running.kill()
    assert list(tmp_path.glob("*.part")) != []  # it was killed with a file half written
    assert not path.exists()

    # A switch of the framework in the caller's environment would change the last bits.
    monkeypatch.setenv("TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL", "false")
    done = in_environment(environment, *chunk_arguments(path))
    assert done.returncode == 0, done.stderr
    assert path.read_bytes() == chunk.read_bytes()
    with numpy.load(path) as arrays:
        assert len(arrays["seeds"]) == SEEDS
        assert arrays["1/networks_per_product"].shape == (SEEDS, 5)


@in_one
def test_what_the_engine_refuses_is_told(environment, in_environment, chunk_arguments, tmp_path):
    part = {"cells": [{"variant": "bn", "protocol": "question", "batch_size": 91}]}
    done = in_environment(environment, *chunk_arguments(tmp_path / "c.npz", part, last=0))
    assert done.returncode != 0
    assert "page.train_study: batch_rows: found 91, expected 1 to training_rows" in done.stderr
    assert "Traceback" not in done.stderr


@in_one
def test_the_engine_imports_nothing_that_it_does_not_use(environment, in_environment):
    code = "import sys; sys.path[:0] = sys.argv[1:]; from page import engine as e;"
    code += "print(e.tf.__version__, [n for n in e.UNUSED if n in sys.modules]); import h5py, scipy"
    done = in_environment(environment, "-c", code, WORKFLOW, ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split(maxsplit=1)[1] == "[]\n"
