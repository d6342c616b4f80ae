"""List for every claim: command, minutes, and where the result is (ACM's badge criteria).

Minutes are those of all jobs of the claim's own run, one after another, environments not counted.
"""

import argparse
import csv
from pathlib import Path

from plan.claims import TESTS
from plan.documents import read_yaml

COLUMNS = ["claim", "command", "minutes", "result"]


def main() -> None:
    """Write the list, or print the claims that `make claim` trains alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--claims", type=Path, default=Path("claims.yaml"))
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--output", type=Path, default=Path("docs/claims-to-commands.csv"))
    parser.add_argument("--trained-alone", action="store_true", help="print these")
    options = parser.parse_args()
    claims = read_yaml(options.claims)["claims"]
    if options.trained_alone:
        print("\n".join(claim["id"] for claim in claims if not needs_study(claim)))
        return
    with options.output.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(list_row(claim, options.results) for claim in claims)


def needs_study(claim: dict) -> bool:
    """Tell whether a claim rests on the whole study."""
    return "sensitivity_effects" in TESTS[claim["test"]].reads


def list_row(claim: dict, results: Path) -> list[str]:
    """Return the row of a claim; minutes are empty where its command has not run here."""
    name = claim["id"]
    if needs_study(claim):
        seconds = sum(map(seconds_in, studied(results)))
        command, folder = "make study", results
    else:
        seconds = sum(map(seconds_in, (results / "claims" / name / "benchmarks").rglob("*.tsv")))
        command, folder = f"make claim NAME={name}", results / "claims" / name
    minutes = f"{seconds / 60:.1f}" if seconds else ""
    return [name, command, minutes, f"{folder}/tables/claims.csv, row {name}"]


def studied(results: Path) -> list[Path]:
    """Return the benchmarks of the study's jobs."""
    jobs = ("train_study/**/*", "compare_with_stock/**/*", "collect_study", "collect_sensitivity")
    return [path for job in jobs for path in (results / "benchmarks").glob(f"{job}.tsv")]


def seconds_in(benchmark: Path) -> float:
    """Return the wall seconds of the jobs in a benchmark file of Snakemake."""
    with benchmark.open(encoding="utf-8", newline="") as stream:
        return sum(float(row["s"]) for row in csv.DictReader(stream, delimiter="\t"))
