"""Figure: the sum of each Dense layer's kernel after every training step, V1 beside V2.

The page's figure, once per environment: with TensorFlow 1.14 the two columns differ, with 2.0
they are the same.
"""

from judge.tables import rows_where
from matplotlib.figure import Figure
from pandas import DataFrame

from plot import figures


def plot(config: dict, steps: DataFrame) -> Figure:
    """Return the figure; `steps` is steps.csv."""
    settings = config["figures"]["weight_sums"]
    environments, variants = config["environments"], settings["variants"]
    wanted = {name: settings[name] for name in ("api", "protocol")}
    chosen = rows_where(steps, **wanted, seed=config["seed"], repeat=1)
    trained = list(dict.fromkeys(chosen["layer"].dropna()))
    for layer in settings["layers"]:  # the names that Keras gives are not known before
        if layer not in trained:
            raise ValueError(
                f"config: figures/weight_sums/layers: found {layer}, expected layers with weights "
                f"of these runs: {', '.join(trained)}"
            )
    figure, axes = figures.new_figure(
        len(environments), len(variants), 1.35 * len(environments) + 0.6, sharex=True, sharey=True
    )
    colours = figures.variant_colours(config)
    for row, (environment, entry) in zip(axes, environments.items(), strict=True):
        for panel, variant in zip(row, variants, strict=True):
            runs = rows_where(chosen, environment=environment, variant=variant)
            for layer, style in zip(settings["layers"], figures.LINE_STYLES, strict=False):
                line = rows_where(runs, layer=layer)
                panel.plot(
                    line["step"], line["weight_sum"], style, color=colours[variant], label=layer
                )
        row[0].set_ylabel(f"{entry['label']}\nsum of weights")
    for panel, variant in zip(axes[0], variants, strict=True):
        panel.set_title(config["variants"][variant]["label"])
    for panel in axes[-1]:
        panel.set_xlabel("training step")
    legend = figure.legend(
        *axes[0][0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2,
        title="kernel of the Keras layer",
    )
    for line in legend.get_lines():
        line.set_color("0.4")  # the line's style stands for the layer, its colour for the variant
    return figure
