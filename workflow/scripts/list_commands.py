"""List for every claim: target, command, minutes, and where the result is (ACM's badge criteria).

Targets are the tables that a claim's test reads when it decides. Minutes are those measured by the
last run, all jobs one after another, environments not counted.
"""

import argparse
import csv
import sys
from pathlib import Path

import yaml
from bnyesno import claims, study_claims
from bnyesno.tables import read_table

COLUMNS = ["claim", "target", "command", "minutes", "result"]
# What has to run for a table: rules whose name starts so, {rule that writes tables: those}.
RUNS = {
    "collect_tables": ("train_tf", "collect_tables"),
    "compare_controls": ("train_tf", "control_", "compare_controls"),
    "collect_sensitivity": ("train_study", "compare_with_stock", "collect_sensitivity"),
}
COLLECTED = ("runs", "epochs", "steps", "layers")
TESTS = {**claims.TESTS, **study_claims.TESTS}


class Watched(dict):
    """Tables by name, which remember those that a test read."""

    def __init__(self, tables):
        """Start with nothing asked for."""
        super().__init__(tables)
        self.asked = set()

    def __getitem__(self, name):
        """Return a table, and remember its name."""
        self.asked.add(name)
        return super().__getitem__(name)


def main():
    """Write the list, or print the tables that one claim needs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--claims", type=Path, default=Path("claims.yaml"))
    parser.add_argument("--tables", type=Path, default=Path("results/tables"), help="their folder")
    parser.add_argument("--resources", type=Path, default=Path("results/provenance/resources.csv"))
    parser.add_argument("--output", type=Path, default=Path("docs/claims-to-commands.csv"))
    parser.add_argument("--tables-of", metavar="CLAIM", help="print these and write nothing")
    options = parser.parse_args()
    if options.tables_of:
        print(tables_of(options.tables_of, options.output))
        return
    listed = yaml.safe_load(options.claims.read_text(encoding="utf-8"))["claims"]
    targets = find_targets(listed, options.tables)
    if not options.resources.exists():
        sys.exit(f"{options.resources} is not there yet: run `make reproduce` first.")
    minutes = read_minutes(options.resources)
    with options.output.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(list_row(*item, minutes) for item in targets.items())


def tables_of(claim, path):
    """Return the target of a claim from the list; exits, naming the claims, where there is none."""
    with path.open(encoding="utf-8", newline="") as stream:
        targets = {row["claim"]: row["target"] for row in csv.DictReader(stream)}
    if not targets.get(claim):
        known = "\n  ".join(name for name, target in targets.items() if target)
        sys.exit(f"There is no claim '{claim}' that is tested; NAME is one of\n  {known}")
    return targets[claim]


def find_targets(listed, folder):
    """Return {claim: paths of the tables that its test reads}; none where nothing is tested."""
    tables = {path.stem: read_table(path) for path in sorted(folder.glob("*.csv"))}
    targets = {}
    for claim in listed:
        watched = Watched(tables)
        claims.judge(claim, watched, TESTS)
        targets[claim["id"]] = [str(folder / f"{name}.csv") for name in sorted(watched.asked)]
    return targets


def read_minutes(resources):
    """Return {rule that writes tables: minutes of all jobs up to it}."""
    with resources.open(encoding="utf-8", newline="") as stream:
        seconds = {row["rule"]: float(row["wall_seconds"]) for row in csv.DictReader(stream)}
    return {
        rule: sum(time for name, time in seconds.items() if name.startswith(needed)) / 60
        for rule, needed in RUNS.items()
    }


def list_row(claim, targets, minutes):
    """Return the row of a claim; command and minutes are empty where nothing is tested."""
    rules = {rule_of(Path(target).stem) for target in targets}
    longest = max((minutes[rule] for rule in rules), default=None)
    command = f"make claim NAME={claim}" if targets else ""
    table = "study_claims" if "collect_sensitivity" in rules else "claims"
    result = f"results/tables/{table}.csv, row {claim}"
    return [claim, " ".join(targets), command, f"{longest:.1f}" if targets else "", result]


def rule_of(table):
    """Return the rule that writes a table."""
    if table in COLLECTED:
        return "collect_tables"
    return "collect_sensitivity" if table.startswith("sensitivity") else "compare_controls"


if __name__ == "__main__":
    main()
