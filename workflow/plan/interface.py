"""The interface of an experiment module. Python 3.7, standard library.

SLOTS        names of the places in the model that a variant may fill with layers
make_data    (the keys of experiment/data in the configuration) -> inputs, targets: two arrays
             with as many rows; called right after every seed has been set
build_model  (keras, inputs, slots, optimizer, initializer) -> compiled model; `slots` maps each
             slot to a list of new layers, `optimizer()` and `initializer()` make a new one each
PROCEDURES   name -> function (model, inputs, targets, settings, observer), which trains the model;
             `settings` is the protocol; `observer` has to be told of every step and epoch, by
             after_step(loss) and after_epoch() or by handing observer.callback(...) to `fit`

All functions are called with keyword arguments of these names. The model's layers are its own,
not nested, so that their weights can be told apart. Where the loss comes with metrics, as from
`train_on_batch`, the loss is the first.
"""

import inspect

PARTS = ("SLOTS", "make_data", "build_model", "PROCEDURES")
BUILD_MODEL = ("keras", "inputs", "slots", "optimizer", "initializer")
PROCEDURE = ("model", "inputs", "targets", "settings", "observer")


def check_parts(path, found):
    """Raise ValueError, naming what a module lacks; `found` are the names that it defines."""
    missing = [name for name in PARTS if name not in found]
    if missing:
        raise ValueError(
            "{}: an experiment also has to define {} (example: page/autoencoder.py)".format(
                path, ", ".join(missing)
            )
        )


def check_calls(path, signatures, data):
    """Raise ValueError for the first function that cannot be called as the harness calls it.

    `signatures` maps "make_data", "build_model" and the name of each procedure to its signature,
    None where that is unknown; `data` are the arguments for make_data.
    """
    for name, signature in signatures.items():
        given = {"make_data": data, "build_model": BUILD_MODEL}.get(name, PROCEDURE)
        label = name if name in PARTS else "PROCEDURES: {}".format(name)
        try:
            if signature is not None:
                signature.bind(**dict.fromkeys(given))
        except TypeError as error:
            raise ValueError(
                "{}: {}{}: called as ({}), {}".format(
                    path, label, signature, ", ".join(given), error
                )
            ) from None


def signatures_of(path, module):
    """Return what `check_calls` wants to know of an imported module.

    Raises ValueError for a part that is no function.
    """
    if not isinstance(module.PROCEDURES, dict):
        raise ValueError("{}: PROCEDURES: expected a dictionary, name to function".format(path))
    functions = {"make_data": module.make_data, "build_model": module.build_model}
    functions.update(module.PROCEDURES)
    for name, function in functions.items():
        if not callable(function):
            raise ValueError("{}: {}: expected a function".format(path, name))
    return {name: signature_of(function) for name, function in functions.items()}


def signature_of(function):
    """Return a function's signature, None for those of C that have none."""
    try:
        return inspect.signature(function)
    except ValueError:
        return None


def check_cell(path, module, cell):
    """Raise ValueError unless a module has the slots and the procedure that a cell names."""
    named = [("slot", name, module.SLOTS) for name in cell["layers"]]
    named.append(("procedure", cell["settings"]["procedure"], module.PROCEDURES))
    for kind, name, known in named:
        if name not in known:
            raise ValueError(
                "{}: found no {} {}, expected one of {}".format(path, kind, name, ", ".join(known))
            )


def check_data(path, data):
    """Raise ValueError unless make_data returned two arrays of numbers with as many rows."""
    if not isinstance(data, tuple) or len(data) != 2:
        raise ValueError("{}: make_data: expected it to return (inputs, targets)".format(path))
    inputs, targets = data
    for name, array in (("inputs", inputs), ("targets", targets)):
        found = getattr(array, "dtype", type(array).__name__)
        if getattr(found, "kind", None) not in tuple("biuf"):
            raise ValueError(
                "{}: make_data: found {} of {}, expected one array of numbers".format(
                    path, name, found
                )
            )
    if len(inputs) != len(targets):
        raise ValueError(
            "{}: make_data: found {} rows of inputs and {} of targets, expected as many".format(
                path, len(inputs), len(targets)
            )
        )


def check_rows(settings, count):
    """Raise ValueError unless all rows that a protocol names are among the first `count`."""
    for key in ("training_rows", "evaluation_rows"):
        ranges = [settings[key]] if key == "training_rows" else settings[key]
        for first, last in ranges:
            if not first < last <= count:
                raise ValueError(
                    "{}: found [{}, {}], expected rows among the {} of the data".format(
                        key, first, last, count
                    )
                )


def check_model(path, model, slots):
    """Raise ValueError unless build_model returned a compiled model with all layers in it."""
    if not getattr(model, "optimizer", None):
        raise ValueError("{}: build_model: expected it to return a compiled model".format(path))
    for slot, layers in slots.items():
        if any(all(layer is not other for other in model.layers) for layer in layers):
            raise ValueError("{}: build_model: left out layers of slots[{!r}]".format(path, slot))


def check_observed(path, procedure, observer):
    """Raise ValueError unless a procedure has reported its steps and epochs."""
    if not observer.step_losses or not observer.epoch_logs:
        raise ValueError(
            "{}: PROCEDURES: {}: expected it to tell the observer of every step and epoch "
            "(after_step, after_epoch or callback)".format(path, procedure)
        )
