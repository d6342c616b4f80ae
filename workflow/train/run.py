"""One run: seeds, data, model, training, evaluation, record. Python 3.7, knows no experiment."""

import functools
import importlib.util
import itertools
import json
import os
import platform
import time

import numpy
from plan import interface

from train import framework, observe
from train.files import whole_file

RECORD_FORMAT = 3
SEEDS = ("seed", "data_seed", "python_seed")  # of a cell


def load_experiment(path, data=None):
    """Import an experiment module from its file; `data` are the arguments for make_data.

    Raises ValueError, naming file and part, when it does not fit the interface.
    """
    spec = importlib.util.spec_from_file_location("experiment", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    interface.read_interface(path, data)
    return module


def train(tensorflow, keras, experiment, cell, threads, donor=None):
    """Train one cell in the order of the published scripts and return its record (a dict).

    `cell` has the keys of `train.job`'s options; for `threads` see `framework.start_afresh`.
    `donor` is the record of another run whose initial weights replace those drawn.
    """
    begin = time.perf_counter()
    settings = cell["settings"]
    interface.check_cell(experiment.__file__, experiment, cell)
    start_run = functools.partial(start, tensorflow, keras, experiment, cell, threads)
    model, inputs, targets, op_seeds = start_run()
    weights = observe.weights_of(model)
    drawing_layers = observe.drawing_layers(model, weights)
    if drawing_layers is None:  # what changes with the seeds is drawn
        others = observe.weights_of(start_run(other_seeds=True)[0])
        drawing_layers = observe.drawing_layers(model, weights, others)
        model, inputs, targets, op_seeds = start_run()
    if donor is not None:
        copy_initial_weights(donor, model, drawing_layers)
    initial_weights = observe.weights_of(model)
    observer = observe.Observer(keras, model)
    experiment.PROCEDURES[settings["procedure"]](
        model=model, inputs=inputs, targets=targets, settings=settings, observer=observer
    )
    interface.check_observed(experiment.__file__, settings["procedure"], observer)
    final_weights = observe.weights_of(model)
    record = {
        "format": RECORD_FORMAT,
        "cell": cell,
        "evaluations": evaluate(model, inputs, targets, settings, observer),
        "layers": [layer.name for layer in model.layers],
        "drawing_layers": drawing_layers,
        "layer_output_names": observe.output_names(model),
        "layer_is_identity": observe.find_identities(keras, model, inputs),
        "initial_weights": observe.describe_weights(initial_weights),
        "final_weights": observe.describe_weights(final_weights),
        "op_level_seeds": observe.attribute_seeds(op_seeds, drawing_layers),
        "random_draws": op_seeds,
        "step_losses": observer.step_losses,
        "step_weights_sha256": observer.step_hashes,
        "step_weights_base64": observer.step_weights,
        "trajectory_sha256": observe.sha256_of_text(observer.step_hashes),
        "weight_sums": observer.weight_sums,
        "epochs": epoch_curves(keras, model, inputs, targets, settings, observer),
    }
    record["seconds"] = time.perf_counter() - begin
    return record


def start(tensorflow, keras, experiment, cell, threads, other_seeds=False):
    """Start the framework afresh, seed, make data and model, in the published order.

    Returns (compiled model, inputs, targets, the seeds of its random operations).
    """
    framework.start_afresh(tensorflow, keras, threads)
    framework.set_seeds(tensorflow, *(cell[name] + other_seeds for name in SEEDS))
    data = experiment.make_data(**cell["data"])
    interface.check_data(experiment.__file__, data)
    with framework.naming("protocols/{}".format(cell["protocol"])):
        interface.check_rows(cell["settings"], len(data[0]))
    with observe.noting_op_seeds() as op_seeds:
        model = build(keras, experiment, cell, data[0])
    return (model, *data, op_seeds)


def build(keras, experiment, cell, inputs):
    """Return the compiled model of a cell."""
    settings = cell["settings"]
    slots = {
        slot: [framework.make_layer(keras, layer) for layer in cell["layers"].get(slot, [])]
        for slot in experiment.SLOTS
    }

    def optimizer():
        return framework.make_optimizer(keras, settings["optimizer"], settings["learning_rate"])

    seeds = initializer_seeds(cell.get("initializer_seeds"))

    def initializer():
        return framework.make_initializer(keras, next(seeds))

    model = experiment.build_model(
        keras=keras, inputs=inputs, slots=slots, optimizer=optimizer, initializer=initializer
    )
    interface.check_model(experiment.__file__, model, slots)
    return model


def initializer_seeds(given):
    """Yield a seed per layer that draws: those given, counted on from the last, or None always."""
    if not given:
        return itertools.repeat(None)
    return itertools.chain(given, itertools.count(given[-1] + 1))


def copy_initial_weights(donor, model, drawing_layers):
    """Give the model the initial weights of a record, layer by layer in the order of drawing.

    Layers that draw nothing (BN, say) keep their own, and so do layers whose arrays have other
    shapes than the record's: whoever compares the two starts sees that they differ.
    """
    given = [
        [
            numpy.array(array["values"], dtype=numpy.float32).reshape(array["shape"])
            for array in donor["initial_weights"]["arrays"]
            if array["layer"] == layer
        ]
        for layer in donor["drawing_layers"]
    ]
    takers = [model.get_layer(layer) for layer in drawing_layers]
    for layer, arrays in zip(takers, given):
        own = layer.get_weights()
        if [array.shape for array in own] == [array.shape for array in arrays]:
            layer.set_weights(arrays)


def losses_by_rows(row_ranges, observer, logs, ask):
    """Return {"first:last": loss} per range of evaluation rows.

    `fit` reports (in `logs`) the loss on its own validation rows; `ask(first, last)` gives the
    others. The two may differ in the last bit: TensorFlow 1.14 with BN does.
    """
    return {
        "{}:{}".format(first, last): float(
            logs["val_loss"] if (first, last) == observer.validation_rows else ask(first, last)
        )
        for first, last in row_ranges
    }


def evaluate(model, inputs, targets, settings, observer):
    """Return {"first:last": loss} after the training, from the framework's `evaluate`."""

    def ask(first, last):
        return observe.loss_of(model.evaluate(inputs[first:last], targets[first:last], verbose=0))

    return losses_by_rows(settings["evaluation_rows"], observer, observer.epoch_logs[-1], ask)


def epoch_curves(keras, model, inputs, targets, settings, observer):
    """Return per epoch the training loss and the loss on each range of evaluation rows.

    The training loss is the framework's own where `fit` reports one, else the mean over the
    epoch's steps. Losses on rows that `fit` does not validate on are computed after the
    training is over, from the weights noted at the end of each epoch, so that looking cannot
    disturb the published sequence.
    """

    def ask(first, last):
        framework.forget_losses(keras, model)
        return observe.loss_of(model.test_on_batch(inputs[first:last], targets[first:last]))

    bounds = [0, *observer.epoch_steps]  # epochs need not have as many steps each
    curves = []
    for epoch, (logs, weights) in enumerate(zip(observer.epoch_logs, observer.epoch_weights)):
        steps = observer.step_losses[bounds[epoch] : bounds[epoch + 1]]
        model.set_weights(weights)
        loss = logs.get("loss", float(numpy.mean(steps)))
        rows = losses_by_rows(settings["evaluation_rows"], observer, logs, ask)
        curves.append({"epoch": epoch + 1, "loss": loss, "rows": rows})
    return curves


def describe_machine(tensorflow, keras, threads):
    """Return versions, processor and threads of this process."""
    return {
        "tensorflow": tensorflow.__version__,
        "keras": keras.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "cpu_model": cpu_model(),
        "cpu_instructions": cpu_instructions(),
        "cpu_count": os.cpu_count(),
        "threads": threads or "default",
        "executes_eagerly": framework.executes_eagerly(tensorflow),
        "process": "{}-{}".format(os.getpid(), int(time.time())),
    }


def cpu_model():
    """Return the processor's name as the operating system gives it."""
    return from_cpuinfo("model name") or platform.processor() or "unknown"


def cpu_instructions():
    """Return the instruction sets that matrix kernels are chosen by, in order, as one text.

    Processors of one name may differ in them, and with them in the last bits of a product.
    """
    flags = from_cpuinfo("flags").split()
    return " ".join(flag for flag in sorted(flags) if flag.startswith(("avx", "fma", "amx")))


def from_cpuinfo(key):
    """Return what the operating system says of the first processor under a key, or ""."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith(key))
    except (OSError, StopIteration):
        return ""


def write_records(records, path):
    """Write records as JSON Lines, each as it comes; the file appears whole or not at all."""
    with whole_file(path) as stream:
        for record in records:
            stream.write(json.dumps(record, sort_keys=True) + "\n")
