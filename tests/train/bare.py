"""Runs of the page, each in a process of its own, without any of the workflow's code. Python 3.7.

    python bare.py '{"protocol": "answer", "between": ["BatchNormalization"], "after": []}' ...

With `portable` before them, the frameworks use the portable matrix kernel. The order of what
happens is that of the page. Each run is forked from a process that has imported the framework and
done nothing else. The last lines printed are JSON, one for each run: the losses
as the framework returns them, the weights after training as bytes in hexadecimal.
"""

import json
import os
import sys

if "portable" in sys.argv:
    sys.argv.remove("portable")
    os.environ["TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL"] = "false"

import numpy

numpy.random.seed(1)

import random  # noqa: E402

random.seed(2)

import tensorflow  # noqa: E402
from tensorflow.keras import layers  # noqa: E402
from tensorflow.keras.models import Sequential  # noqa: E402

ROWS, FEATURES, UNITS, EPOCHS = 100, 12, 8, 20


def new_layer(name):
    """Return a linear Activation, or a layer without arguments."""
    return layers.Activation("linear") if name == "Activation" else getattr(layers, name)()


def build(between, after):
    """Return the compiled model of one variant."""
    model = Sequential()
    model.add(layers.Dense(UNITS, input_shape=(FEATURES,)))
    for name in between:
        model.add(new_layer(name))
    model.add(layers.Dense(FEATURES))
    for name in after:
        model.add(new_layer(name))
    model.compile(optimizer="adam", loss="mean_squared_error")
    return model


def question(model, data):
    """Train as the question does; return what `fit` reports."""
    history = model.fit(
        data, data, epochs=EPOCHS, validation_split=0.1, shuffle=False, verbose=0
    ).history
    return {name: [float(value) for value in values] for name, values in history.items()}


def answer(model, data):
    """Train as the answer does; return the sums of weights, and the loss on the last batch."""
    sums = []
    for _ in range(EPOCHS):
        for number in range(9):
            batch = data[10 * number : 10 * (number + 1)]
            model.train_on_batch(batch, batch)
            trained = [layer for layer in model.layers if layer.trainable_weights]
            sums.append([float(numpy.sum(layer.get_weights()[0])) for layer in trained])
    return {"weight_sums": sums, "evaluation": float(model.evaluate(batch, batch, verbose=0))}


def run(order):
    """Print the report of one run."""
    if tensorflow.__version__.startswith("1."):
        tensorflow.set_random_seed(3)
    else:
        tensorflow.random.set_seed(3)
    rows = numpy.random.normal(0, 1, (ROWS, FEATURES))
    network = build(order["between"], order["after"])
    report = {"question": question, "answer": answer}[order["protocol"]](network, rows)
    report["weights"] = [array.tobytes().hex() for array in network.get_weights()]
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        child = os.fork()
        if not child:
            run(json.loads(argument))
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            sys.exit(argument + ": the run failed")
