"""Decide every claim of the page from the tables."""

import argparse
from pathlib import Path

import yaml
from bnyesno import claims, study_claims
from bnyesno.tables import read_table, write_table


def main():
    """Read claims and tables, write claims.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=Path, required=True, help="claims.yaml")
    parser.add_argument("--tables", type=Path, required=True, nargs="+", help="runs.csv, ...")
    parser.add_argument(
        "--study", action="store_true", help="judge the claims that need the whole study instead"
    )
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    listed = yaml.safe_load(options.claims.read_text(encoding="utf-8"))["claims"]
    tables = {path.stem: read_table(path) for path in options.tables}
    tests = study_claims.TESTS if options.study else claims.TESTS
    write_table(claims.judge_all(listed, tables, tests), options.output)


if __name__ == "__main__":
    main()
