"""Decide every claim of the page from the tables."""

import argparse
from pathlib import Path

import yaml
from bnyesno.claims import judge_all
from bnyesno.tables import read_table, write_table


def main():
    """Read claims and tables, write claims.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=Path, required=True, help="claims.yaml")
    parser.add_argument("--tables", type=Path, required=True, nargs="+", help="runs.csv, ...")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    claims = yaml.safe_load(options.claims.read_text(encoding="utf-8"))["claims"]
    tables = {path.stem: read_table(path) for path in options.tables}
    write_table(judge_all(claims, tables), options.output)


if __name__ == "__main__":
    main()
