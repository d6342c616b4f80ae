"""Scripts with planted causes: what differs from the plain script is known.

python planted_scripts.py FOLDER ENVIRONMENT... > pairs.yaml
"""

import itertools
import sys
from pathlib import Path

import yaml

SCRIPT = '''"""Planted: {planted}."""

import random

import numpy
import tensorflow
from {api} import layers, models, optimizers

set_seed = getattr(tensorflow, "set_random_seed", None) or tensorflow.random.set_seed
random.seed(2)
set_seed(3)
numpy.random.seed(1)
x = numpy.random.normal(size=(96, 6)).astype("float32")
y = numpy.sin(x.sum(axis=1, keepdims=True))
train, held_out = (x[:64], y[:64]), (x[64:], y[64:])
{data}
{initial_draws}
model = models.Sequential()
model.add(layers.Dense(8, activation="{activation}", input_shape=(6,)))
model.add(layers.Dense(1))
model.compile(optimizer=optimizers.SGD(0.05), loss="mse")
{draws}
model.fit(*train, batch_size=16, epochs=4, shuffle=True, verbose=0)
{evaluation}
print(model.evaluate(*held_out, verbose=0))
'''
NOTHING = {"data": "", "initial_draws": "", "activation": "relu", "draws": "", "evaluation": ""}
PLANTED = {
    "data": {"data": "train = train[0], train[1] + 0.2 * train[0][:, :1]"},
    "initial draws": {
        "initial_draws": "random.seed(5)\nset_seed(4)\nnumpy.random.normal(size=7)",
    },
    "draws during training": {"draws": "set_seed(8)\nnumpy.random.seed(7)\nrandom.seed(9)"},
    "computation": {"activation": "tanh"},
    "evaluation": {"evaluation": "held_out = held_out[0][:20], held_out[1][:20]"},
}
# The generator that draws initial weights also draws the order of rows: where its state is moved
# before the model, both differ unless the state is set again.
AGAIN = "set_seed(6)\nnumpy.random.seed(6)\nrandom.seed(6)"


def write(path: Path, causes: tuple[str, ...], api: str) -> None:
    """Write a script that differs from the plain one by these causes."""
    changes = {**NOTHING, "draws": AGAIN}
    for cause in causes:
        changes |= PLANTED[cause]
    path.write_text(SCRIPT.format(planted=", ".join(causes) or "nothing", api=api, **changes))


def combinations() -> list[tuple[str, ...]]:
    """Return nothing, every cause, and every pair of causes."""
    return [pair for size in (0, 1, 2) for pair in itertools.combinations(PLANTED, size)]


def plant(folder: Path, environment: str, api: str = "tensorflow.keras") -> dict[str, dict]:
    """Write all scripts; return the pairs as a configuration has them, by their causes."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs = {}
    for causes in combinations():
        name = "+".join(causes).replace(" ", "_") or "nothing"
        write(folder / f"{name}.py", causes, api)
        sides = {"first": str(folder / "nothing.py"), "second": str(folder / f"{name}.py")}
        pairs[f"{environment}-{api.split('.')[-1]}-{name}".replace("+", ".")] = {
            **sides,
            "in": environment,
        }
    return pairs


if __name__ == "__main__":
    found = {}
    for name in sys.argv[2:]:
        found |= plant(Path(sys.argv[1]), name)
    yaml.safe_dump({"pairs": found}, sys.stdout)
