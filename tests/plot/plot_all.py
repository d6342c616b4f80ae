"""Draw all figures from a folder with config.yaml and the tables: python plot_all.py IN OUT."""

import importlib
import sys
from pathlib import Path

WORKFLOW = Path(__file__).resolve().parents[2] / "workflow"
sys.path.insert(0, str(WORKFLOW))

from plan.documents import read_schema, read_yaml  # noqa: E402

FIGURES = read_schema("figures.yaml")


def plot(name, config, folder):
    """Return one figure, drawn by the module that the rule calls."""
    from judge.tables import read_table

    module = importlib.import_module(FIGURES[name]["module"])
    return module.plot(
        config, *(read_table(folder / f"{table}.csv") for table in FIGURES[name]["tables"])
    )


def main():
    """Write every figure in every format."""
    from plot import figures

    folder, output = map(Path, sys.argv[1:])
    config = read_yaml(folder / "config.yaml")
    for name in FIGURES:
        paths = [output / f"{name}.{kind}" for kind in config["figures"]["formats"]]
        figures.save(plot(name, config, folder), paths)


if __name__ == "__main__":
    main()
