"""Looking at a model without touching it. Python 3.7, standard library, numpy."""

import base64
import contextlib
import hashlib
import importlib

import numpy

from bnyesno.training import framework


def sha256_of(arrays):
    """Return the SHA-256 of the float32 bytes (little-endian, C order) of arrays, in order."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(numpy.ascontiguousarray(array, dtype="<f4").tobytes())
    return digest.hexdigest()


def encode_arrays(arrays):
    """Return the float32 bytes (little-endian, C order) of arrays, in order, as base64 text."""
    data = b"".join(numpy.ascontiguousarray(array, dtype="<f4").tobytes() for array in arrays)
    return base64.b64encode(data).decode("ascii")


def sha256_of_text(lines):
    """Return the SHA-256 of lines of text, each with its line end."""
    return hashlib.sha256("".join(line + "\n" for line in lines).encode("ascii")).hexdigest()


def arrays_by_layer(model):
    """Return [(layer, [its float32 weight arrays])], read from the framework in one go.

    `model.get_weights()` is the concatenation of what its layers hold, in their order.
    """
    arrays = iter(model.get_weights())
    return [(layer, [next(arrays) for _ in layer.weights]) for layer in model.layers]


def weights_of(model):
    """Return [(layer name, position in the layer, float32 array)] in the model's own order."""
    return [
        (layer.name, position, array)
        for layer, arrays in arrays_by_layer(model)
        for position, array in enumerate(arrays)
    ]


def describe_weights(weights):
    """Return what the record keeps of the weights: every value, and a hash of all of them."""
    return {
        "sha256": sha256_of(array for _, _, array in weights),
        "arrays": [
            {
                "layer": layer,
                "position": position,
                "shape": list(array.shape),
                "sha256": sha256_of([array]),
                "values": numpy.asarray(array, dtype=numpy.float64).ravel().tolist(),
            }
            for layer, position, array in weights
        ],
    }


def loss_of(report):
    """Return the loss from what the framework reports, which is a list where there are metrics."""
    return float(numpy.ravel(report)[0])


class Observer:
    """Notes what the published scripts print or plot, while a procedure trains the model.

    steps: per step the framework's loss, per layer with trainable weights the sum of its first
    weight array (what the answer plots), and all weights. epochs: per epoch the framework's
    report, and a copy of the weights, from which other rows are evaluated after the training.
    """

    def __init__(self, keras, model):
        """Observe `model`, a compiled Keras model."""
        self._keras = keras
        self._model = model
        self.step_weights = []
        self.step_losses = []
        self.weight_sums = []
        self.step_hashes = []
        self.validation_rows = None
        self.epoch_logs = []
        self.epoch_weights = []

    def after_step(self, loss):
        """Note what the framework reports for this step: the loss, or the loss and metrics."""
        self.step_losses.append(loss_of(loss))
        weights = arrays_by_layer(self._model)
        self.weight_sums.append(
            {
                layer.name: float(numpy.sum(arrays[0]))
                for layer, arrays in weights
                if layer.trainable_weights
            }
        )
        arrays = [array for _, arrays in weights for array in arrays]
        self.step_hashes.append(sha256_of(arrays))
        self.step_weights.append(encode_arrays(arrays))
        if self.validation_rows is None:  # not within `fit`, which needs its mean
            framework.forget_losses(self._keras, self._model)

    def after_epoch(self, logs=None):
        """Note the epoch's report, if the procedure has one ({name: value}), and the weights."""
        self.epoch_logs.append({name: float(value) for name, value in (logs or {}).items()})
        self.epoch_weights.append(self._model.get_weights())

    def callback(self, first, last):
        """Return a Keras callback that makes `fit` report to this observer.

        `first` and `last` are the (half-open) range of rows behind the `val_loss` of `fit`.
        """
        self.validation_rows = (first, last)
        observer = self

        class Report(self._keras.callbacks.Callback):
            def on_batch_end(self, batch, logs=None):
                observer.after_step(logs["loss"])

            def on_epoch_end(self, epoch, logs=None):
                observer.after_epoch(logs)

        return Report()


@contextlib.contextmanager
def noting_op_seeds():
    """Yield a list that fills with the seeds that the framework gives to random operations.

    Each entry is {"graph_seed", "op_seed"}, in the order of creation. Every release asks
    `tensorflow.python.framework.random_seed.get_seed`; releases that draw initial weights
    without it leave the list empty.
    """
    module = importlib.import_module("tensorflow.python.framework.random_seed")
    original, noted = module.get_seed, []

    def get_seed(op_seed):
        seeds = original(op_seed)
        noted.append({"graph_seed": as_integer(seeds[0]), "op_seed": as_integer(seeds[1])})
        return seeds

    module.get_seed = get_seed
    try:
        yield noted
    finally:
        module.get_seed = original


def drawing_layers(weights):
    """Return the names of the layers whose first weight array was drawn at random.

    `weights` is what `weights_of` gives before training: a drawn array holds more than one
    value, a constant one (zeros, ones) does not.
    """
    return [
        layer for layer, position, array in weights
        if position == 0 and array.min() != array.max()
    ]  # fmt: skip


def attribute_seeds(noted, initial_weights):
    """Return {layer name: seeds} for the layers that draw; {} if it is not one draw each."""
    layers = drawing_layers(initial_weights)
    return dict(zip(layers, noted)) if len(layers) == len(noted) else {}


def as_integer(value):
    """Return a seed as int, None where the framework gives none."""
    return None if value is None else int(value)


def output_names(model):
    """Return {layer name: name of its output}."""
    return {layer.name: layer.output.name for layer in model.layers}


def find_identities(keras, model, inputs):
    """Return {layer name: does its output equal its input, bit for bit, on these rows?}.

    Layers whose output has another shape than their input are left out.
    """
    outputs = [layer.output for layer in model.layers]
    values = keras.models.Model(model.inputs, outputs).predict(inputs)
    before = numpy.asarray(inputs, dtype=values[0].dtype)
    identities = {}
    for layer, after in zip(model.layers, values):
        if after.shape == before.shape:
            identities[layer.name] = after.tobytes() == before.tobytes()
        before = after
    return identities
