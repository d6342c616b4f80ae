"""List for every claim: target, command, minutes, and where the result is (ACM's badge criteria).

Targets are the tables that a claim's test reads when it decides. Minutes are those measured by the
last run, all jobs one after another, environments not counted.
"""

import argparse
import csv
import sys
from itertools import product
from pathlib import Path

import yaml
from bnyesno import claims, study_claims
from bnyesno.runs import study_parts
from bnyesno.tables import read_table

COLUMNS = ["claim", "target", "command", "minutes", "result"]
TESTS = claims.TESTS | study_claims.TESTS
COLLECTED = ("runs", "epochs", "steps", "layers")
CONTROLLED = ("train_runs", "train_controls", "compare_controls")
STUDIED = ("study", "study_cells", "percentiles", "effects", "yardsticks")


class Watched(dict):
    """Tables by name, which remember those that were asked for."""

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
    parser.add_argument("--config", type=Path, default=Path("config.yaml"))
    parser.add_argument("--tables", type=Path, default=Path("results/tables"), help="their folder")
    parser.add_argument("--resources", type=Path, default=Path("results/provenance/resources.csv"))
    parser.add_argument("--output", type=Path, default=Path("docs/claims-to-commands.csv"))
    parser.add_argument("--tables-of", metavar="CLAIM", help="print these and write nothing")
    options = parser.parse_args()
    if options.tables_of:
        print(tables_of(options.tables_of, options.output))
        return
    listed = yaml.safe_load(options.claims.read_text(encoding="utf-8"))["claims"]
    config = yaml.safe_load(options.config.read_text(encoding="utf-8"))
    targets = find_targets(listed, options.tables)
    if not options.resources.exists():
        sys.exit(f"{options.resources} is not there yet: run `make reproduce` first.")
    minutes = read_minutes(options.resources, rules_behind(config))
    with options.output.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(list_row(claim, targets[claim["id"]], minutes) for claim in listed)


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


def rules_behind(config):
    """Return {rule that writes tables: {(rule that runs before it, part of the study), ...}}."""
    behind = {
        "collect_tables": {("train_runs", ""), ("collect_tables", "")},
        "compare_controls": {(rule, "") for rule in CONTROLLED},
    }
    default, others = study_parts(config)
    for rule, parts in {"collect_study": default, "collect_sensitivity": others}.items():
        behind[rule] = {*product(("train_study", "compare_with_stock"), parts), (rule, "")}
    return behind


def rule_of(table):
    """Return the rule that writes a table."""
    name = Path(table).stem
    if name in COLLECTED:
        return "collect_tables"
    if name.startswith("sensitivity"):
        return "collect_sensitivity"
    return "collect_study" if name in STUDIED else "compare_controls"


def read_minutes(resources, behind):
    """Return {rule that writes tables: minutes of all jobs up to it}.

    Exits where the last run has not made a table.
    """
    with resources.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    measured = {row["rule"] for row in rows}
    lacking = ", ".join(rule for rule in behind if rule not in measured)
    if lacking:
        sys.exit(f"Not measured: {lacking}. Run `make reproduce study`, then this.")
    return {
        rule: sum(float(row["wall_seconds"]) for row in rows if (row["rule"], row["part"]) in jobs)
        / 60
        for rule, jobs in behind.items()
    }


def list_row(claim, targets, minutes):
    """Return the row of a claim; command and minutes are empty where nothing is tested."""
    longest = max((minutes[rule_of(target)] for target in targets), default=None)
    command = f"make claim NAME={claim['id']}" if targets else ""
    file = "study_claims" if claim["test"] in study_claims.TESTS else "claims"
    result = f"results/tables/{file}.csv, row {claim['id']}"
    return [claim["id"], " ".join(targets), command, f"{longest:.1f}" if targets else "", result]


if __name__ == "__main__":
    main()
