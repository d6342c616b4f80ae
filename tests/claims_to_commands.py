"""The command, minutes and result of every claim (ACM's badge criteria), as docs/ lists them.

python tests/claims_to_commands.py      after `make study`: runs each claim alone, for half an hour,
                                        and writes docs/claims-to-commands.csv again

Minutes are those of all jobs of the claim's own run, one after another, environments not counted.
"""

import csv
import sys
from pathlib import Path

from repository import ROOT, run_driver

sys.path.insert(0, str(ROOT / "workflow"))

from plan.claims import TESTS, read_claims

LIST = ROOT / "docs/claims-to-commands.csv"
COLUMNS = ["claim", "command", "minutes", "result"]


def needs_study(claim):
    """Tell whether a claim rests on the whole study."""
    return "sensitivity_effects" in TESTS[claim["test"]].reads


def list_row(claim, results):
    """Return the row of a claim; minutes are empty where its command has not run here."""
    name = claim["id"]
    command, folder = f"make claim NAME={name}", results / "claims" / name
    measured = (folder / "benchmarks").rglob("*.tsv")
    if needs_study(claim):
        command, folder, measured = "make study", results, studied(results)
    seconds = sum(map(seconds_in, measured))
    minutes = f"{seconds / 60:.1f}" if seconds else ""
    return [name, command, minutes, f"{folder}/tables/claims.csv, row {name}"]


def studied(results):
    """Return the benchmarks of the study's jobs."""
    jobs = ("train_study/**/*", "compare_with_stock/**/*", "collect_study", "collect_sensitivity")
    return [path for job in jobs for path in (results / "benchmarks").glob(f"{job}.tsv")]


def seconds_in(benchmark):
    """Return the wall seconds of the jobs in a benchmark file of Snakemake."""
    with benchmark.open(encoding="utf-8", newline="") as stream:
        return sum(float(row["s"]) for row in csv.DictReader(stream, delimiter="\t"))


if __name__ == "__main__":
    claims = read_claims(ROOT / "claims.yaml")
    for claim in claims:
        if not needs_study(claim):
            alone = ["--config", f'claim="{claim["id"]}"', "--", "judge_claims"]
            run_driver("snakemake", "--use-conda", "--cores", 2, *alone).check_returncode()
    with LIST.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(list_row(claim, Path("results")) for claim in claims)
