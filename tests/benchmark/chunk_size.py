"""What submitting costs, by the number of seeds that a job trains: real jobs on a real Slurm.

    python tests/benchmark/chunk_size.py study 2 20 200 2000      # as root
    python tests/benchmark/chunk_size.py training 1 10 100

Each size is one Slurm job on the cluster of tests/cluster/slurm.py, alone on the machine: a chunk
of the seed study's part `protocols`, or the trainings of tf.keras (`seeds_per_job`), as the
workflow submits them. Scheduling is what Slurm's job took beyond the command that trains.
"""

import argparse
import csv
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests"), str(ROOT / "tests/cluster"), str(ROOT / "workflow/scripts")]

from bnyesno.runs import CHUNK, RECORD  # noqa: E402
from repository import copy_repository, run_driver, write_yaml  # noqa: E402
from slurm import Cluster, install, run  # noqa: E402
from submission import IMPATIENT, Run  # noqa: E402

PART = "protocols"
REPORT = ROOT / "results/benchmarks/chunk_size.csv"
COLUMNS = ["what", "environment", "seeds", "job_seconds", "training_seconds", "share", "memory_mb"]


def main():
    """Print a line for each size, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["study", "training"])
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
    """Return the row of one job with so many seeds."""
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
            (job,) = running.slurm_ids()
        finally:
            running.kill()
        (benchmark,) = (clone / "results/benchmarks").rglob("*.tsv")
        with benchmark.open() as stream:
            (measured,) = csv.DictReader(stream, delimiter="\t")
    job_seconds, training_seconds = seconds_of(job), float(measured["s"])
    return {
        "what": what,
        "environment": environment,
        "seeds": size,
        "job_seconds": job_seconds,
        "training_seconds": f"{training_seconds:.1f}",
        "share": f"{1 - training_seconds / job_seconds:.3f}",
        "memory_mb": measured["max_rss"],
    }


def ask_for(what, environment, size):
    """Return (what is changed in the configuration, a file to ask for) for one job of a size."""
    if what == "study":
        amended = {"study": {"parts": {PART: {"seeds": size, "chunk": size}}}}
        chunk = {"part": PART, "environment": environment, "first": 0, "last": size - 1}
        return amended, CHUNK.format(results="results", **chunk)
    amended = {"seeds": list(range(3, 3 + size)), "seeds_per_job": size}
    cell = {"environment": environment, "api": "tf.keras", "variant": "plain"}
    first = {"protocol": "question", "seed": 3, "repeat": 1}
    return amended, RECORD.format(results="results", **cell, **first)


def seconds_of(job):
    """Return how long a finished Slurm job ran, in whole seconds as Slurm tells it."""
    shown = run("scontrol", "--oneliner", "show", "job", job)
    hours, minutes, seconds = shown.split("RunTime=")[1].split()[0].split(":")
    return (int(hours) * 60 + int(minutes)) * 60 + int(seconds)


def describe(row):
    """Return a row as a line to read."""
    return (
        f"{row['what']} {row['environment']}: {row['seeds']:5} seeds, job {row['job_seconds']} s, "
        f"of which training {row['training_seconds']} s: {float(row['share']):.1%} is scheduling; "
        f"{row['memory_mb']} MB"
    )


if __name__ == "__main__":
    main()
