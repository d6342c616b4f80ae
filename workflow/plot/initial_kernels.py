"""Figure: initial weights of the kernel drawn second, one variant against the other.

Where both variants draw the same weights all points lie on the diagonal.
"""

from judge.tables import rows_where
from matplotlib.figure import Figure
from pandas import DataFrame

from plot import figures


def plot(config: dict, kernels: DataFrame) -> Figure:
    """Return the figure; `kernels` is initial_kernels.csv."""
    comparisons = config["figures"]["initial_kernels"]["comparisons"]
    figure, axes = figures.new_figure(1, len(comparisons), 2.4, sharex=True, sharey=True)
    for panel, comparison in zip(axes[0], comparisons, strict=True):
        pair = config["comparisons"][comparison]
        first, second = (
            rows_where(
                kernels,
                comparison=comparison,
                **{name: pair[side][name] for name in ("variant", "environment")},
            )
            for side in ("first", "second")
        )
        panel.axline((0, 0), slope=1, color="0.8", linewidth=0.6, zorder=0)
        if len(first) != len(second):
            panel.annotate("other shapes", (0.5, 0.5), xycoords="axes fraction", ha="center")
        else:
            panel.plot(first["value"], second["value"], ".", color=figures.MEASURED_COLOUR, ms=3)
        panel.set_title(f"{figures.split_label(pair['label'])}\n{describe_seeds(first, second)}")
        panel.set_aspect("equal")
        labels = [
            figures.variant_label(config, pair[side]["variant"]) for side in ("first", "second")
        ]
        panel.set_xlabel(f"initial weight\n{labels[0]}")
        panel.set_ylabel(f"initial weight\n{labels[1]}")
        panel.label_outer()
    return figure


def describe_seeds(first: DataFrame, second: DataFrame) -> str:
    """Return the op-level seeds of two kernels' rows in words."""
    names = [
        ", ".join(str(int(seed)) for seed in kernel["op_seed"].dropna().unique()) or "none"
        for kernel in (first, second)
    ]
    if names[0] == names[1]:
        return f"op-level seed\n{names[0]} in both"
    return f"op-level seeds\n{names[0]} and {names[1]}"
