"""Figure: the held-out loss of every pair of activations, early and near convergence.

Without and with BN; the best pair is framed, and a dot marks the pairs that are better than
linear/linear (their bootstrap interval lies below zero).
"""

from typing import Any

import matplotlib.pyplot as plt
from judge.tables import rows_where
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from pandas import DataFrame
from plot import figures

EPOCHS = (20, 2000)
LABELS = {"activations": "without BN", "bn_activations": "with BN"}


def plot(config: dict, cells: DataFrame, effects: DataFrame) -> Figure:
    """Return the figure; the tables are sensitivity_cells.csv and sensitivity_effects.csv."""
    chosen = rows_where(cells, question="activations", rows="held_out")
    against = rows_where(effects, kind="linear_linear", rows="held_out")
    epochs = [epoch for epoch in EPOCHS if (chosen["epoch"] == epoch).any()]
    figure, axes = figures.new_figure(len(LABELS), len(epochs), 4.2, sharex=True, sharey=True)
    for row, variant in zip(axes, LABELS, strict=True):
        for axis, epoch in zip(row, epochs, strict=True):
            panel = rows_where(chosen, variant=variant, epoch=epoch)
            better = rows_where(against, variant=variant, epoch=epoch)
            plot_pairs(axis, panel, better[better["high"] < 0])
            axis.set_title(f"{LABELS[variant]}, {epoch} epochs")
    figure.suptitle(
        f"{figures.loss_label(config)} on held-out rows, mean over seeds\n"
        "frame: lowest of the panel;  •: lower than linear/linear",
        size=7,
    )
    figure.supxlabel("activation of the output", size=7)
    figure.supylabel("activation of the hidden units", size=7)
    return figure


def plot_pairs(axis: Axes, panel: DataFrame, better: DataFrame) -> None:
    """Plot the mean losses of one panel as numbers on shades."""
    names = list(dict.fromkeys(panel["hidden"]))
    scale = Normalize(panel["mean"].min(), panel["mean"].max())
    dotted = set(zip(better["hidden"], better["output"], strict=True))
    best = panel.loc[panel["mean"].idxmin()]
    for cell in panel.itertuples():
        x, y = names.index(cell.output), names.index(cell.hidden)
        colour = plt.get_cmap("cividis")(1 - 0.55 * scale(cell.mean))
        axis.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor="none"))
        dot = "•" if (cell.hidden, cell.output) in dotted else ""
        axis.text(x, y, f"{cell.mean:.2f}{dot}", ha="center", va="center", size=6)
    x, y = names.index(best["output"]), names.index(best["hidden"])
    frame: dict[str, Any] = {"fill": False, "edgecolor": "#D55E00", "linewidth": 1.4}
    axis.add_patch(Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, **frame))
    axis.set_xticks(range(len(names)), names, rotation=45)
    axis.set_yticks(range(len(names)), names)
    axis.set_xlim(-0.5, len(names) - 0.5)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
