"""Training processes in the real environments, each started once and shared by all tests.

What a test asks for first starts all processes of that kind, as many at a time as there are cores.
"""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cells import CELLS, ENVIRONMENTS
from judge.records import Records
from plan.runs import PUBLISHED, make_plan
from repository import ROOT

BARE = Path(__file__).with_name("bare.py")


@pytest.fixture(scope="session")
def pool():
    """As many threads as there are cores, each waiting for a process."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield pool
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def plan(committed_config):
    """Return the plan of cells of config.yaml, as the rules give it to train.job."""

    def plan(environment, cells, api="tf.keras", seeds=(3,), **options):
        runs = [{"change": PUBLISHED, "variant": v, "protocol": p} for v, p in cells]
        planned = make_plan(
            committed_config, runs, seeds, environment=environment, api=api, **options
        )
        return json.loads(planned)

    return plan


@pytest.fixture(scope="session")
def train_arguments(committed_config):
    """Return the arguments of train.job for a plan, which is written beside the output."""

    def train_arguments(plan, output):
        file = output.with_suffix(".plan.json")
        file.write_text(plan if isinstance(plan, str) else json.dumps(plan))
        experiment = ROOT / committed_config["experiment"]["module"]
        return [
            *(ROOT / "workflow", "train.job", "--experiment", experiment),
            *("--plan", file, "--output", output),
        ]

    return train_arguments


@pytest.fixture(scope="session")
def train(pool, in_environment, plan, train_arguments, made_once):
    """Start train.job; return a function that waits for it and reads one of its records."""

    def train(environment, *arguments, **options):
        planned = plan(environment, *arguments, **options)

        def run(output):
            done = in_environment(environment, *train_arguments(planned, output))
            assert done.returncode == 0, done.stderr

        name = hashlib.sha256(json.dumps(planned).encode()).hexdigest()
        output = pool.submit(made_once, f"{name}.jsonl", run)

        def record(variant, protocol, repeat=1):
            cell = {"environment": environment, "api": planned["api"]}
            cell |= {"variant": variant, "protocol": protocol}
            return Records([output.result()], seed=3).find(PUBLISHED, cell, repeat)

        return record

    return train


@pytest.fixture(scope="session")
def records(train):
    """Every tf.keras cell of config.yaml, one process per environment, one thread."""
    return in_each_environment(train, CELLS, threads=1)


@pytest.fixture(scope="session")
def standalone(train):
    """Two cells of standalone keras, twice in one process."""
    cells = [("plain", "answer"), ("activation", "answer")]
    return in_each_environment(train, cells, api="keras", repeats=2, threads=1)


@pytest.fixture(scope="session")
def start_bare(pool, in_environment, committed_config):
    """Start cells in fresh processes, by a script that shares no code with the workflow.

    start_bare(environment, cells, *options) -> what waits for the report of a cell.
    """

    def start_bare(environment, cells, *options):
        orders = []
        for variant, protocol in cells:
            layers = committed_config["variants"][variant]["layers"]
            order = {slot: [class_name(layer) for layer in layers[slot]] for slot in layers}
            orders.append(json.dumps(order | {"protocol": protocol}))
        started = pool.submit(in_environment, environment, BARE, *options, *orders)

        def report(cell):
            done = started.result()
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout.splitlines()[-len(cells) :][cells.index(cell)])

        return report

    return start_bare


def in_each_environment(train, cells, **options):
    """Start the same trainings in each environment; return what reads the record of a cell."""
    started = {name: train(name, cells, **options) for name in ENVIRONMENTS}
    return lambda environment, *cell: started[environment](*cell)


def class_name(layer):
    """Return the class name of a layer as config.yaml describes it."""
    return layer if isinstance(layer, str) else next(iter(layer))
