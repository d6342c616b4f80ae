"""Figure: what BN changes (with minus without), against what can be changed besides.

Held-out loss, equal initial weights, mean over seeds with its bootstrap interval; below zero BN
helps. Between the ticks next to zero the axis is linear, beyond them logarithmic.
"""

from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy
from judge.tables import SAME_STEPS, rows_where
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame
from plot import figures

TWO = [figures.COLOURS[2], figures.COLOURS[3], figures.COLOURS[4], figures.COLOURS[5]]
YTICKS = [-0.1, -0.01, 0, 0.01, 0.1, 1]
PAGE = {"learning_rate": 0.001, "batch_size": 32, "epoch": 20, "training_rows": 90}


def plot(config: dict, effects: DataFrame) -> Figure:
    """Return the figure; `effects` is sensitivity_effects.csv."""
    chosen = rows_where(effects, kind="bn", rows="held_out", protocol="question")
    figure, axes = figures.new_figure(4, 1, 6.8)
    plot_epochs(axes[0, 0], rows_where(chosen, question="learning_rate"))
    plot_learning_rates(axes[1, 0], rows_where(chosen, question="learning_rate"))
    plot_sizes(axes[2, 0], rows_where(chosen, question="batch_size"), "batch_size")
    axes[2, 0].set_xlabel("batch size")
    plot_sizes(axes[3, 0], rows_where(chosen, question="rows"), "training_rows")
    axes[3, 0].set_xlabel("training rows")
    for axis in axes[:, 0]:
        axis.axhline(0, color="black", linewidth=0.6)
        axis.set_xscale("log")
        axis.set_yscale("symlog", linthresh=0.01)
        axis.set_yticks(YTICKS, [f"{tick:g}".replace("-", "−") for tick in YTICKS])
        axis.set_ylim(-0.1, 2000)  # room for the legends
        axis.minorticks_off()
    figure.supylabel(f"BN − no BN, {figures.loss_label(config)} on held-out rows", size=7)
    for axis in axes[2:, 0]:
        name_ticks(axis)
    return figure


def plot_line(
    axis: Axes, x: str, effects: DataFrame, colour: Any, label: str, style: str = "-"
) -> None:
    """Plot the means of some effects against x, with their intervals."""
    axis.fill_between(effects[x], effects["low"], effects["high"], color=colour, alpha=0.25, lw=0)
    axis.plot(effects[x], effects["mean_difference"], style, color=colour, label=label, ms=2.5)


def mark_page(axis: Axes, x: str, effects: DataFrame) -> None:
    """Mark the setting of the page's question."""
    page = rows_where(effects, **PAGE)
    star: dict[str, Any] = {"color": "black", "ms": 7, "mec": "white", "zorder": 5}
    axis.plot(page[x], page["mean_difference"], "*", label="the question's", **star)


def plot_epochs(axis: Axes, effects: DataFrame) -> None:
    """Plot the effect against epochs, a line for each learning rate."""
    rates = sorted(effects["learning_rate"].unique())
    shades = plt.get_cmap("viridis")
    for position, rate in enumerate(rates):
        colour = shades(0.9 * position / max(1, len(rates) - 1))
        plot_line(axis, "epoch", effects[effects["learning_rate"] == rate], colour, f"{rate:g}")
    mark_page(axis, "epoch", effects)
    axis.set_xlabel("epochs")
    axis.legend(title="learning rate", title_fontsize=6.5, ncols=3, loc="upper right")


def plot_learning_rates(axis: Axes, effects: DataFrame) -> None:
    """Plot the effect against the learning rate, a line for each of some epochs."""
    epochs = [epoch for epoch in (20, 200, 2000) if (effects["epoch"] == epoch).any()]
    for colour, epoch in zip(TWO, epochs, strict=False):
        chosen = effects[effects["epoch"] == epoch].sort_values("learning_rate")
        plot_line(axis, "learning_rate", chosen, colour, f"{epoch} epochs", "o-")
    mark_page(axis, "learning_rate", effects)
    axis.set_xlabel("learning rate")
    axis.legend(ncols=2, loc="upper right")


def plot_sizes(axis: Axes, effects: DataFrame, x: str) -> None:
    """Plot the effect against a size, solid at fixed epochs and dashed at fixed steps."""
    for colour, (label, style, chosen) in zip(TWO, fixed(effects, x), strict=False):
        plot_line(axis, x, chosen, colour, label, style)
    if x != "training_rows":  # there none has the page's 90 rows
        mark_page(axis, x, effects)
    axis.legend(ncols=2, loc="upper right")


def fixed(effects: DataFrame, x: str) -> Iterator[tuple[str, str, DataFrame]]:
    """Yield (label, line style, effects) of those at equal epochs, then at about equal steps."""
    wanted = effects[x].nunique()
    for epochs, chosen in effects.groupby("epoch"):
        if chosen[x].nunique() == wanted:
            yield f"{epochs} epochs", "o-", chosen.drop_duplicates(x).sort_values(x)
    for steps in sorted(effects["steps"].unique()):
        close = effects[(effects["steps"] - steps).abs() <= SAME_STEPS * steps]
        if close[x].nunique() == wanted and (close["steps"] == steps).sum() > 1:
            yield f"about {steps} steps", "s--", close.drop_duplicates(x).sort_values(x)
            effects = effects[~effects.index.isin(close.index)]


def name_ticks(axis: Axes) -> None:
    """Name the sizes in use on a logarithmic axis."""
    lines = [numpy.asarray(line.get_xdata(), dtype=float) for line in axis.lines]
    values = [value for value in numpy.unique(numpy.concatenate(lines)) if value > 1]
    axis.set_xticks(values, [f"{value:g}" for value in values])
