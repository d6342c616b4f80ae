"""Collect the run records into tidy tables."""

import argparse
import json
from pathlib import Path

from bnyesno.runs import record_paths
from bnyesno.tables import ROWS, read_records, write_record_tables


def main():
    """Read every record the configuration asks for and write one CSV per table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="JSON, as in config.yaml")
    for name in ROWS:
        parser.add_argument(f"--{name}", type=Path, required=True, help=f"output: {name}.csv")
    options = parser.parse_args()
    config = json.loads(options.config.read_text(encoding="utf-8"))
    records = read_records(record_paths(config))
    write_record_tables(records, {name: getattr(options, name) for name in ROWS})


if __name__ == "__main__":
    main()
