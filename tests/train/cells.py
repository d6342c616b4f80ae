"""The tf.keras cells of config.yaml, those with a loss on the page, and what a bare script says."""

import itertools

import numpy

OLD, NEW = ENVIRONMENTS = ("tf1.14-keras2.2.4", "tf2.0-keras2.3.1")
VARIANTS = ("plain", "activation", "activations", "bn", "bn_activations", "activation_bn")
CELLS = tuple(itertools.product(VARIANTS, ("question", "answer")))
# Environment, variant, protocol, evaluated rows, and the loss that the page prints.
PRINTED = (
    (OLD, "activations", "question", "90:100", "0.7751"),
    (OLD, "bn_activations", "question", "90:100", "1.1230"),
    (NEW, "plain", "answer", "80:90", "0.840"),
    (NEW, "bn", "answer", "80:90", "0.819"),
)
PRINTED_CELLS = tuple(printed[1:3] for printed in PRINTED)


def report_of(record):
    """Return of a record what bare.py prints of the same cell."""
    arrays = record["final_weights"]["arrays"]
    weights = [numpy.array(array["values"], dtype="<f4").tobytes().hex() for array in arrays]
    epochs, sums = record["epochs"], record["weight_sums"]
    if record["cell"]["protocol"] == "question":
        held_out = [epoch["rows"]["90:100"] for epoch in epochs]
        losses = {"loss": [epoch["loss"] for epoch in epochs], "val_loss": held_out}
    else:
        names = [name for name in record["layers"] if name in sums[0]]
        sums = [[step[name] for name in names] for step in sums]
        losses = {"weight_sums": sums, "evaluation": record["evaluations"]["80:90"]}
    return {"weights": weights, **losses}
