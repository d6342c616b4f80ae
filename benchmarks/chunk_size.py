"""What submitting costs, by the number of seeds that a job trains: real jobs on a real Slurm.

    python benchmarks/chunk_size.py study 2 20 200 2000      # as root
    python benchmarks/chunk_size.py training 1 10 100
    python benchmarks/chunk_size.py run 1

Runs on the cluster of tests/cluster/slurm.py, as the workflow submits it: one job, a chunk of the
seed study's part `protocols` or the trainings of tf.keras (`seeds_per_job`); or all jobs of the
default run. Scheduling is what Slurm's jobs took beyond the rules' commands.
"""

import argparse
import csv
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "tests"), str(ROOT / "tests/cluster"), str(ROOT / "workflow"), str(ROOT)]

from plan.runs import RUN_FILE, name_seeds  # noqa: E402
from repository import copy_repository, run_driver, write_yaml  # noqa: E402
from slurm import Cluster, install, run  # noqa: E402
from submission import IMPATIENT, Run  # noqa: E402

from page.plans import CHUNK_FILE  # noqa: E402

PART = "protocols"
REPORT = ROOT / "results/benchmarks/chunk_size.csv"
COLUMNS = [
    "what",
    "environment",
    "seeds",
    "jobs",
    "job_seconds",
    "work_seconds",
    "share",
    "memory_mb",
]
NOT_SUBMITTED = ("list_packages", "write_provenance")


def main():
    """Print a line for each size, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["study", "training", "run"])
    parser.add_argument("sizes", type=int, nargs="+", help="seeds in the job")
    parser.add_argument("--environment", default="tf1.14-keras2.2.4")
    options = parser.parse_args()
    install()
    run_driver("snakemake", "--use-conda", "--conda-create-envs-only", "--cores", 1, check=True)
    rows = []
    with Cluster():
        for size in options.sizes:
            rows.append(measure(options.what, options.environment, size))
            print(describe(rows[-1]), flush=True)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    with REPORT.open("a", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        if not stream.tell():
            writer.writeheader()
        writer.writerows(rows)


def measure(what, environment, size):
    """Return the row of a run with so many seeds."""
    with tempfile.TemporaryDirectory() as folder:
        clone = copy_repository(Path(folder) / "copy")
        amended, target = ask_for(what, environment, size)
        write_yaml(amended, clone / "amended.yaml")
        shared = ("--conda-prefix", ROOT / ".snakemake/conda", "--configfile", "amended.yaml")
        profile = ("--profile", ROOT / "profiles/slurm", *IMPATIENT)
        running = Run(clone, *profile, *shared, "--", target)
        try:
            if running.finish(3600):
                sys.exit(running.log.read_text())
            jobs = running.job_ids()
            job_seconds = sum(map(seconds_of, jobs))
        finally:
            running.kill()
        measured = read_benchmarks(clone / "results/benchmarks")
    work_seconds = sum(float(row["s"]) for row in measured)
    return {
        "what": what,
        "environment": environment,
        "seeds": size,
        "jobs": len(jobs),
        "job_seconds": job_seconds,
        "work_seconds": f"{work_seconds:.1f}",
        "share": f"{1 - work_seconds / job_seconds:.3f}",
        "memory_mb": max(float(row["max_rss"]) for row in measured if row["max_rss"] != "NA"),
    }


def read_benchmarks(folder):
    """Return what Snakemake measured of every rule that was submitted, as it wrote it."""
    measured = []
    for path in sorted(folder.rglob("*.tsv")):
        if path.relative_to(folder).parts[0].removesuffix(".tsv") not in NOT_SUBMITTED:
            with path.open() as stream:
                measured += csv.DictReader(stream, delimiter="\t")
    return measured


def ask_for(what, environment, size):
    """Return (what is changed in the configuration, the target) for a run with so many seeds."""
    if what == "study":
        amended = {"study": {"parts": {PART: {"seeds": size, "chunk": size}}}}
        chunk = {"part": PART, "environment": environment, "first": 0, "last": size - 1}
        return amended, f"results/{CHUNK_FILE}".format(**chunk)
    seeds = list(range(3, 3 + size))
    if what == "run":
        return {"seeds": seeds}, "all"
    amended = {"seeds": seeds, "seeds_per_job": size}
    job = f"variants1-{name_seeds(seeds)}"
    return amended, f"results/{RUN_FILE}".format(environment=environment, api="tf.keras", job=job)


def seconds_of(job):
    """Return how long a finished Slurm job ran, in whole seconds as Slurm tells it."""
    shown = run("scontrol", "--oneliner", "show", "job", job)
    hours, minutes, seconds = shown.split("RunTime=")[1].split()[0].split(":")
    return (int(hours) * 60 + int(minutes)) * 60 + int(seconds)


def describe(row):
    """Return a row as a line to read."""
    return (
        f"{row['what']}, {row['seeds']} seeds: {row['jobs']} jobs, {row['job_seconds']} s in all, "
        f"{row['work_seconds']} s of it work, {float(row['share']):.1%} scheduling; "
        f"up to {row['memory_mb']} MB"
    )


if __name__ == "__main__":
    main()
