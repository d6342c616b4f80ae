"""The engine against stock tf.keras in fresh processes: every bit of weights and losses.

Run with `pytest -m long`: a stock run takes 2 to 8 seconds, and each version has about 25.
"""

import ast
import hashlib
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "workflow/page"
ENGINE = PAGE / "engine.py"
STOCK = (PAGE / "train_stock.py").read_text()  # one run of stock Keras, in the page's order
INTERPRETERS = {"tf1.14": "tf1.14-keras2.2.4", "tf2.0": "tf2.0-keras2.3.1"}

pytestmark = pytest.mark.long

# Runs any code with the engine in scope, in the execution mode asked for, then saves `result`.
WITH_ENGINE = """
import json, sys
sys.path.insert(0, {folder!r})
import numpy as np
import tensorflow as tf
(cells, eager), out = json.loads(sys.argv[1]), sys.argv[2]
if eager is not None:
    (tf.compat.v1.enable_eager_execution if eager else tf.compat.v1.disable_eager_execution)()
import engine

def settings(cell):
    tuples = {{key: tuple(value) for key, value in cell.items() if isinstance(value, list)}}
    return engine.TrainSettings(**{{**cell, **tuples}})

def train(cell, seeds, **keywords):
    trained = engine.train_seeds(settings(cell), seeds, step_losses=True, **keywords)
    for key in ("initial_weights", "final_weights"):
        trained.update({{"%s.%d" % (key, i): w for i, w in enumerate(trained.pop(key))}})
    return trained

{code}
np.savez(out, **result)
"""

SEEDS = [0, 3, 12345, 2**31 - 2, *range(100, 109)]  # compared: some; the others lie beside them

VARIANTS = ["plain", "activation", "activations", "bn", "bn_activations", "activation_bn"]
LAYERS = {
    "plain": "dense dense",
    "activation": "dense activation dense",
    "activations": "dense activation dense activation",
    "bn": "dense bn dense",
    "bn_activations": "dense bn activation dense activation",
    "activation_bn": "dense activation bn dense",
}
PUBLISHED = [  # what a fresh process gives for graph-level seed 3: (reported, index of evaluations)
    ("tf1.14", "activations", "question", 0.7751016616821289, 1),
    ("tf1.14", "bn_activations", "question", 1.122987985610962, 1),
    ("tf2.0", "plain", "answer", 0.8407472372055054, 0),
    ("tf2.0", "bn", "answer", 0.8184505701065063, 0),
]
SETTINGS = [
    {"variant": "bn", "learning_rate": 0.1},
    {"variant": "bn", "bn_momentum": 0.9, "batch_rows": 2},
    {"variant": "plain", "batch_rows": 7},
    {"variant": "bn", "batch_rows": 10},
    {"variant": "bn", "batch_rows": 90, "data_seed": 7},
    {
        "variant": "bn",
        "training_rows": 450,
        "held_out_rows": 50,
        "evaluate": [[440, 450], [450, 500]],
    },
    {"variant": "bn_activations", "activations": ["relu", "tanh"]},
    {"variant": "bn_activations", "activations": ["tanh", "sigmoid"], "protocol": "answer"},
    {"variant": "activation_bn", "activations": ["elu", "linear"]},
    {"variant": "activations", "activations": ["sigmoid", "elu"]},
    {"variant": "bn_activations", "activations": ["elu", "elu"], "protocol": "answer"},
]
CELLS = [{"variant": v, "protocol": p} for v in VARIANTS for p in ("question", "answer")] + SETTINGS


@pytest.fixture(scope="module")
def framework_python(framework_pythons):
    """The interpreter of each version."""
    return {name: framework_pythons[file] for name, file in INTERPRETERS.items()}


@pytest.fixture(scope="module", params=INTERPRETERS)
def environment(request):
    return request.param


@pytest.fixture(scope="module")
def run(framework_python, tmp_path_factory):
    """run(environment, code, argument): the arrays that code saves, in a fresh process."""

    def run(environment, code, argument):
        out = tmp_path_factory.mktemp("run") / "out.npz"
        subprocess.run(
            [framework_python[environment], "-c", code, json.dumps(argument), out],
            check=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"},
        )
        with np.load(out) as arrays:
            return dict(arrays)

    return run


@pytest.fixture(scope="module")
def with_engine(run):
    def with_engine(environment, code, cells=None, eager=None):
        code = WITH_ENGINE.format(folder=str(ENGINE.parent), code=code)
        return run(environment, code, [cells, eager])

    return with_engine


@pytest.fixture(scope="module")
def trained(environment, with_engine):
    """trained(cell): what the engine makes of a cell; one process trains all cells."""
    code = f"""
result = {{
    "%d/%s" % (i, name): array
    for i, cell in enumerate(cells) for name, array in train(cell, {SEEDS}).items()
}}"""
    arrays = with_engine(environment, code, CELLS)

    def trained(cell):
        prefix = f"{CELLS.index(cell)}/"
        return {n[len(prefix) :]: array for n, array in arrays.items() if n.startswith(prefix)}

    return trained


@pytest.fixture(scope="module")
def stock(run):
    def stock(environment, cell, seed, eager=None, kernels=None):
        cell = {
            **{
                "protocol": "question",
                "activations": ["linear"] * 2,
                "epochs": 20,
                "learning_rate": 0.001,
            },
            **{"bn_momentum": 0.99, "data_seed": 1, "training_rows": 90, "held_out_rows": 10},
            **{"evaluate": [[80, 90], [90, 100]]},
            **cell,
        }
        cell.setdefault("batch_rows", {"question": 32, "answer": 10}[cell["protocol"]])
        cell["batch_size"] = cell["batch_rows"]
        cell["procedure"] = {"question": "fit", "answer": "train_on_batch"}[cell["protocol"]]
        units, activations = iter([8, 12]), iter(cell["activations"])
        argument = {
            "dense": lambda: next(units),
            "bn": lambda: cell["bn_momentum"],
            "activation": lambda: next(activations),
        }
        layers = [(name, argument[name]()) for name in LAYERS[cell["variant"]].split()]
        return run(
            environment,
            STOCK,
            {**cell, "layers": layers, "seed": seed, "eager": eager, "kernels": kernels},
        )

    return stock


def digest(array):
    array = np.ascontiguousarray(array)
    return array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).hexdigest()


def assert_same_bits(trained, seed, expected, seeds=SEEDS):
    """All that stock Keras reported about one seed, against the engine's row of that seed."""
    row = seeds.index(seed)
    differing = {
        name: float(np.max(np.abs(trained[name][row] - array)))
        for name, array in expected.items()
        if digest(trained[name][row]) != digest(array.astype(trained[name].dtype))
        or not np.array_equal(trained[name][row], array)
    }
    assert not differing


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: "-".join(map(str, cell.values())))
def test_trains_as_stock_keras(environment, cell, trained, stock):
    assert_same_bits(trained(cell), 3, stock(environment, cell, 3))


@pytest.mark.parametrize("seed", [0, 2**31 - 2])
def test_the_least_and_greatest_seed_train_as_stock_keras(environment, seed, trained, stock):
    cell = {"variant": "bn", "protocol": "question"}
    assert_same_bits(trained(cell), seed, stock(environment, cell, seed))


@pytest.mark.parametrize(
    "environment, eager, variant", [("tf1.14", True, "activations"), ("tf2.0", False, "bn")]
)
def test_the_other_execution_mode(environment, eager, variant, with_engine, stock):
    cell = {"variant": variant}
    trained = with_engine(environment, f"result = train(cells, {SEEDS})", cell, eager)
    assert_same_bits(trained, 3, stock(environment, cell, 3, eager))


def test_given_kernels_train_as_in_stock_keras(environment, with_engine, stock, tmp_path):
    cell = {"variant": "bn_activations"}
    code = "result = train(cells, [3], kernels=engine.draw_kernels('plain', [7]))"
    trained = with_engine(environment, code, cell)
    given = tmp_path / "kernels.npz"
    np.savez(given, trained["initial_weights.0"][0], trained["initial_weights.6"][0])
    assert_same_bits(trained, 3, stock(environment, cell, 3, kernels=str(given)), [3])


@pytest.mark.parametrize(
    "environment, variant, protocol, loss, rows", PUBLISHED, indirect=["environment"]
)
def test_published_seed(variant, protocol, loss, rows, trained):
    cell = {"variant": variant, "protocol": protocol}
    found = trained(cell)["evaluations"][SEEDS.index(3), rows]
    assert found == pytest.approx(loss, abs=1e-5)  # other processors, other last bits


def test_chunk_does_not_matter(environment, with_engine):
    code = """
whole, chunks = (train(cells, range(11), chunk=n) for n in (11, 3))
result = {name: array.tobytes() == chunks[name].tobytes() for name, array in whole.items()}
"""
    assert all(with_engine(environment, code, {"variant": "bn"}).values())


def test_noted_epochs_are_those_of_a_shorter_training(environment, with_engine):
    code = """
whole, short = train({**cells, "epochs": 7}, [3, 4]), train({**cells, "epochs": 4}, [3, 4])
noted = train({**cells, "epochs": 7, "noted": [4, 7]}, [3, 4])
result = {
    "weights": noted["final_weights.0"].tobytes() == whole["final_weights.0"].tobytes(),
    "loss": noted["loss"].tobytes() == whole["loss"][:, [3, 6]].tobytes(),
    "val_loss": noted["val_loss"].tobytes() == whole["val_loss"][:, [3, 6]].tobytes(),
    "first": noted["noted_evaluations"][:, 0].tobytes() == short["evaluations"].tobytes(),
    "last": noted["noted_evaluations"][:, 1].tobytes() == whole["evaluations"].tobytes(),
}
"""
    assert all(with_engine(environment, code, {"variant": "bn"}).values())


def test_uniform_draws_as_the_framework(environment, with_engine):
    code = """
from tensorflow.python.ops.gen_random_ops import random_uniform
seeds, op_seeds = [3, 2**31 - 2, 0], [24, 1, 2**31 - 2]
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    draws = [random_uniform([97], tf.float32, seed=a, seed2=b) for a, b in zip(seeds, op_seeds)]
    result = {"framework": session.run(draws), "engine": engine.uniform(seeds, op_seeds, 97)}
"""
    drawn = with_engine(environment, code)
    assert digest(drawn["engine"]) == digest(drawn["framework"])


# Lines that are there for bit equality only --------------------------------------------------

OBVIOUS = {
    "products": "lambda inputs, kernels: tf.unstack(tf.matmul(tf.stack(inputs), kernels))",
    "sum_rows": "lambda losses: tf.reduce_sum(losses, 0)",
    "bn_decay": "lambda momentum: np.float32(1) - np.float32(momentum)",
    "square_root": "lambda v, tails: tf.sqrt(v)",
    "adam": """lambda theta, m, v, g, t, rate, tails: (
        lambda m, v: [theta - rate * (m / (1 - engine.BETA_1 ** t)) / (
            engine.square_root(v, tails) / tf.sqrt(1 - engine.BETA_2 ** t)
            + engine.ADAM_EPSILON), m, v]
    )(engine.BETA_1 * m + (1 - engine.BETA_1) * g,
      engine.BETA_2 * v + (1 - engine.BETA_2) * g * g)""",
    "weighted_mean": """lambda losses, batches: np.average(
        losses, 0, [len(batch) for batch in batches]).astype(np.float32)""",
    "held_out_order": """lambda settings, stock, rng, drawn=engine.held_out_order: (
        drawn(settings, stock._replace(shuffle_held_out=not stock.shuffle_held_out), rng))""",
    "moments": "lambda h, constant, drawn=engine.moments: drawn(h, not constant)",
    "fused_elu": """lambda outputs, biases: [
        tf.nn.elu(tf.nn.bias_add(tf.concat(outputs, 1), engine.flat([biases])))]""",
}
SHOWN_BY = {  # the cell that shows it, where bn of the question's protocol does not
    "moments": {"variant": "bn", "batch_rows": 10},
    "fused_elu": {"variant": "activations", "activations": ["linear", "elu"]},
}


def test_every_line_for_bits_is_tested():
    functions = [
        node
        for node in ast.walk(ast.parse(ENGINE.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]
    marked = {f.name for f in functions if (ast.get_docstring(f) or "").startswith("Bits:")}
    assert marked == set(OBVIOUS)


@pytest.fixture(scope="module")
def obvious(environment, with_engine):
    """The greatest difference that the obvious form of each function makes, by array."""
    code = f"""
result = {{}}
for function, cell in cells.items():
    exact, marked = train(cell, range(8)), getattr(engine, function)
    setattr(engine, function, eval({OBVIOUS}[function]))
    for name, array in train(cell, range(8)).items():
        result[function + "/" + name] = np.abs(array - exact[name]).max()
    setattr(engine, function, marked)
"""
    cells = {function: SHOWN_BY.get(function, {"variant": "bn"}) for function in OBVIOUS}
    return with_engine(environment, code, cells)


@pytest.mark.parametrize("function", OBVIOUS)
def test_the_obvious_form_has_other_bits(function, obvious):
    differences = {name: d for name, d in obvious.items() if name.startswith(function + "/")}
    assert any(differences.values())
    assert differences[f"{function}/loss"] < 1e-5  # the same mathematics, all the same


# What is refused -----------------------------------------------------------------------------

SIGMOID_OUTPUT = {"variant": "activations", "activations": ["linear", "sigmoid"]}
REFUSED = [
    ("variant", {"variant": "bn_bn"}, [3]),
    ("protocol", {"protocol": "comment"}, [3]),
    ("activations", {"activations": ["linear", "softmax"]}, [3]),
    ("epochs", {"epochs": 0}, [3]),
    ("batch_rows", {"batch_rows": 91}, [3]),
    ("evaluate", {"evaluate": [[90, 101]]}, [3]),
    ("noted", {"noted": [21]}, [3]),
    ("even rows", {**SIGMOID_OUTPUT, "batch_rows": 7}, [3]),
    ("seeds", {}, []),
    ("seeds", {}, [-1]),
    ("seeds", {}, [2**31 - 1]),
]


def test_refuses(environment, with_engine):
    code = """
result = {"messages": []}
for _, cell, seeds in cells:
    try:
        train(cell, seeds)
        result["messages"].append("nothing was refused")
    except ValueError as error:
        result["messages"].append(str(error))
"""
    messages = with_engine(environment, code, REFUSED)["messages"]
    assert [message.split(":")[0] for message in messages] == [name for name, _, _ in REFUSED]
