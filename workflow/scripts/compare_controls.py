"""Compare the runs of the controls, bit for bit, and say what causes each difference."""

import argparse
from pathlib import Path

import yaml
from bnyesno import compare
from bnyesno.tables import write_table


def main():
    """Write one CSV per table of the controls."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the merged configuration")
    parser.add_argument("--output-folder", type=Path, required=True)
    options = parser.parse_args()
    config = yaml.safe_load(options.config.read_text(encoding="utf-8"))
    controls = compare.compare_controls(config)
    tables = {
        "controls": controls,
        "verdicts": compare.judge_comparisons(config, controls),
        "identity_layers": compare.tabulate_identity_layers(config),
        "crossed": compare.tabulate_crossed(config),
        "evaluation_swap": compare.tabulate_evaluation_swap(config),
        "spread": compare.tabulate_spread(config),
        "trajectories": compare.tabulate_trajectories(config),
        "initial_kernels": compare.tabulate_initial_kernels(config),
    }
    for name, table in tables.items():
        write_table(table, options.output_folder / f"{name}.csv")


if __name__ == "__main__":
    main()
