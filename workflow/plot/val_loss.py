"""Figure: loss on held-out rows after every epoch, for each variant and environment.

Curves that are bitwise equal share one line, whose dashes take turns in their colours.
"""

from typing import Any

from judge.tables import rows_where
from matplotlib.figure import Figure
from pandas import DataFrame

from plot import figures


def plot(config: dict, epochs: DataFrame) -> Figure:
    """Return the figure; `epochs` is epochs.csv."""
    settings = config["figures"]["val_loss"]
    environments, variants = config["environments"], config["variants"]
    wanted = {name: settings[name] for name in ("api", "protocol", "rows")}
    chosen = rows_where(epochs, **wanted, seed=config["seed"], repeat=1)
    figure, axes = figures.new_figure(1, len(environments), 2.9, sharey=True)
    colours = figures.variant_colours(config)
    for panel, (environment, entry) in zip(axes[0], environments.items(), strict=True):
        curves = {
            variant: rows_where(chosen, environment=environment, variant=variant)
            for variant in variants
        }
        for equal in group_equal(curves):
            for position, variant in enumerate(equal):
                panel.plot(
                    curves[variant]["epoch"],
                    curves[variant]["val_loss"],
                    color=colours[variant],
                    linewidth=1.6,
                    linestyle=take_turns(position, len(equal)),
                    dash_capstyle="butt",
                )
        panel.set_title(entry["label"])
        panel.set_xlabel("epoch")
    axes[0][0].set_ylabel(figures.loss_label(config))
    for variant, description in variants.items():
        axes[0][0].plot([], [], color=colours[variant], label=description["label"])
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def group_equal(curves: dict[str, DataFrame]) -> list[list[str]]:
    """Return lists of the variants whose curves are bitwise equal, in the order given."""
    groups: dict[tuple, list[str]] = {}
    for variant, curve in curves.items():
        groups.setdefault(tuple(curve["val_loss"]), []).append(variant)
    return list(groups.values())


def take_turns(position: int, count: int, length: int = 4) -> Any:
    """Return the line style that shows every `count`-th dash, from the one at `position` on."""
    return (position * length, (length, (count - 1) * length)) if count > 1 else "-"
