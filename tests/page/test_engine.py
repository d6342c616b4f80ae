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
from engine_forms import BITS, SPEED

PAGE = Path(__file__).parents[2] / "page"
ENGINE = PAGE / "engine.py"
STOCK = (PAGE / "train_stock.py").read_text()  # one run of stock Keras, in the page's order
PORTABLE = "TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL"  # see train/framework.py
INTERPRETERS = {"tf1.14": "tf1.14-keras2.2.4", "tf2.0": "tf2.0-keras2.3.1"}

pytestmark = pytest.mark.long

# Runs any code with the engine in scope, in the execution mode asked for, then saves `result`.
WITH_ENGINE = """
import json, os, sys
sys.path[:0] = {folders!r}
import numpy as np
import tensorflow as tf
(cells, eager), out = json.loads(sys.argv[1]), sys.argv[2]
if eager is not None:
    (tf.compat.v1.enable_eager_execution if eager else tf.compat.v1.disable_eager_execution)()
of_caller = dict(os.environ)
from page import engine
os.environ.update(of_caller)  # what the engine drops; read at the first product

def as_tuples(value):
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value

def settings(cell):
    return engine.TrainSettings(**{{key: as_tuples(value) for key, value in cell.items()}})

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

    def run(environment, code, argument, matrix_kernel="processor"):
        out = tmp_path_factory.mktemp("run") / "out.npz"
        subprocess.run(
            [framework_python[environment], "-c", code, json.dumps(argument), out],
            check=True,
            env={
                **{**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"},
                **({PORTABLE: "false"} if matrix_kernel == "portable" else {}),
            },
        )
        with np.load(out) as arrays:
            return dict(arrays)

    return run


@pytest.fixture(scope="module")
def with_engine(run):
    def with_engine(environment, code, cells=None, eager=None, **options):
        code = WITH_ENGINE.format(
            folders=[str(PAGE.parent / "workflow"), str(PAGE.parent)], code=code
        )
        return run(environment, code, [cells, eager], **options)

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
    def stock(environment, cell, seed, eager=None, kernels=None, **options):
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
            **options,
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
result = {
    name: array.tobytes() == chunks[name].tobytes()
    for name, array in whole.items() if name != "networks_per_product"
}
"""
    assert all(with_engine(environment, code, {"variant": "bn"}).values())


def test_other_data_are_trained_by_the_same_graph(environment, with_engine, stock):
    cell = {"variant": "bn", "batch_rows": 10}
    code = f"""
result = [train({{**cells, "data_seed": n}}, {SEEDS}) for n in (1, 7)][1]
result["graphs"] = engine.build_networks.cache_info().misses
"""
    trained = with_engine(environment, code, cell)
    assert trained.pop("graphs") == 1
    assert_same_bits(trained, 3, stock(environment, {**cell, "data_seed": 7}, 3))


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

SHOWN_BY = {  # the cell that shows it, where bn of the question's protocol does not
    "per_row": {"variant": "bn", "batch_rows": 10},
    "fused_elu": {"variant": "activations", "activations": ["linear", "elu"]},
}


@pytest.mark.parametrize(("mark", "forms"), [("Bits:", BITS), ("Speed:", SPEED)])
def test_every_line_for_bits_or_speed_is_tested(mark, forms):
    functions = [
        node
        for node in ast.walk(ast.parse(ENGINE.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]
    marked = {f.name for f in functions if (ast.get_docstring(f) or "").startswith(mark)}
    assert marked == set(forms)


@pytest.fixture(scope="module")
def obvious(environment, with_engine):
    """The greatest difference that the obvious form of each function makes, by array."""
    code = f"""
import itertools
result, forms, build_networks = {{}}, {BITS | SPEED}, engine.build_networks
for function, cell in cells.items():
    exact, marked = train(cell, range(8)), getattr(engine, function)
    setattr(engine, function, eval(forms[function]))
    build_networks.cache_clear()
    for name, array in train(cell, range(8)).items():
        result[function + "/" + name] = np.abs(array - exact[name]).max()
    setattr(engine, function, marked)
    build_networks.cache_clear()
"""
    cells = {function: SHOWN_BY.get(function, {"variant": "bn"}) for function in BITS | SPEED}
    return with_engine(environment, code, cells)


@pytest.mark.parametrize("function", BITS)
def test_the_obvious_form_has_other_bits(function, obvious):
    differences = {name: d for name, d in obvious.items() if name.startswith(function + "/")}
    assert any(differences.values())
    assert differences[f"{function}/loss"] < 1e-5  # the same mathematics, all the same


@pytest.mark.parametrize("function", SPEED)
def test_the_slow_form_has_the_same_bits(function, obvious):
    differences = {name: d for name, d in obvious.items() if name.startswith(function + "/")}
    del differences[f"{function}/networks_per_product"]
    assert not any(differences.values())


# Networks that share matrix products -----------------------------------------------------------


@pytest.mark.parametrize("cell", [CELLS[0], CELLS[7], {"variant": "bn", "batch_rows": 10}])
def test_another_matrix_kernel_has_its_own_choice(environment, cell, with_engine, stock):
    """The portable kernel adds in another order by the size of a product."""
    code = f"result = train(cells, {SEEDS})"
    trained = with_engine(environment, code, cell, matrix_kernel="portable")
    assert (trained["networks_per_product"][:, 0] == 1).all()
    expected = stock(environment, cell, 3, matrix_kernel="portable")
    assert_same_bits(trained, 3, expected)


def test_a_form_with_other_bits_is_not_chosen(environment, with_engine):
    code = """
def last_bit_differs(function, differs):
    def changed(*arguments, **keywords):
        product = function(*arguments, **keywords)
        return product * (1 + 2 ** -23) if differs(*arguments) else product
    return changed

sizes, before = (8, (32, 26), (10,)), engine.choose_products(8, (32, 26), (10,))
result = {"before": before}
for name, differs in {
    "side_by_side": lambda a, b, pieces: pieces == 1,
    "by_blocks": lambda pieces, blocks: len(pieces) == 1,
    "diagonal_blocks": lambda inputs, gradients, networks: networks == engine.BLOCK,
}.items():
    engine.choose_products.cache_clear()
    exact = getattr(engine, name)
    setattr(engine, name, last_bit_differs(exact, differs))
    result[name] = engine.choose_products(*sizes)
    setattr(engine, name, exact)
"""
    chosen = {name: list(products) for name, products in with_engine(environment, code).items()}
    before = chosen["before"]
    assert chosen["side_by_side"] == [1, 1, *before[2:]]
    assert chosen["by_blocks"] == [*before[:2], *(min(n, 2) for n in before[2:4]), before[4]]
    assert chosen["diagonal_blocks"] == [*before[:4], min(before[4], 2)]


def test_a_network_that_leaves_the_numbers_leaves_its_neighbours_alone(environment, with_engine):
    code = """
kernels = engine.draw_kernels("plain", range(8))
alone = train(cells, range(8), kernels=kernels)
kernels[0][1] = 3e38
mixed = train(cells, range(8), kernels=kernels)
result = {"infinite": ~np.isfinite(mixed["loss"][:, -1]), "shared": mixed["networks_per_product"]}
result.update({name: (a == mixed[name]).reshape(8, -1).all(1) for name, a in alone.items()})
"""
    found = with_engine(environment, code, {"variant": "plain", "epochs": 3})
    assert found.pop("infinite").tolist() == [network == 1 for network in range(8)]
    assert (found.pop("shared") == 1).all()
    del found["networks_per_product"]
    assert all(np.delete(equal, 1).all() for equal in found.values())


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
