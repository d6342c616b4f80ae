"""What all figures share: one style, one colour per variant, the same bytes on every run."""

import argparse
import importlib
import json
from pathlib import Path
from typing import Any

import matplotlib
import numpy
from matplotlib.figure import Figure

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # the backend has to be chosen first
from judge.tables import read_table
from train.files import whole_file

COLUMN_WIDTH = 3.5  # inches, one column of a two-column page
PAGE_WIDTH = 7.1  # inches, both columns
# Okabe and Ito (2008), Color Universal Design; black first, yellow left out (poor on white).
COLOURS = ["#000000", "#E69F00", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"]
MEASURED_COLOUR = "#0072B2"
LINE_STYLES = ["-", "--", ":", "-."]

STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so bytes do not depend on the machine
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.0,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "bn-yes-or-no",  # otherwise identifiers in SVG are random
    "savefig.dpi": 300,
}


def read_config(text: str) -> dict:
    """Return what a figure is told of the configuration; dollars in it stay dollars, no formula."""
    return json.loads(text.replace("$", r"\\$"))


def variant_colours(config: dict) -> dict[str, str]:
    """Return {variant: colour}, by the order in the configuration, the same in every figure."""
    return {
        variant: COLOURS[position % len(COLOURS)]
        for position, variant in enumerate(config["variants"])
    }


def variant_label(config: dict, variant: str) -> str:
    """Return what a variant is called on an axis; its name where it has no label."""
    return config["variants"].get(variant, {}).get("label", variant)


def new_figure(
    rows: int, columns: int, height: float, width: float = COLUMN_WIDTH, **options: Any
) -> tuple[Figure, numpy.ndarray]:
    """Return (figure, 2-D array of axes) in the common style; sizes in inches."""
    plt.rcParams.update(STYLE)
    return plt.subplots(rows, columns, figsize=(width, height), squeeze=False, **options)


def save(figure: Figure, paths: list[Path]) -> None:
    """Write the figure to each path, in the format of its ending, without any date."""
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    for path in paths:
        kind = str(path).rsplit(".", 1)[1]
        with whole_file(path, binary=True) as stream:
            figure.savefig(stream, format=kind, metadata=dates[kind])
    plt.close(figure)


def loss_label(config: dict) -> str:
    """Return the label of an axis of losses: what the configuration calls its loss."""
    return config["experiment"].get("loss", "loss")


def split_label(label: str) -> str:
    """Return a comparison's label with its last part on a line of its own."""
    return "\n".join(label.rsplit(", ", 1))


def draw(module: str, config: str, tables: list[Path], outputs: list[Path]) -> None:
    """Draw the figure of a module from JSON and tables, in the format of each output's ending."""
    plot = importlib.import_module(module).plot
    save(plot(read_config(config), *map(read_table, tables)), outputs)


def main() -> None:
    """Plot a figure from a configuration and tables, in the format of each output's ending."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--module", required=True, help="whose plot(config, *tables) is called")
    parser.add_argument("--config", type=Path, required=True, help="JSON, as in config.yaml")
    parser.add_argument("--table", type=Path, required=True, nargs="+", help="to plot")
    parser.add_argument("--output", type=Path, nargs="+", required=True)
    options = parser.parse_args()
    config = options.config.read_text(encoding="utf-8")
    draw(options.module, config, options.table, options.output)
