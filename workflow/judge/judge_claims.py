"""Decide every claim of the page from the tables, or print what one of them comes to."""

import argparse
from pathlib import Path

import yaml
from page import study_claims
from publish.summary import format_claims

from judge import claims
from judge.tables import read_table, write_table


def main():
    """Read claims and tables, write claims.csv or print a claim."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=Path, required=True, help="claims.yaml")
    parser.add_argument("--tables", type=Path, required=True, nargs="+", help="runs.csv, ...")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--output", type=Path, help="write all to claims.csv")
    where.add_argument("--only", metavar="CLAIM", help="print this one")
    options = parser.parse_args()
    listed = yaml.safe_load(options.claims.read_text(encoding="utf-8"))["claims"]
    tables = {path.stem: read_table(path) for path in options.tables}
    table = claims.judge_all(listed, tables, claims.TESTS | study_claims.TESTS)
    if options.only:
        print(format_claims(table[table["claim"] == options.only].to_dict("records")))
    else:
        write_table(table, options.output)


if __name__ == "__main__":
    main()
