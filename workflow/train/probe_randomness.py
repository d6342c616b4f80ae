"""Find out where a release takes its initial weights from: vary one source of randomness a time.

A plain command line with the options of train.job; Python 3.7, numpy and the framework are enough.
Of the two cells in the plan the first is built every time, the second only as "extra_layer".
"""

from train import framework, observe, run
from train.job import cells_of_runs, parse_arguments, start_framework

SEED_SOURCES = ("graph_seed", "numpy_seed", "python_seed")  # they vary the seeds of run.SEEDS
# What is varied, each alone, and the framework started afresh before each. The first and the last
# vary nothing, to show that what lies between leaves no trace.
SOURCES = (
    "nothing",
    *SEED_SOURCES,
    "extra_op",
    "extra_draw",
    "extra_layer",
    "nothing_again",
)


def draw_weights(tensorflow, keras, experiment, cell, threads, source):
    """Build the model of a cell with one source varied; return what was drawn, layer by layer."""
    seeds = [cell[name] + (source == varied) for name, varied in zip(run.SEEDS, SEED_SOURCES)]
    framework.start_afresh(tensorflow, keras, threads)
    framework.set_seeds(tensorflow, *seeds)
    inputs, _ = experiment.make_data(**cell["data"])
    if source == "extra_op":
        tensorflow.constant(0.0)
    if source == "extra_draw":
        tensorflow.random.uniform([])
    with observe.noting_op_seeds() as op_seeds:
        model = run.build(keras, experiment, cell, inputs)
    weights = observe.weights_of(model)
    drawing = observe.drawing_layers(model, weights)
    if drawing is None:
        other = run.start(tensorflow, keras, experiment, cell, threads, other_seeds=True)
        drawing = observe.drawing_layers(model, weights, observe.weights_of(other[0]))
    return {
        "drawing_layers": drawing,
        "op_level_seeds": observe.attribute_seeds(op_seeds, drawing),
        "kernels": {
            layer: observe.sha256_of([array])
            for layer, position, array in weights
            if position == 0 and layer in drawing
        },
    }


def main():
    """Vary each source and write what every layer drew."""
    options = parse_arguments()
    plan = options.plan
    experiment = run.load_experiment(options.experiment, plan["data"])
    tensorflow, keras, machine = start_framework(plan)
    built, with_layer = cells_of_runs(plan)
    drawn = {}
    for source in SOURCES:
        cell = with_layer if source == "extra_layer" else built
        drawn[source] = draw_weights(tensorflow, keras, experiment, cell, plan["threads"], source)
    record = {"format": run.RECORD_FORMAT, "cell": built, "machine": machine, "sources": drawn}
    run.write_records([record], options.output)
