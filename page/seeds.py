"""Figure: where the published losses stand among many seeds, and what BN changes by itself.

Violins are drawn from whole percentiles; diamonds are the page's seed; dotted lines need no
training. The last panel shows differences, seed by seed.
"""

from typing import Any

import numpy
from judge.tables import rows_where
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame
from plot import figures

ROWS = {
    "training": "all training rows",
    "answer_rows": "training rows 80–90",
    "held_out": "held-out rows 90–100",
}
LINES = {"pca": "PCA", "zero": "predict 0"}
DIFFERENCES = [  # kind, start, what the violin is called
    ("extra_activation", "own", "V2 − V1\n(identity layer)"),
    ("bn", "own", "BN − no BN,\nown draws"),
    ("bn", "equal", "BN − no BN,\nequal weights"),
]


def plot(
    config: dict,
    percentiles: DataFrame,
    cells: DataFrame,
    yardsticks: DataFrame,
) -> Figure:
    """Return the figure; the tables are percentiles.csv, study_cells.csv and yardsticks.csv."""
    panels = config["figures"]["seeds"]["panels"]
    figure, axes = figures.new_figure(len(panels) + 1, 1, 1.3 * len(panels) + 1.8)
    colours = figures.variant_colours(config)
    for axis, panel in zip(axes[:, 0], panels, strict=False):
        plot_losses(axis, config, panel, percentiles, cells, colours)
        plot_yardsticks(axis, panel, yardsticks)
    share_limits(axes[: len(panels), 0])
    axes[len(panels) - 1, 0].set_xlabel(figures.loss_label(config))
    plot_differences(axes[-1, 0], config, panels[0], percentiles, cells, colours)
    return figure


def select(table: DataFrame, panel: dict, **values: str) -> DataFrame:
    """Return the rows of a table for a panel's environment, protocol and rows, and these values."""
    place = {key: panel[key] for key in ("environment", "protocol", "rows")}
    return rows_where(table, **place, **values)


def plot_violin(axis: Axes, values: numpy.ndarray, y: float, colour: Any) -> None:
    """Plot a horizontal violin of percentiles with its median."""
    options: dict[str, Any] = {"orientation": "horizontal", "widths": 0.8, "showextrema": False}
    violin: Any = axis.violinplot([values], [y], **options)
    violin["bodies"][0].set(facecolor=colour, alpha=0.35, edgecolor="none")
    axis.plot([values[50]] * 2, [y - 0.3, y + 0.3], color=colour, linewidth=1.2)


def plot_losses(
    axis: Axes,
    config: dict,
    panel: dict,
    percentiles: DataFrame,
    cells: DataFrame,
    colours: dict[str, str],
) -> None:
    """Plot the distributions of a published pair, without BN above, and the published losses."""
    for y, variant in zip((1, 0), panel["variants"], strict=True):
        chosen = select(percentiles, panel, kind="loss", variant=variant, start="own")
        plot_violin(axis, chosen["value"].to_numpy(), y, colours[variant])
        cell = select(cells, panel, variant=variant, start="own").iloc[0]
        loss, percentile = cell["published_seed_loss"], cell["published_seed_percentile"]
        mark(axis, loss, y, colours[variant])
        note(axis, y, f"published seed {loss:.3f}:\n{percentile:.0f}% of seeds are lower")
    axis.set_yticks([0, 1], ["with BN", "without BN"])
    axis.set_ylim(-0.75, 1.6)
    axis.set_title(f"{name_cell(config, panel)}, {ROWS[panel['rows']]}", loc="left")


def name_cell(config: dict, panel: dict) -> str:
    """Return the protocol and the version of a panel, short enough for a title."""
    label = config["environments"][panel["environment"]]["label"]
    return f"{panel['protocol']}, {label.replace('TensorFlow', 'TF')}"


def mark(axis: Axes, x: float, y: float, colour: Any) -> None:
    """Mark a published value."""
    axis.plot(x, y, "D", color=colour, markersize=5, markeredgecolor="white", zorder=5)


def note(axis: Axes, y: float, text: str) -> None:
    """Write what a mark says, at the right end above the tail of its violin."""
    place = axis.get_yaxis_transform()
    axis.text(1, y + 0.08, text, size=6, ha="right", va="bottom", transform=place)


def plot_yardsticks(axis: Axes, panel: dict, yardsticks: DataFrame) -> None:
    """Plot a line for each yardstick on the panel's rows."""
    for name, label in LINES.items():
        chosen = rows_where(yardsticks, yardstick=name, rows=panel["rows"])
        loss = chosen["loss"].iloc[0]
        axis.axvline(loss, color="0.35", linewidth=0.8, linestyle=":")
        axis.text(loss, -0.74, f" {label}", size=6, color="0.35", va="bottom")


def share_limits(axes: numpy.ndarray) -> None:
    """Give the axes the same limits in x."""
    limits = [axis.get_xlim() for axis in axes]
    for axis in axes:
        axis.set_xlim(0, max(high for _, high in limits))


def plot_differences(
    axis: Axes,
    config: dict,
    panel: dict,
    percentiles: DataFrame,
    cells: DataFrame,
    colours: dict[str, str],
) -> None:
    """Plot differences seed by seed: from other draws, and from equal initial weights."""
    without, with_bn = panel["variants"]
    names = []
    for y, (kind, start, name) in zip((2, 1, 0), DIFFERENCES, strict=True):
        variant = with_bn if kind == "bn" else "activation"
        chosen = select(percentiles, panel, kind=kind, variant=variant, start=start)
        colour = colours[variant]
        values = chosen["value"].to_numpy()
        plot_violin(axis, values, y, colour)
        names.append(name)
        if (kind, start) == ("bn", "own"):
            gap = published_gap(cells, panel, without, with_bn)
            mark(axis, gap, y, colour)
            larger = 100 - numpy.interp(gap, values, range(101))
            note(axis, y, f"published {gap:+.3f}:\n{larger:.0f}% are larger")
    axis.axvline(0, color="black", linewidth=0.6)
    axis.set_yticks([2, 1, 0], names)
    axis.set_ylim(-0.6, 2.6)
    axis.set_xlabel(f"difference of {figures.loss_label(config)}")
    axis.set_title(f"{name_cell(config, panel)}: differences, seed by seed", loc="left")


def published_gap(cells: DataFrame, panel: dict, without: str, with_bn: str) -> float:
    """Return the loss with BN minus that without, of the page's seed."""
    losses = [
        select(cells, panel, variant=variant, start="own").iloc[0]["published_seed_loss"]
        for variant in (without, with_bn)
    ]
    return losses[1] - losses[0]
