"""Every figure again, in a process for each core: to import matplotlib takes as long as to draw."""

import argparse
import json
import multiprocessing
from pathlib import Path

from plot.figures import draw


def main() -> None:
    """Draw figures that a file lists, in forks of this process, which share its imports."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("figures", type=Path, help="JSON: arguments of draw for each")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    drawings = json.loads(options.figures.read_text(encoding="utf-8"))
    with multiprocessing.get_context("fork").Pool(options.processes) as pool:
        pool.starmap(draw, drawings, chunksize=1)
