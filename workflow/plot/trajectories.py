"""Figure: largest difference between the weights of two variants, after every training step.

Once as published and once from equal initial weights.
"""

from judge.tables import rows_where
from matplotlib.figure import Figure
from pandas import DataFrame

from plot import figures

NAMES = {"published": "as published", "start_of_first": "equal initial weights"}
# The dashed line is the thinner one, so that both show where they are equal.
LOOKS = [
    {"color": "#D55E00", "linewidth": 2.2},
    {"color": "#000000", "linewidth": 1.0, "linestyle": (0, (4, 4))},
    {"color": "#0072B2", "linewidth": 1.0, "linestyle": ":"},
]


def plot(config: dict, trajectories: DataFrame) -> Figure:
    """Return the figure; `trajectories` is trajectories.csv."""
    settings = config["figures"]["trajectories"]
    comparisons, controls = settings["comparisons"], settings["controls"]
    figure, axes = figures.new_figure(1, len(comparisons), 2.0, sharex=True, sharey=True)
    for panel, comparison in zip(axes[0], comparisons, strict=True):
        for control, look in zip(controls, LOOKS, strict=False):
            line = rows_where(trajectories, comparison=comparison, control=control)
            # No step at all: the two runs have other numbers of weights.
            exactly_zero = len(line) > 0 and (line["largest_difference"] == 0).all()
            panel.plot(
                line["step"],
                line["largest_difference"],
                **look,
                label=NAMES.get(control, control),
                clip_on=False,
            )
            if exactly_zero:
                panel.annotate(
                    "0 at every step",
                    (line["step"].max() / 2, 0),
                    (0, 4),
                    textcoords="offset points",
                    ha="center",
                    size=6,
                )
        panel.set_title(figures.split_label(config["comparisons"][comparison]["label"]))
        panel.set_xlabel("training step")
    axes[0][0].set_ylim(bottom=0)
    axes[0][0].set_ylabel("largest difference\nbetween weights")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
