"""Models that are no chain of Dense layers, and what is observed of them, as JSON. Python 3.7.

python models.py IMPORT-ROOT

Prints an object for each API, in lines of their own.
"""

import json
import sys

sys.path.insert(0, sys.argv[1])

import numpy
from train import framework, observe

INPUTS = numpy.random.RandomState(0).normal(size=(6, 4)).astype("float32")


def functional():
    """A Dense layer behind an Input."""
    source = L.Input((4,))
    return keras.models.Model(source, L.Dense(2, name="only")(source))


def branch():
    """Two paths from one layer: `copy` repeats `base`, which is not the layer before it."""
    source = L.Input((4,))
    base = L.Dense(4, name="base")(source)
    side = L.Dense(4, name="side")(source)
    copy = L.Activation("linear", name="copy")(base)
    other = L.Activation("tanh", name="other")(side)
    return keras.models.Model(source, L.Add(name="sum")([copy, other]))


def constants():
    """What its values do not tell: one drawn number, and a constant matrix of several."""
    return keras.models.Sequential(
        [
            L.Dense(4, input_shape=(4,), kernel_initializer="identity", name="constant"),
            L.Dense(1, name="narrow"),
            L.Dense(1, name="single"),
            L.BatchNormalization(name="bn"),
        ]
    )


def parts():
    """Layers that draw another array than their first, or under another name."""
    return keras.models.Sequential(
        [
            L.Reshape((2, 2), input_shape=(4,)),
            L.LSTM(4, kernel_initializer="zeros", name="recurrent"),
            L.Dense(4, kernel_initializer="ones", bias_initializer="normal", name="bias"),
            L.BatchNormalization(beta_initializer="normal", name="bn"),
            L.Reshape((2, 2, 1)),
            L.DepthwiseConv2D(1, name="depthwise"),
            L.Flatten(),
            L.Dense(1, kernel_initializer="ones", name="constant"),
        ]
    )


def nested():
    """A model within the model; `copy` stands before it."""
    inner = keras.models.Sequential([L.Dense(3, input_shape=(4,))], name="inner")
    source = L.Input((4,))
    return keras.models.Model(source, inner(L.Activation("linear", name="copy")(source)))


def subclass():
    """A model that is no graph of layers."""

    class Own(keras.models.Model):
        def __init__(self):
            super().__init__()
            self.only = L.Dense(2, name="only")

        def call(self, inputs):
            return self.only(inputs)

    model = Own()
    model.compile("sgd", "mse")
    model.train_on_batch(INPUTS, numpy.zeros((6, 2), "float32"))
    return model


def own():
    """Initializers of one's own, which do not say whether they draw, and values do not either."""

    class Drawn(keras.initializers.Initializer):
        def __call__(self, shape, dtype=None, **ignored):
            return keras.backend.constant(numpy.random.normal(size=shape))

    class Fixed(keras.initializers.Initializer):
        def __call__(self, shape, dtype=None, **ignored):
            return keras.backend.constant(numpy.arange(numpy.prod(shape)).reshape(shape))

    return keras.models.Sequential(
        [
            L.Dense(1, input_shape=(4,), kernel_initializer=Fixed(), name="fixed"),
            L.Dense(1, kernel_initializer=Drawn(), name="drawn"),
        ]
    )


for keras in (framework.load_framework(api)[1] for api in ("tf.keras", "keras")):
    L = keras.layers
    found = {}
    for make in (functional, branch, constants, parts, nested, subclass, own):
        model = make()
        weights = observe.weights_of(model)
        drawn = observe.drawing_layers(model, weights)
        if make is own:
            assert drawn is None
            drawn = observe.drawing_layers(model, weights, observe.weights_of(own()))
        found[make.__name__] = {
            "draws": drawn,
            "identities": observe.find_identities(keras, model, INPUTS),
            "names": sorted(observe.output_names(model)),
        }
    print(json.dumps(found))
