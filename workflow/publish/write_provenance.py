"""Write what a run stood on and what it took: machine, code, configuration, packages, resources."""

import argparse
import csv
import hashlib
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from plan.documents import read_yaml
from train.run import cpu_instructions, cpu_model, from_cpuinfo

ROOT = Path(__file__).resolve().parents[2]  # the workflow's repository
GROUP = ["rule", "environment", "part"]
RESOURCES = [*GROUP, "jobs", "wall_seconds", "cpu_seconds", "peak_memory_mb"]
MACHINE = ["environment", "python", "cpu_model", "cpu_instructions"]


def main():
    """Read configuration, tables, package lists and benchmarks; write run.json, resources.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the merged configuration")
    parser.add_argument("--runs", type=Path, required=True, help="runs.csv")
    parser.add_argument("--packages", type=Path, nargs="+", required=True, help="package lists")
    parser.add_argument("--locks", type=Path, nargs="+", required=True, help="of each list")
    parser.add_argument(
        "--benchmarks",
        type=Path,
        required=True,
        help="JSON: [*GROUP, file] for each job",
    )
    parser.add_argument("--snakemake", required=True, help="its version")
    parser.add_argument("--run", type=Path, required=True, help="output: run.json")
    parser.add_argument("--resources", type=Path, required=True, help="output: resources.csv")
    options = parser.parse_args()
    config = read_yaml(options.config)
    measured = read_benchmarks(json.loads(options.benchmarks.read_text(encoding="utf-8")))
    write_resources(measured, options.resources)
    run = {
        **time_span(measured),
        "git": git_state(ROOT, Path(config["results"])),
        "snakemake": options.snakemake,
        "machine": describe_machine(),
        "threads_per_training": config["training_threads"] or "default",
        "trained_with": list_machines(options.runs),
        "environments": {
            path.stem: describe_environment(path, lock)
            for path, lock in zip(options.packages, options.locks, strict=True)
        },
        "config": config,
    }
    options.run.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")


def read_benchmarks(jobs):
    """Return (GROUP, time of end, row) for each benchmark of the jobs, [*GROUP, path].

    A row is what Snakemake measured: s and cpu_time in seconds, max_rss in MB. It writes NA or
    nothing for a job too short to be looked at. A job that has not run yet has no file.
    """
    measured = []
    for *group, file in jobs:
        path = Path(file)
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as stream:
                rows = list(csv.DictReader(stream, delimiter="\t"))
            measured += [(tuple(group), path.stat().st_mtime, row) for row in rows]
    return measured


def number(text):
    """Return a measured number, or None where nothing was measured."""
    return None if text in ("", "NA", "-", None) else float(text)


def write_resources(measured, path):
    """Write a row per GROUP: jobs, summed wall and processor time, greatest memory of a job."""
    rows = []
    for group in dict.fromkeys(group for group, _, _ in measured):
        jobs = [row for of, _, row in measured if of == group]
        columns = [[number(job.get(key)) for job in jobs] for key in ("s", "cpu_time", "max_rss")]
        wall, processor, memory = ([v for v in column if v is not None] for column in columns)
        totals = [sum(wall), sum(processor) if processor else None, max(memory, default=None)]
        rows.append([*group, len(jobs), *("" if v is None else f"{v:.2f}" for v in totals)])
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([RESOURCES, *rows])


def time_span(measured):
    """Return when the first job started and the last one ended."""
    starts = [ended - (number(row["s"]) or 0) for _, ended, row in measured]
    ends = [ended for _, ended, _ in measured]
    now = datetime.now(UTC).timestamp()
    return {
        "started": in_words(min(starts, default=now)),
        "ended": in_words(max(ends, default=now)),
    }


def in_words(seconds):
    """Return a time as ISO 8601, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def git_state(folder, results):
    """Return the commit of a repository and what differs from it, results aside; None for none."""
    try:
        if git(folder, "rev-parse", "--show-prefix").strip():  # within another one
            return None
        commit = git(folder, "rev-parse", "HEAD")
        inside = results.resolve().is_relative_to(folder)
        aside = [f":(exclude){results.resolve().relative_to(folder)}"] if inside else []
        changed = git(folder, "status", "--porcelain", "--", ".", *aside)
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"commit": commit.strip(), "dirty": bool(changed), "changed": changed.splitlines()}


def git(folder, *arguments):
    """Return what a git command prints in a folder."""
    command = ["git", "-C", folder, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout


def describe_machine():
    """Return the machine that this job runs on."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "system": platform.platform(),
        "cpu_model": cpu_model(),
        "cpu_instructions": cpu_instructions(),
        "cpu_flags": from_cpuinfo("flags"),
        "cpu_count": os.cpu_count(),
        "memory_mb": pages // 2**20,
    }


def list_machines(runs):
    """Return what trained: environment, interpreter and processor, each combination once."""
    with runs.open(encoding="utf-8", newline="") as stream:
        combinations = {tuple(row[key] for key in MACHINE): None for row in csv.DictReader(stream)}
    return [dict(zip(MACHINE, values, strict=True)) for values in combinations]


def describe_environment(packages, lock):
    """Return an environment's interpreter, number of packages, and files with their hashes."""
    with packages.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    versions = {(row["manager"], row["name"]): row["version"] for row in rows}
    return {
        "python": versions.get(("conda", "python")),
        "packages": len(rows),
        "list": {"file": str(packages), "sha256": hash_file(packages)},
        "lock": {"file": str(lock), "sha256": hash_file(lock)},
    }


def hash_file(path):
    """Return a file's SHA-256, as hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
