"""Draw all figures from a folder with config.yaml and the tables: python draw_all.py IN OUT."""

import importlib
import sys
from pathlib import Path

import yaml

FIGURES = {
    "weight_sums": ["steps"],
    "val_loss": ["epochs"],
    "published_and_measured": ["claims"],
    "initial_kernels": ["initial_kernels"],
    "trajectories": ["trajectories"],
    "releases": ["releases"],
    "seeds": ["percentiles", "study_cells", "yardsticks"],
    "bn_effect": ["sensitivity_effects"],
    "activation_pairs": ["sensitivity_cells", "sensitivity_effects"],
}


def draw(name, config, folder):
    """Return one figure, drawn by the script that the rule calls."""
    from bnyesno.tables import read_table

    script = importlib.import_module(f"render_{name}")
    return script.draw(config, *(read_table(folder / f"{table}.csv") for table in FIGURES[name]))


def main():
    """Write every figure in every format."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow/scripts"))
    from bnyesno import figures

    folder, output = map(Path, sys.argv[1:])
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    for name in FIGURES:
        paths = [output / f"{name}.{kind}" for kind in config["figures"]["formats"]]
        figures.save(draw(name, config, folder), paths)


if __name__ == "__main__":
    main()
