"""Time and memory of `snakemake -n`, by the number of jobs.

    python benchmarks/dry_run.py study 100 1000 10000 100000
    python benchmarks/dry_run.py training 100 1000 10000 --options="--profile profiles/slurm"

The number of jobs is set by the number of seeds: chunks of the seed study, one seed and one file
each, or the trainings of the page. Nothing runs.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
PART = "protocols"
sys.path.append(str(ROOT / "workflow"))

from plan.runs import run_files, training_jobs  # noqa: E402


def ask_for(what, jobs, config):
    """Return what is changed in the configuration for about so many jobs."""
    if what == "study":
        seeds = round(jobs / len(config["study"]["parts"][PART]["environments"]))
        return {"study": {"parts": {PART: {"seeds": max(1, seeds), "chunk": 1}}}}
    seeds = round(jobs / len(run_files(config, training_jobs(config))))
    return {"seeds": list(range(3, 3 + max(1, seeds)))}


def dry_run(amendment, options, folder):
    """Run `snakemake -n` on that; return (jobs, seconds, processor seconds, MB)."""
    amended, log = folder / "amended.yaml", folder / "dry_run.log"
    amended.write_text(yaml.safe_dump(amendment))
    command = ["snakemake", "-n", "--quiet", "rules", "--configfile", amended, *options]
    begin = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    if status:
        raise SystemExit(log.read_text()[-2000:])
    jobs = int(re.search(r"^total\s+(\d+)", log.read_text(), re.MULTILINE)[1])
    return jobs, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    """Print one line for each number of jobs asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["study", "training"])
    parser.add_argument("jobs", type=int, nargs="+", help="about how many")
    parser.add_argument("--options", type=shlex.split, default=[], help="of Snakemake")
    options = parser.parse_args()
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        for wanted in options.jobs:
            amendment = ask_for(options.what, wanted, config)
            jobs, seconds, processor, memory = dry_run(amendment, options.options, Path(folder))
            measured = f"{seconds:.0f} s, {processor:.0f} s of processor, {memory:.0f} MB"
            print(f"{options.what}: {jobs} jobs in all: {measured}", flush=True)


if __name__ == "__main__":
    main()
