"""What a Slurm job costs by itself, by the number of small jobs (of no work) that it holds.

    python tests/benchmark/chunk_size.py 1 10 100 1000      # as root

Runs tests/cluster/toy.smk on the cluster of tests/cluster/slurm.py, one Slurm job at a time. From
its lines follow the cost of starting a job and of each small job in it, and the share of both in
the time of a job whose small jobs take SECONDS each.
"""

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests"), str(ROOT / "tests/cluster")]

from slurm import Cluster, install, run  # noqa: E402
from submission import IMPATIENT, Run  # noqa: E402


def seconds_of(job):
    """Return how long a finished Slurm job ran."""
    shown = run("scontrol", "--oneliner", "show", "job", job)
    clock = shown.split("RunTime=")[1].split()[0]
    hours, minutes, seconds = map(int, clock.split(":"))
    return (hours * 60 + minutes) * 60 + seconds


def measure(size):
    """Return how long a Slurm job with so many small jobs runs."""
    with tempfile.TemporaryDirectory() as folder:
        toy = ("--snakefile", ROOT / "tests/cluster/toy.smk", "--directory", folder)
        profile = ("--profile", ROOT / "profiles/slurm", *IMPATIENT)
        grouped = ("--groups", "chunk=chunk", "--group-components", f"chunk={size}")
        running = Run(
            Path(folder), *toy, *profile, *grouped, "--config", f"chunks={size}", "seconds=0"
        )
        try:
            if running.finish(1800):
                sys.exit(running.log.read_text())
            (job,) = running.slurm_ids()
            return seconds_of(job)
        finally:
            running.kill()


def main():
    """Print a line for each size, and what follows from the smallest and the largest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", type=int, nargs="+")
    parser.add_argument("--seconds", type=float, default=10, help="of work in a small job")
    options = parser.parse_args()
    install()
    measured = {}
    with Cluster():
        for size in options.sizes:
            seconds = measured[size] = measure(size)
            share = seconds / (seconds + size * options.seconds)
            shown = f"{seconds:4} s without work, {share:.1%} of the job with it"
            print(f"{size:5} small jobs: {shown}", flush=True)
    few, many = min(measured), max(measured)
    each = (measured[many] - measured[few]) / max(1, many - few)
    print(f"start {measured[few] - few * each:.1f} s, each small job {each:.2f} s")


if __name__ == "__main__":
    main()
