"""Figure: initial weights of the kernel drawn second, one variant against the other.

Where both variants draw the same weights all points lie on the diagonal.
"""

from bnyesno import figures


def draw(config, kernels):
    """Return the figure; `kernels` is initial_kernels.csv."""
    comparisons = config["figures"]["initial_kernels"]["comparisons"]
    figure, axes = figures.new_figure(1, len(comparisons), 2.15, sharex=True, sharey=True)
    for panel, comparison in zip(axes[0], comparisons, strict=True):
        pair = config["comparisons"][comparison]
        first, second = (
            kernels[
                (kernels["comparison"] == comparison)
                & (kernels["variant"] == pair[side]["variant"])
                & (kernels["environment"] == pair[side]["environment"])
            ]
            for side in ("first", "second")
        )
        panel.axline((0, 0), slope=1, color="0.8", linewidth=0.6, zorder=0)
        panel.plot(first["value"], second["value"], ".", color=figures.MEASURED_COLOUR, ms=3)
        panel.set_title(figures.split_label(pair["label"]))
        panel.text(
            0.5,
            1.0,
            f"op-level seeds {list_seeds(first)} and {list_seeds(second)}",
            transform=panel.transAxes,
            ha="center",
            va="bottom",
            size=5.5,
        )
        panel.set_aspect("equal")
        panel.set_xlabel(f"initial weight, {pair['first']['variant']}")
        panel.set_ylabel(f"initial weight, {pair['second']['variant']}")
        panel.label_outer()
    return figure


def list_seeds(kernel):
    """Return the op-level seed of a kernel's rows as text, "none" where the release has none."""
    seeds = kernel["op_seed"].dropna().unique()
    return ", ".join(str(int(seed)) for seed in seeds) or "none"


if __name__ == "__main__":
    figures.main(__doc__, draw)
