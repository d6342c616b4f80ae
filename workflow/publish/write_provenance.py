"""Write the provenance of a run: machine, code, configuration, packages, times and memory."""

import argparse
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas
from plan.documents import read_yaml
from train.files import hash_file
from train.run import cpu_instructions, cpu_model, from_cpuinfo

from publish.summary import read_rows

ROOT = Path(__file__).resolve().parents[2]  # the workflow's repository
GROUP = ["rule", "environment", "part"]
# What Snakemake measures, under its names: wall and processor time (s), memory (MB).
MEASURED = {"wall_seconds": "s", "cpu_seconds": "cpu_time", "peak_memory_mb": "max_rss"}
MACHINE = ["environment", "python", "cpu_model", "cpu_instructions"]


def main() -> None:
    """Read configuration, tables, package lists and benchmarks; write run, resources and jobs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the merged configuration")
    parser.add_argument("--runs", type=Path, required=True, help="runs.csv")
    parser.add_argument("--packages", type=Path, nargs="+", required=True, help="package lists")
    parser.add_argument("--locks", type=Path, nargs="+", required=True, help="of each list")
    parser.add_argument("--jobs", type=Path, required=True, help="JSON, from publish.report")
    parser.add_argument("--snakemake", required=True, help="its version")
    parser.add_argument("--output", type=Path, nargs=3, required=True, help="run, resources, jobs")
    options = parser.parse_args()
    config = read_yaml(options.config)
    jobs = [measure(job) for job in json.loads(options.jobs.read_text(encoding="utf-8"))]
    done = [job for job in jobs if job["ended"]]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    run = {
        "started": min((job["started"] for job in done), default=now),
        "ended": max((job["ended"] for job in done), default=now),
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
    described, resources, listed = options.output
    described.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    listed.write_text(json.dumps(jobs, indent=1) + "\n", encoding="utf-8")
    sum_up(done).to_csv(resources, index=False, float_format="%.2f", lineterminator="\n")


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Return a job with its resources, and with its start and its end (ISO 8601, UTC).

    None stands for a number that Snakemake has not measured: the job has not run, or was short.
    """
    path = Path(job.pop("benchmark"))
    measured: dict[str, float | None] = dict.fromkeys(MEASURED)
    started = ended = None
    if path.is_file():
        row = pandas.read_csv(path, sep="\t", na_values=["-"], nrows=1).iloc[0].dropna()
        measured = {name: float(row[key]) if key in row else None for name, key in MEASURED.items()}
        ended = path.stat().st_mtime
        started = ended - (measured["wall_seconds"] or 0)
    times = {"started": started and in_words(started), "ended": ended and in_words(ended)}
    return job | times | measured


def in_words(seconds: float) -> str:
    """Return a time as ISO 8601, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def sum_up(jobs: list[dict[str, Any]]) -> pandas.DataFrame:
    """Return a row per GROUP: jobs, summed wall and processor time, greatest memory of a job."""
    rows = [[job["rule"], *map(job["wildcards"].get, GROUP[1:])] for job in jobs]
    table = pandas.DataFrame(rows, columns=GROUP).fillna("")
    for name in MEASURED:
        table[name] = pandas.to_numeric(pandas.Series([job[name] for job in jobs]))
    groups = table.groupby(GROUP, sort=False)
    sums = groups[["wall_seconds", "cpu_seconds"]].sum(min_count=1)
    largest = groups["peak_memory_mb"].max()
    return pandas.concat([groups.size().rename("jobs"), sums, largest], axis=1).reset_index()


def git_state(folder: Path, results: Path) -> dict[str, Any] | None:
    """Return the commit of a repository and its changed files, without results; None for none."""
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


def git(folder: Path, *arguments: str) -> str:
    """Return what a git command prints in a folder."""
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout


def describe_machine() -> dict[str, Any]:
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


def list_machines(runs: Path) -> list[dict[str, str]]:
    """Return what trained: environment, interpreter and processor, each combination once."""
    table = pandas.read_csv(runs, dtype=str, keep_default_na=False)
    return table[MACHINE].drop_duplicates().to_dict("records")


def describe_environment(packages: Path, lock: Path) -> dict[str, Any]:
    """Return an environment's interpreter, number of packages, and files with their hashes."""
    rows = read_rows(packages)
    pythons = [row["version"] for row in rows if row["name"] == "python"]
    return {
        "python": pythons[0] if pythons else None,
        "packages": len(rows),
        "list": {"file": str(packages), "sha256": hash_file(packages)},
        "lock": {"file": str(lock), "sha256": hash_file(lock)},
    }
