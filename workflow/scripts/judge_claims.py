"""Decide every claim of the page from the tables, or print what one of them comes to."""

import argparse
from pathlib import Path

import yaml
from bnyesno import claims, study_claims
from bnyesno.summary import format_claims
from bnyesno.tables import read_table, write_table


def main():
    """Read claims and tables, write claims.csv or print a claim."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=Path, required=True, help="claims.yaml")
    parser.add_argument("--tables", type=Path, required=True, nargs="+", help="runs.csv, ...")
    parser.add_argument(
        "--study", action="store_true", help="judge the claims that need the whole study instead"
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--output", type=Path, help="write all to claims.csv")
    where.add_argument("--only", metavar="CLAIM", help="print this one")
    options = parser.parse_args()
    listed = yaml.safe_load(options.claims.read_text(encoding="utf-8"))["claims"]
    tables = {path.stem: read_table(path) for path in options.tables}
    if options.only:
        tests = claims.TESTS | study_claims.TESTS
        listed = [claim for claim in listed if claim["id"] == options.only]
        print(format_claims(claims.judge_all(listed, tables, tests).to_dict("records")))
    else:
        tests = study_claims.TESTS if options.study else claims.TESTS
        write_table(claims.judge_all(listed, tables, tests), options.output)


if __name__ == "__main__":
    main()
