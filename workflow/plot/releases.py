"""Figure: the loss of every cell in every release, marked where a release changes it.

A line between two releases says that the loss changed; = and ≠ compare V1 and V2, bit for bit;
bold numbers agree with the page.
"""

from typing import Any

import matplotlib.pyplot as plt
import numpy
from judge.claims import REPRODUCED, WITHIN
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pandas import DataFrame

from plot import figures

MODES = {
    "default": "by default: eager from 2.0 on",
    "switched": "switched: eager in 1.x, not eager in 2.x",
}
VISIBLE = 0.0005  # half a unit of the third decimal
LARGE: dict[str, Any] = {"color": "#D55E00", "linewidth": 1.6, "solid_capstyle": "butt"}
SMALL: dict[str, Any] = {"color": "#D55E00", "linewidth": 0.8, "linestyle": (0, (1, 1.5))}
BOLD = r"$\mathbf{0.84}$"
Places = dict[tuple[str, str], float]  # (protocol, variant): x
GAP = 0.7  # between the columns of V1 and V2, for the sign, and between protocols
ROW = 0.19  # inches
PALEST = 0.6  # share of white in a shade: black figures stay readable on paper, too


def plot(config: dict, releases: DataFrame) -> Figure:
    """Return the figure; `releases` is releases.csv."""
    shown = releases[releases["rows"] == releases["protocol"].map(config["sweep"]["rows"])]
    shown = shown.assign(changed=shown["same_val_loss"].eq(False))
    modes = [mode for mode in MODES if (shown["mode"] == mode).any()]
    counts = [shown.loc[shown["mode"] == mode, "release"].nunique() for mode in modes]
    figure, axes = figures.new_figure(
        len(modes),
        1,
        ROW * sum(counts) + 0.3 * len(modes) + 1.35,
        figures.PAGE_WIDTH,
        gridspec_kw={"height_ratios": counts},
    )
    places = place_columns(config)
    scale = Normalize(shown["val_loss"].min(), shown["val_loss"].max())
    for panel, mode in zip(axes[:, 0], modes, strict=True):
        plot_mode(panel, config, shown[shown["mode"] == mode], places, scale)
        panel.set_title(MODES[mode], loc="left")
    label_variants(axes[-1][0], config, places)
    label_protocols(axes[0][0], config, places)
    add_legend(figure)
    return figure


def place_columns(config: dict) -> Places:
    """Return {(protocol, variant): x}, with room for the sign of the pair and between protocols."""
    places, x = {}, 0.0
    for protocol in config["sweep"]["rows"]:
        for variant in config["variants"]:
            places[protocol, variant] = x
            x += 1 + GAP * (variant == config["sweep"]["pair"][0])
        x += GAP
    return places


def plot_mode(
    panel: Axes, config: dict, shown: DataFrame, places: Places, scale: Normalize
) -> None:
    """Plot the releases of one mode: a row each, the oldest at the top."""
    releases = list(dict.fromkeys(shown["release"]))
    for cell in shown.itertuples():
        x, y = places[cell.protocol, cell.variant], releases.index(cell.release)
        plot_cell(panel, cell, x, y, scale(cell.val_loss))
        if cell.variant == config["sweep"]["pair"][0]:
            sign = "=" if cell.pair_equal else "≠"
            panel.text(x + 0.5 + GAP / 2, y, sign, ha="center", va="center_baseline", size=8)
    entries = config["sweep"]["releases"]
    panel.set_yticks(range(len(releases)), [entries[name]["label"] for name in releases])
    panel.set_xlim(-0.5, max(places.values()) + 0.5)
    panel.set_ylim(len(releases) - 0.5, -0.5)
    panel.set_xticks([])
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)


def plot_cell(panel: Axes, cell: Any, x: float, y: float, shade: float) -> None:
    """Plot one cell: its loss in figures and as a shade, a line above it where it changed."""
    colour = PALEST + (1 - PALEST) * numpy.array(plt.get_cmap("cividis")(1 - shade)[:3])
    panel.add_patch(plt.Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor="none"))
    agrees = cell.agrees_with_published in (REPRODUCED, WITHIN)
    weight = "bold" if agrees else "normal"
    panel.text(
        x, y, f"{cell.val_loss:.2f}", ha="center", va="center_baseline", size=8, weight=weight
    )
    if cell.changed:
        style = LARGE if abs(cell.difference) >= VISIBLE else SMALL
        panel.plot([x - 0.5, x + 0.5], [y - 0.5, y - 0.5], **style)


def label_variants(panel: Axes, config: dict, places: Places) -> None:
    """Write the variants below their columns."""
    labels = [config["variants"][variant]["label"] for _, variant in places]
    panel.set_xticks(
        list(places.values()), labels, rotation=30, ha="right", rotation_mode="anchor", size=8
    )


def label_protocols(panel: Axes, config: dict, places: Places) -> None:
    """Write the protocols above their columns, on a line above the panel's title."""
    for protocol, rows in config["sweep"]["rows"].items():
        columns = [x for (of, _), x in places.items() if of == protocol]
        panel.annotate(
            f"{protocol}, rows {rows.replace(':', '–')}",
            (sum(columns) / len(columns), 1),
            (0, 14),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            va="bottom",
            size=8,
            weight="bold",
        )


def add_legend(figure: Figure) -> None:
    """Explain the lines, the sign and the bold figures."""
    sign: dict[str, Any] = {"linestyle": "", "color": "black", "markeredgewidth": 0}
    handles = [
        Line2D([], [], **LARGE, label="loss changed"),
        Line2D([], [], **SMALL, label=f"changed by less than {VISIBLE}"),
        Line2D([], [], **sign, marker="$=$", markersize=5, label="V1 and V2: every bit equal"),
        Line2D([], [], **sign, marker=BOLD, markersize=12, label="the page's number ± 0.001"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, columnspacing=1)
