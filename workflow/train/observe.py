"""Looking at a model without touching it. Python 3.7, standard library, numpy."""

import base64
import contextlib
import hashlib
import importlib

import numpy

from train import framework
from train.files import bytes_of, sha256_of

CONSTANT = ("Zeros", "Ones", "Constant", "Identity")  # the framework's initializers without a seed


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
        self.epoch_steps = []  # how many steps there were when each epoch ended

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
        self.step_weights.append(base64.b64encode(bytes_of(arrays)).decode("ascii"))
        if self.validation_rows is None:  # not within `fit`, which needs its mean
            framework.forget_losses(self._keras, self._model)

    def after_epoch(self, logs=None):
        """Note the epoch's report, if the procedure has one ({name: value}), and the weights."""
        self.epoch_logs.append({name: float(value) for name, value in (logs or {}).items()})
        self.epoch_weights.append(self._model.get_weights())
        self.epoch_steps.append(len(self.step_losses))

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


def drawing_layers(model, weights, others=None):
    """Return the names of the layers of which some weight array is drawn at random.

    `weights` is what `weights_of` gives before training, `others` the same of this model built with
    other seeds. Without `others`, None where some layer does not say whether it draws.
    """
    arrays, again = by_name(weights), by_name(others or [])
    found = {layer.name: draws(layer) for layer in model.layers if layer.name in arrays}
    unknown = [name for name, known in found.items() if known is None]
    if unknown and others is None:
        return None
    found.update((name, arrays[name] != again[name]) for name in unknown)
    return [name for name, drawn in found.items() if drawn]


def by_name(weights):
    """Return {layer name: [the bytes of its weight arrays]} from what `weights_of` gives."""
    arrays = {}
    for name, _, array in weights:
        arrays.setdefault(name, []).append(array.tobytes())
    return arrays


def draws(layer):
    """Return whether a layer draws any of its weights at random, None where it does not say.

    The initializers in its configuration say it: of those of the framework, all that draw have a
    seed. The values cannot say it: a drawn array may hold a single one, and a constant one (an
    identity matrix) several.
    """
    try:
        found = list(find_initializers(layer.get_config()))
    except NotImplementedError:  # a layer of one's own need not have a configuration
        return None
    described = [each for each in found if isinstance(each, dict)]
    if any("seed" in each["config"] for each in described):
        return True
    constant = [each for each in described if each["class_name"] in CONSTANT]
    return None if len(constant) < len(found) or not found else False


def find_initializers(config):
    """Yield every initializer in a layer's configuration, those of layers within it included."""
    if isinstance(config, dict):
        for key, value in config.items():
            if str(key).endswith("_initializer"):
                if value is not None:
                    yield value
            else:
                for found in find_initializers(value):
                    yield found
    elif isinstance(config, (list, tuple)):
        for value in config:
            for found in find_initializers(value):
                yield found


def attribute_seeds(noted, layers):
    """Return {layer name: seeds} for the layers that draw; {} if it is not one draw each."""
    return dict(zip(layers, noted)) if len(layers) == len(noted) else {}


def as_integer(value):
    """Return a seed as int, None where the framework gives none."""
    return None if value is None else int(value)


def only_tensor(layer, side):
    """Return a layer's one "input" or "output", None where it has none, several or a list."""
    try:
        tensor = getattr(layer, side)
    except (AttributeError, ValueError, RuntimeError):  # which one, depends on the release
        return None
    return None if isinstance(tensor, (list, tuple, dict)) else tensor


def output_names(model):
    """Return {layer name: name of its output}, "" for a layer that has not just one."""
    return {layer.name: getattr(only_tensor(layer, "output"), "name", "") for layer in model.layers}


def find_identities(keras, model, inputs):
    """Return {layer name: does its output equal its input, bit for bit, on these rows?}.

    Each layer is compared with what goes into it, wherever that is made. Left out are layers whose
    output has another shape than their input, or that have several inputs or outputs, and models
    within the model, whose tensors belong to a graph of their own. A model that is no graph of
    layers (a subclass with its own `call`) has none.
    """
    computed = [
        (layer, only_tensor(layer, "output"))
        for layer in model.layers
        if type(layer).__name__ != "InputLayer"  # what is fed, TensorFlow 1 does not fetch
        and not hasattr(layer, "layers")
    ]
    computed = [(layer, tensor) for layer, tensor in computed if tensor is not None]
    is_graph = getattr(model, "_is_graph_network", True)
    if not is_graph or len(model.inputs) != 1 or not computed:
        return {}
    values = keras.models.Model(model.inputs, [tensor for _, tensor in computed]).predict(inputs)
    values = values if isinstance(values, list) else [values]
    known = [(model.inputs[0], numpy.asarray(inputs, dtype=values[0].dtype))]
    known += [(tensor, value) for (_, tensor), value in zip(computed, values)]
    identities = {}
    for (layer, _), after in zip(computed, values):
        source = only_tensor(layer, "input")
        before = next((value for tensor, value in known if tensor is source), None)
        if before is not None and after.shape == before.shape:
            identities[layer.name] = after.tobytes() == before.tobytes()
    return identities
