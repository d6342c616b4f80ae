"""What one run of the question's protocol with BN costs, by how it is made; all on one core.

    . .driver/bin/activate && python benchmarks/study_engine.py

For each framework version: a fresh process per run, the model rebuilt in one process, one compiled
model reused, the engine with its start-up and without, and with the obvious form of each function
that is written otherwise for speed; then seconds and memory of the engine by the number of seeds.
The part that runs inside the framework's environment is Python 3.7.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORKFLOW = ROOT / "workflow"
SEEDS = 2000
COUNTS = (1, 10, 100, 1000, 10000)
CELL = {
    "layers": [["dense", 8], ["bn", 0.99], ["dense", 12]],
    **{"data_seed": 1, "training_rows": 90, "held_out_rows": 10, "procedure": "fit"},
    **{"epochs": 20, "batch_size": 32, "learning_rate": 0.001, "evaluate": [[90, 100]]},
    **{"kernels": None, "eager": None},
}


def seconds(function, repeats=1):
    """Return the mean duration of a call, in seconds."""
    begin = time.perf_counter()
    for number in range(repeats):
        function(number)
    return (time.perf_counter() - begin) / repeats


def fresh_process(number):
    """Train one seed with stock Keras in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-s", str(ROOT / "page/train_stock.py")]
        command += [json.dumps(dict(CELL, seed=number)), folder + "/out.npz"]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def engine_process(_):
    """Train SEEDS seeds with the engine in a process of its own."""
    command = [sys.executable, "-s", __file__, "--engine", str(SEEDS)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def rebuild(tf, stock, number):
    """Train one seed with stock Keras after starting afresh in this process."""
    import numpy

    tf.keras.backend.clear_session()
    if not tf.executing_eagerly():
        tf.compat.v1.reset_default_graph()
    numpy.random.seed(1)
    tf.compat.v1.set_random_seed(number)
    x = numpy.random.normal(0, 1, (100, 12))
    stock.train(stock.build(tf.keras, CELL), x, CELL)


def reuse(model, start, kernels, x, stock, number):
    """Train one seed with a compiled model that has been trained before."""
    weights = [array.copy() for array in start]
    weights[0], weights[-2] = kernels[0][number], kernels[1][number]
    model.set_weights(weights)
    model.optimizer.set_weights([0 * array for array in model.optimizer.get_weights()])
    stock.train(model, x, CELL)


def obvious_forms(tf, engine, settings):
    """Return the seconds per seed as it is and with obvious forms; all give the same weights."""
    import itertools

    import numpy
    from engine_forms import SPEED

    scope = {"engine": engine, "np": numpy, "tf": tf, "itertools": itertools}
    result, weights, build_networks = {}, [], engine.build_networks

    def train(_):
        weights.append(engine.train_seeds(settings, range(SEEDS))["final_weights"])

    for _ in range(3):  # interleaved, the least of three
        for function, form in {"": None, **SPEED}.items():
            if function:
                marked = getattr(engine, function)
                setattr(engine, function, eval(form, scope))
            build_networks.cache_clear()
            name = "engine, warm" if not function else "with the obvious " + function
            result[name] = min(seconds(train) / SEEDS, result.get(name, float("inf")))
            if function:
                setattr(engine, function, marked)
    for other in weights[1:]:
        assert all(map(numpy.array_equal, weights[0], other))
    return result


def inside():
    """Measure everything in this environment; print JSON."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    result = {"fresh process": seconds(fresh_process, 3)}
    result["engine, start-up included"] = seconds(engine_process) / SEEDS
    sys.path[:0] = [str(WORKFLOW), str(ROOT), str(ROOT / "tests/page")]
    import numpy
    import tensorflow as tf

    from page import engine
    from page import train_stock as stock

    result["rebuilt in process"] = seconds(lambda n: rebuild(tf, stock, n), 5)
    x = numpy.random.RandomState(1).normal(0, 1, (100, 12))
    kernels = engine.draw_kernels("bn", range(10))
    model = stock.build(tf.keras, CELL)
    start = model.get_weights()
    stock.train(model, x, CELL)
    again = seconds(lambda n: reuse(model, start, kernels, x, stock, n), 10)
    result["compiled model reused"] = again
    settings = engine.TrainSettings(variant="bn")
    result.update(obvious_forms(tf, engine, settings))
    by_count = []
    for count in COUNTS:
        spent = seconds(lambda _, count=count: engine.train_seeds(settings, range(count)))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        by_count.append((count, spent, memory))
    print(json.dumps({"tensorflow": tf.__version__, "runs": result, "by_count": by_count}))


def engine_only(count):
    """Train so many seeds and nothing else: what a job of the study does."""
    sys.path[:0] = [str(WORKFLOW), str(ROOT)]
    from page import engine

    engine.train_seeds(engine.TrainSettings(variant="bn"), range(count))


def pythons():
    """Return the interpreters of the two environments that the workflow has built."""
    sys.path[:0] = [str(ROOT / "tests")]
    from repository import run_driver

    listed = run_driver("snakemake", "--list-conda-envs").stdout.splitlines()
    rows = [line.split("\t") for line in listed if line.startswith("envs/tf")]
    return [ROOT / location / "bin/python" for _, _, location in rows]


def main():
    """Measure in each environment, on one core, and print a table."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(f"load before: {os.getloadavg()[0]:.2f}")
    for python in pythons():
        done = subprocess.run(
            [python, "-s", __file__, "--inside"], stdout=subprocess.PIPE, text=True, check=True
        )
        measured = json.loads(done.stdout.splitlines()[-1])
        print(f"\nTensorFlow {measured['tensorflow']}: seconds per run")
        runs = measured["runs"]
        for name, spent in sorted(runs.items(), key=lambda item: -item[1]):
            times = runs["fresh process"] / spent
            print(f"  {name:36} {spent:9.5f}  {times:8.0f} times as fast as a fresh process")
        print("  seeds    seconds   per seed   peak memory, MiB")
        for count, spent, memory in measured["by_count"]:
            print(f"  {count:5} {spent:10.2f} {spent / count:10.5f} {memory:10.0f}")


if __name__ == "__main__":
    if "--inside" in sys.argv:
        inside()
    elif "--engine" in sys.argv:
        engine_only(int(sys.argv[-1]))
    else:
        main()
