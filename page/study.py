"""The cells of a part of the seed study, from config.yaml. Python 3.7, standard library only.

A part lists `cells`: each entry maps settings to a value or a list of values, of which every
combination is a cell. What an entry does not say is as in its protocol. Used on both sides: by the
training and by what reads its chunks.
"""

import itertools

# The settings that make a cell, in the order of the tables; see COLUMNS in judge/tables.py.
CELL = (
    "variant",
    "protocol",
    "start",
    "hidden",
    "output",
    "data_seed",
    "training_rows",
    "held_out_rows",
    "batch_size",
    "learning_rate",
    "bn_momentum",
    "steps",
    "epochs",
)
# What the engine trains: the page's network, numbers of features and of hidden units,
# and {variant: (layers after the first Dense, layers after the second Dense)}.
FEATURES, UNITS = 12, 8
VARIANTS = {
    "plain": ((), ()),
    "activation": (("activation",), ()),
    "activations": (("activation",), ("activation",)),
    "bn": (("bn",), ()),
    "bn_activations": (("bn", "activation"), ("activation",)),
    "activation_bn": (("activation", "bn"), ()),
}
LAST_ROWS = 10  # the answer's script evaluates the last rows of its training loop
PROCEDURES = {"fit": "question", "train_on_batch": "answer"}  # what the engine calls them


def expand_part(part, experiment, protocols):
    """Return the cells of a part, dicts with the keys of CELL.

    `experiment` and `protocols` are those sections of config.yaml. `steps` counts the training
    steps; a cell that says `steps` instead of `epochs` gets the nearest whole number of epochs.
    """
    cells = []
    for given in part["cells"]:
        values = [value if isinstance(value, list) else [value] for value in given.values()]
        for combination in itertools.product(*values):
            cells.append(complete(dict(zip(given, combination)), experiment, protocols))
    return cells


def complete(given, experiment, protocols):
    """Return a cell: the given settings, and its protocol's for the others."""
    protocol = protocols[given["protocol"]]
    first, last = protocol["training_rows"]
    cell = {
        "start": "own",
        "hidden": "linear",
        "output": "linear",
        "data_seed": experiment["data_seed"],
        "training_rows": last - first,
        "held_out_rows": experiment["data"]["rows"] - last,
        "batch_size": protocol["batch_size"],
        "learning_rate": protocol["learning_rate"],
        "bn_momentum": 0.99,
        "epochs": protocol["epochs"],
    }
    cell.update(given)
    steps_per_epoch = count_steps(cell, protocol["procedure"])
    if "steps" in given:
        cell["epochs"] = max(1, int(given["steps"] / steps_per_epoch + 0.5))
    cell["steps"] = cell["epochs"] * steps_per_epoch
    return {key: cell[key] for key in CELL}


def count_steps(cell, procedure):
    """Return the training steps of an epoch: `fit` trains on the last, shorter batch, too."""
    whole, rest = divmod(cell["training_rows"], cell["batch_size"])
    return whole + (1 if rest and procedure == "fit" else 0)


def noted_epochs(part, cell):
    """Return the epochs after which a cell's losses are noted, the last one always."""
    noted = [epoch for epoch in part.get("noted", []) if epoch < cell["epochs"]]
    return [*noted, cell["epochs"]]


def evaluated_rows(cell):
    """Return the row ranges that are evaluated: training, the last of them, held out."""
    training, held_out = cell["training_rows"], cell["held_out_rows"]
    last = max(0, training - LAST_ROWS)
    return (0, training), (last, training), (training, training + held_out)
