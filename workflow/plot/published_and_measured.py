"""Figure: every number that the page prints, beside what the workflow measured.

Left, both on the axis of the loss; right, their difference, with the band that the printed
digits allow.
"""

from typing import Any

import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame
from plan.cells import parse_cells

from plot import figures

BAND_COLOUR = "#BBBBBB"
WHITE_BOX = {"bbox": {"facecolor": "white", "edgecolor": "none", "pad": 0.5}}


def published_numbers(claims: DataFrame) -> DataFrame:
    """Return the claims about a printed number, with numeric columns, one row per number."""
    numbers = claims.copy()
    for column in ("published", "measured"):
        numbers[column] = pandas.to_numeric(numbers[column], errors="coerce")
    return numbers.dropna(subset=["published", "measured", "tolerance"])


def describe(claim: Any, config: dict) -> str:
    """Return the line's label: what the claim is about, in three lines."""
    (cell,) = parse_cells(claim.cells)
    label = config["environments"][cell["environment"]]["label"].replace("TensorFlow", "TF")
    rows = cell["rows"].replace(":", "–")
    variant = figures.variant_label(config, cell["variant"])
    return f"{label}, {cell['protocol']}\n{variant}\nrows {rows}"


def plot(config: dict, claims: DataFrame) -> Figure:
    """Return the figure; `claims` is claims.csv."""
    numbers = list(published_numbers(claims).itertuples())
    figure, axes = figures.new_figure(1, 2, 0.5 * len(numbers) + 0.95, sharey=True)
    plot_losses(axes[0][0], numbers, figures.loss_label(config))
    plot_differences(axes[0][1], numbers, config["figures"]["published_and_measured"]["zoom"])
    axes[0][0].set_yticks(range(len(numbers)), [describe(claim, config) for claim in numbers])
    axes[0][0].set_ylim(len(numbers) - 0.4, -0.6)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def plot_losses(panel: Axes, numbers: list, label: str) -> None:
    """Plot published and measured losses on one axis."""
    places = range(len(numbers))
    published = [claim.published for claim in numbers]
    measured = [claim.measured for claim in numbers]
    panel.plot(published, places, "o", color="black", fillstyle="none", ms=6, label="published")
    panel.plot(measured, places, ".", color=figures.MEASURED_COLOUR, ms=5, label="measured")
    panel.margins(x=0.15)
    panel.set_xlabel(label)


def plot_differences(panel: Axes, numbers: list, zoom: float) -> None:
    """Plot measured minus published, the tolerance as a band, and the verdict in words."""
    tolerances = [1e3 * claim.tolerance for claim in numbers]
    panel.barh(
        range(len(numbers)),
        [2 * tolerance for tolerance in tolerances],
        left=[-tolerance for tolerance in tolerances],
        height=0.36,
        color=BAND_COLOUR,
        label="printed digits allow",
    )
    panel.axvline(0, color="black", linewidth=0.6)
    for place, claim in enumerate(numbers):
        difference = 1e3 * (claim.measured - claim.published)
        panel.plot(difference, place, ".", color=figures.MEASURED_COLOUR, ms=5)
        panel.text(0, place + 0.36, claim.verdict, ha="center", va="center", size=6, **WHITE_BOX)
    panel.set_xlim(-1e3 * zoom, 1e3 * zoom)
    panel.set_xlabel("difference (10⁻³)")
