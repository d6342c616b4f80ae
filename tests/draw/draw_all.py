"""Draw all figures from a folder with config.yaml and the tables: python draw_all.py IN OUT."""

import importlib
import sys
from pathlib import Path

import yaml

WORKFLOW = Path(__file__).resolve().parents[2] / "workflow"
FIGURES = yaml.safe_load((WORKFLOW / "schemas/figures.yaml").read_text(encoding="utf-8"))


def draw(name, config, folder):
    """Return one figure, drawn by the module that the rule calls."""
    from judge.tables import read_table

    module = importlib.import_module(FIGURES[name]["module"])
    return module.draw(
        config, *(read_table(folder / f"{table}.csv") for table in FIGURES[name]["tables"])
    )


def main():
    """Write every figure in every format."""
    sys.path.insert(0, str(WORKFLOW))
    from draw import figures

    folder, output = map(Path, sys.argv[1:])
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    for name in FIGURES:
        paths = [output / f"{name}.{kind}" for kind in config["figures"]["formats"]]
        figures.save(draw(name, config, folder), paths)


if __name__ == "__main__":
    main()
