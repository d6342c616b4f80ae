"""The page's experiment: a linear autoencoder, 12 -> 8 -> 12, on standard normal noise.

Source: the question and the answer named in CITATION.cff. What an experiment module has to
define is said in workflow/plan/interface.py; it knows nothing of records,
controls or figures.

The order of operations is that of the published scripts, because in graph mode every
operation that is created shifts the random draws of those created after it.
"""

import numpy

SLOTS = ("between", "after")


def make_data(rows, features):
    """Draw the data from numpy's global generator, which the harness has just seeded.

    Returns (inputs, targets), the same float64 array of shape (rows, features) twice.
    """
    inputs = numpy.random.normal(0, 1, (rows, features))
    return inputs, inputs


def build_model(keras, inputs, slots, optimizer, initializer):
    """Return the compiled model.

    `slots` maps each name in SLOTS to a list of new layers. `optimizer()` and `initializer()`
    are called where the published scripts make theirs: in `compile`, and once per Dense layer.
    """
    features = inputs.shape[1]
    model = keras.models.Sequential()
    model.add(keras.layers.Dense(8, kernel_initializer=initializer(), input_shape=(features,)))
    for layer in slots["between"]:
        model.add(layer)
    model.add(keras.layers.Dense(features, kernel_initializer=initializer()))
    for layer in slots["after"]:
        model.add(layer)
    model.compile(optimizer=optimizer(), loss="mean_squared_error")
    return model


def fit(model, inputs, targets, settings, observer):
    """The question's procedure: `fit`, the last part of the rows held out for validation.

    Raises ValueError when that part does not begin where the training rows end.
    """
    split = settings.get("validation_split", 0.0)
    first_held_out = int(len(inputs) * (1 - split))  # as Keras rounds it
    if settings["training_rows"] != [0, first_held_out]:
        raise ValueError(
            "training_rows: found {}, expected [0, {}] with validation_split {}".format(
                settings["training_rows"], first_held_out, split
            )
        )
    model.fit(
        inputs,
        targets,
        epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        validation_split=split,
        shuffle=False,
        verbose=0,
        callbacks=[observer.callback(first_held_out, len(inputs))],
    )


def train_on_batch(model, inputs, targets, settings, observer):
    """The answer's procedure: a hand-written loop over consecutive batches, in order."""
    size = settings["batch_size"]
    first, last = settings["training_rows"]
    for _ in range(settings["epochs"]):
        for start in range(first, last, size):
            batch = slice(start, min(start + size, last))
            observer.after_step(model.train_on_batch(inputs[batch], targets[batch]))
        observer.after_epoch()


PROCEDURES = {"fit": fit, "train_on_batch": train_on_batch}
