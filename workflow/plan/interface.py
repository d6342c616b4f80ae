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

import ast
import inspect

PARTS = ("SLOTS", "make_data", "build_model", "PROCEDURES")
BUILD_MODEL = ("keras", "inputs", "slots", "optimizer", "initializer")
PROCEDURE = ("model", "inputs", "targets", "settings", "observer")


def read_interface(path, data=None):
    """Return (slots, procedures) of a module, from its text: the host may lack what it imports.

    `data` are the arguments for make_data. Raises ValueError, in one line, when the file is not
    Python, lacks a part of the interface, or has a function that cannot be called as it will be.
    """
    try:
        with open(path, encoding="utf-8") as stream:
            tree = ast.parse(stream.read())
    except SyntaxError as error:
        raise ValueError("{}: line {}: {}".format(path, error.lineno, error.msg)) from None
    values = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            values.update((name.id, node.value) for name in node.targets if hasattr(name, "id"))
        elif isinstance(node, ast.FunctionDef):
            values[node.name] = node
    check_parts(path, {**values, **dict.fromkeys(imported_names(tree))})
    try:
        slots = list(ast.literal_eval(values["SLOTS"]))
        written = values["PROCEDURES"]
        procedures = {
            ast.literal_eval(key): getattr(value, "id", None)
            for key, value in zip(written.keys, written.values)
            if key is not None
        }
    except (ValueError, AttributeError, KeyError):
        raise ValueError(
            "{}: expected SLOTS to be a tuple of names, PROCEDURES a dictionary from name to "
            "function, both written out".format(path)
        ) from None
    called = dict(procedures, build_model="build_model")
    if data is not None:
        called["make_data"] = "make_data"
    found = {name: signature_of(values.get(function)) for name, function in called.items()}
    check_calls(path, found, data)
    return slots, list(procedures)


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


def imported_names(tree):
    """Return the names that a module imports."""
    imports = (node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom)))
    return [alias.asname or alias.name for node in imports for alias in node.names]


def signature_of(function):
    """Return the signature of a function's syntax tree, None where it cannot be known from it."""
    if not isinstance(function, ast.FunctionDef) or function.decorator_list:
        return None
    arguments = function.args
    for node in ast.walk(arguments):
        if isinstance(node, ast.arg):
            node.annotation = None
    arguments.defaults = [ast.Constant(None) for _ in arguments.defaults]
    arguments.kw_defaults = [default and ast.Constant(None) for default in arguments.kw_defaults]
    stub = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, ast.Constant(None))))
    return inspect.signature(eval(compile(stub, function.name, "eval")))


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
