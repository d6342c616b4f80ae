"""What differs between framework releases, in one place. Python 3.7, standard library, numpy."""

import contextlib
import difflib
import gc
import importlib
import inspect
import os
import random

import numpy


def load_framework(api, matrix_kernel="processor"):
    """Import the framework quietly and return (tensorflow, keras) for an API name.

    `api` is "tf.keras" or "keras"; raises ValueError for any other name. For `matrix_kernel`, and
    what becomes of the caller's own settings, see `choose_matrix_kernel`.
    """
    if api not in ("tf.keras", "keras"):
        raise ValueError("--api: found {!r}, expected 'tf.keras' or 'keras'".format(api))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    choose_matrix_kernel(matrix_kernel)
    gc.disable()  # the collector takes a seventh of the import, and finds nothing
    tensorflow = importlib.import_module("tensorflow")
    keras = tensorflow.keras if api == "tf.keras" else importlib.import_module("keras")
    gc.enable()
    gc.freeze()  # what was imported stays: the collector need not look at it again
    return tensorflow, keras


def choose_matrix_kernel(name):
    """Choose what multiplies matrices: "processor", the default, or "portable"; before the import.

    TensorFlow 1.14 and 2.0 hand small products to a library that generates its code for the
    instruction sets found; the switch, which the framework's own tests use, leaves them to Eigen,
    as compiled. With it, what a processor contributes to the last bits can be measured.

    Settings of the framework in the caller's environment are dropped: they would change results
    that say nothing of them.
    """
    for variable in list(os.environ):
        if variable.startswith(("TF_", "TENSORFLOW_")) and variable != "TF_CPP_MIN_LOG_LEVEL":
            del os.environ[variable]
    if name == "portable":
        os.environ["TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL"] = "false"


def start_afresh(tensorflow, keras, threads):
    """Put the framework into the state of a new process, as far as results can tell.

    `clear_session` alone leaves a placeholder in the TF 1 graph, which would shift the
    op-level seeds of everything after it; the graph has to go as well.
    `threads` is the size of the framework's thread pools, 0 for its own choice.
    """
    keras.backend.clear_session()
    compat = getattr(tensorflow, "compat", tensorflow)
    v1 = getattr(compat, "v1", tensorflow)
    if not executes_eagerly(tensorflow):
        v1.reset_default_graph()
        if threads:
            options = v1.ConfigProto(
                intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads
            )
            session_owner = keras.backend if hasattr(keras.backend, "set_session") else None
            session_owner = session_owner or v1.keras.backend
            session_owner.set_session(v1.Session(config=options))


def executes_eagerly(tensorflow):
    """Tell whether operations run as they are created (the default from 2.0.0)."""
    return bool(tensorflow.executing_eagerly())


def switch_eager(tensorflow):
    """Switch eager execution off where it is the release's default, on where it is not.

    Must come before the first operation, in TensorFlow 1.13 even before asking for the mode.
    """
    v1 = getattr(tensorflow.compat, "v1", tensorflow)
    if tensorflow.__version__.startswith("1."):
        v1.enable_eager_execution()
    else:
        v1.disable_eager_execution()


def limit_threads(tensorflow, threads):
    """Set the thread pools of eager execution; must come before the first operation.

    TensorFlow 1.13 has no such setting.
    """
    if threads and hasattr(tensorflow, "config") and executes_eagerly(tensorflow):
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads)


def forget_losses(keras, model):
    """Make the next loss of `train_on_batch` or `test_on_batch` that of its own batch only.

    From Keras 3 on, both give the mean over all batches since the last `fit` or `evaluate`.
    """
    if int(keras.__version__.split(".")[0]) >= 3:
        model.reset_metrics()


def set_seeds(tensorflow, seed, data_seed, python_seed):
    """Seed numpy, Python and the framework's graph, in the order of the published scripts."""
    numpy.random.seed(data_seed)
    random.seed(python_seed)
    if hasattr(tensorflow, "set_random_seed"):
        tensorflow.set_random_seed(seed)
    else:
        tensorflow.random.set_seed(seed)


def optimizers_of(keras):
    """Return the module of optimizers that Keras itself takes for a name such as "adam".

    Keras 2.11 trains without eager execution with its former ones only.
    """
    former = getattr(keras.optimizers, "legacy", None)
    eager = executes_eagerly(importlib.import_module("tensorflow"))
    return keras.optimizers if eager or former is None else former


def make_optimizer(keras, name, learning_rate):
    """Return a new optimizer; the learning rate's argument was called `lr` before Keras 2.3.

    Raises ValueError when the framework has no optimizer of that class name.
    """
    optimizer_class = find_class(optimizers_of(keras), name)
    arguments = inspect.signature(optimizer_class.__init__).parameters
    argument = "learning_rate" if "learning_rate" in arguments else "lr"
    return optimizer_class(**{argument: learning_rate})


def make_layer(keras, description):
    """Make a layer from its class name, or from {class name: {argument: value}}.

    Raises ValueError when the framework has no layer of that name, or not with such arguments.
    """
    if isinstance(description, str):
        description = {description: {}}
    ((class_name, arguments),) = description.items()
    layer_class = find_class(keras.layers, class_name)
    try:
        return layer_class(**(arguments or {}))
    except Exception as error:  # whatever the framework raises, the arguments are not right
        takes = inspect.signature(layer_class.__init__)
        message = "found {} with {}, expected {}: {}"
        raise ValueError(message.format(class_name, arguments, takes, error)) from None


def find_class(module, name):
    """Return a class of Keras. Raises ValueError, with what it may be, where there is none."""
    if not hasattr(module, name):
        public = [known for known in dir(module) if known[0].isupper()]
        known = ", ".join(difflib.get_close_matches(name, public) or public)
        raise ValueError("found {}, expected a class of this release: {}".format(name, known))
    return getattr(module, name)


def check_classes(keras, variants, protocols):
    """Raise ValueError, naming the key, for a layer or an optimizer that cannot be made.

    A job asks before it trains: the last of its variants may be the one that is mistaken.
    """
    for name, slots in variants.items():
        for slot, layers in slots.items():
            with naming("variants/{}/layers/{}".format(name, slot)):
                for layer in layers:
                    make_layer(keras, layer)
    for name, protocol in protocols.items():
        with naming("protocols/{}/optimizer".format(name)):
            find_class(optimizers_of(keras), protocol["optimizer"])


@contextlib.contextmanager
def naming(key):
    """Put a key of the configuration before what a ValueError says."""
    try:
        yield
    except ValueError as error:
        raise ValueError("config: {}: {}".format(key, error)) from None


def make_initializer(keras, seed):
    """Return what a Dense layer takes as kernel_initializer: its default, or that with a seed."""
    if seed is None:
        return "glorot_uniform"
    return keras.initializers.get({"class_name": "glorot_uniform", "config": {"seed": seed}})
