"""Train one network with stock tf.keras in the order of the page: python train_stock.py JSON OUT.

What the engine of the seed study is held against; shares no code with it. Python 3.7. The JSON
says the cell: layers ([["dense", units], ["bn", momentum], ["activation", name]]), seed,
data_seed, training_rows, held_out_rows, procedure (fit or train_on_batch), epochs, batch_size,
learning_rate, evaluate (row ranges), kernels (an NPZ file with initial Dense kernels, or null) and
eager (null for the release's default). OUT is an NPZ file with all weights and losses.
"""

import json
import random
import sys

import numpy as np


def build(keras, cell):
    """Return the compiled model."""
    model = keras.models.Sequential()
    for position, (name, argument) in enumerate(cell["layers"]):
        if name == "dense":
            shape = {} if position else {"input_shape": (12,)}
            model.add(keras.layers.Dense(argument, **shape))
        elif name == "bn":
            model.add(keras.layers.BatchNormalization(momentum=argument))
        else:
            model.add(keras.layers.Activation(argument))
    adam = keras.optimizers.Adam(cell["learning_rate"])
    model.compile(optimizer=adam, loss="mean_squared_error")
    return model


def set_kernels(keras, model, path):
    """Give the Dense layers these initial kernels."""
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    with np.load(path) as kernels:
        for layer, kernel in zip(dense, kernels.values()):
            layer.set_weights([kernel, layer.get_weights()[1]])


def train(model, x, cell):
    """Train and return what Keras reports."""
    size, epochs = cell["batch_size"], cell["epochs"]
    if cell["procedure"] == "fit":
        # Keras rounds down: half a row less held out gives just the training rows asked for.
        split = (cell["held_out_rows"] - 0.5) / len(x)
        fitted = model.fit(
            x, x, epochs=epochs, batch_size=size, shuffle=False, verbose=0, validation_split=split
        )
        return fitted.history
    batches = [x[i * size : (i + 1) * size] for i in range(cell["training_rows"] // size)]
    return {"step_losses": [model.train_on_batch(b, b) for _ in range(epochs) for b in batches]}


def train_one(cell, out):
    """Seeds, data, model, compile, train, evaluate, in this order; write the file `out`."""
    np.random.seed(cell["data_seed"])
    random.seed(2)
    import tensorflow as tf

    if cell["eager"] is not None:
        v1 = tf.compat.v1
        (v1.enable_eager_execution if cell["eager"] else v1.disable_eager_execution)()
    (tf.random.set_seed if tf.__version__[0] == "2" else tf.set_random_seed)(cell["seed"])

    x = np.random.normal(0, 1, (cell["training_rows"] + cell["held_out_rows"], 12))
    model = build(tf.keras, cell)
    if cell["kernels"]:
        set_kernels(tf.keras, model, cell["kernels"])
    result = {"initial_weights.%d" % i: w for i, w in enumerate(model.get_weights())}
    result.update(train(model, x, cell))
    result["evaluations"] = [model.evaluate(x[a:b], x[a:b], verbose=0) for a, b in cell["evaluate"]]
    result.update({"final_weights.%d" % i: w for i, w in enumerate(model.get_weights())})
    np.savez(out, **result)


if __name__ == "__main__":
    train_one(json.loads(sys.argv[1]), sys.argv[2])
