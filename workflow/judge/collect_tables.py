"""Collect the run records into tidy tables."""

import argparse
from pathlib import Path

from judge.records import Records
from judge.tables import ROWS, write_record_tables


def main():
    """Read every record and write one CSV per table."""
    parser = argparse.ArgumentParser(description=__doc__, fromfile_prefix_chars="@")
    parser.add_argument("--records", nargs="+", required=True, help="JSON Lines of train.job")
    for name in ROWS:
        parser.add_argument(f"--{name}", type=Path, required=True, help=f"output: {name}.csv")
    options = parser.parse_args()
    write_record_tables(Records(options.records), {name: getattr(options, name) for name in ROWS})


if __name__ == "__main__":
    main()
