"""A classifier of flowers: Dense, a place for another layer, Dense with a softmax."""

import numpy

SLOTS = ("between",)


def make_data(path):
    """Read measurements and kinds of all flowers."""
    table = numpy.loadtxt(path, delimiter=",", skiprows=1)
    return table[:, :4], table[:, 4]


def build_model(keras, inputs, slots, optimizer, initializer):
    """Return the compiled model, with the variant's layers between the two Dense layers."""
    model = keras.models.Sequential()
    model.add(
        keras.layers.Dense(
            16, activation="relu", kernel_initializer=initializer(), input_shape=inputs.shape[1:]
        )
    )
    for layer in slots["between"]:
        model.add(layer)
    model.add(keras.layers.Dense(3, activation="softmax", kernel_initializer=initializer()))
    model.compile(
        optimizer=optimizer(), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def fit(model, inputs, targets, settings, observer):
    """Train on the training rows; the rows after them are for validation."""
    first, last = settings["training_rows"]
    model.fit(
        inputs[first:last],
        targets[first:last],
        epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        validation_data=(inputs[last:], targets[last:]),
        shuffle=False,
        verbose=0,
        callbacks=[observer.callback(last, len(inputs))],
    )


PROCEDURES = {"fit": fit}
