"""What the report shows of the figures. Imported by the workflow only: it needs Snakemake."""

from snakemake.io import report


def figure_files(config, figure, table):
    """Return the paths of a figure's files; one is marked for the report.

    `table` is the name of the table that it is drawn from; the caption is in workflow/report/.
    """
    folder, formats = f"{config['results']}/figures", config["figures"]["formats"]
    best = "svg" if "svg" in formats else formats[0]  # sharp at every size of a window
    shown = report(
        f"{folder}/{figure}.{best}",
        caption=f"../report/{figure}.rst",
        category="Figures",
        labels={"figure": figure.replace("_", " "), "from": f"{table}.csv"},
    )
    return [shown, *(f"{folder}/{figure}.{format}" for format in formats if format != best)]
