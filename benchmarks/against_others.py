"""The same commands by a shell loop, by GNU make, by DVC and by this workflow: seconds and CPU.

    make benchmark                         five times each, interleaved; needs the environments
    make benchmark options='--repeats 1'

The pipeline is the published runs, their tables, and two figures that need nothing else. The
commands are those of Snakemake's jobs, with the same inputs and outputs for make and DVC; each tool
has a clone of the committed state. DVC is installed for the occasion. The table is printed, and
docs/scaling.md has it from then on. Cases, one after the other:

runs       nothing is there: all published runs
seed       another seed is added
nothing    the same again
figures    the figures alone, drawn again
"""

import argparse
import os
import re
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import yaml

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS.parent / "workflow")]

from repository import ROOT, ask_snakemake, run_driver  # noqa: E402
from train.run import cpu_model, from_cpuinfo  # noqa: E402

PAGE = ROOT / "docs/scaling.md"
MARK = "<!-- benchmarks/against_others.py writes this table -->\n\n"
TABLE = re.compile(rf"(?<={MARK})[^|]*\|.*?(?=\n\n)", re.DOTALL)

FIGURES = [f"results/figures/{name}.svg" for name in ("val_loss", "weight_sums")]
SEED = 11  # the one that is added
CASES = ["runs", "seed", "nothing", "figures"]
SAME = ("nothing", "shell loop")
DVC = "dvc==3.67.1"


def ordered(jobs):
    """Return jobs such that each follows those that make its inputs."""
    made, left, result = {path for job in jobs for path in job["output"]}, list(jobs), []
    while left:
        ready = [job for job in left if not made & set(job["input"])]
        made -= {path for job in ready for path in job["output"]}
        left = [job for job in left if job not in ready]
        result += ready
    return result


def list_jobs(folder, config):
    """Return the jobs of a configuration, in order; every clone has the same ones."""
    write_config(folder, config)
    return ordered(ask_snakemake(folder, *FIGURES)["jobs"])


def write_config(folder, config):
    """Write the configuration of a clone."""
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def write_scripts(folder, environments, jobs):
    """Write a script for each of the jobs, and say in each job where."""
    for job in jobs:
        place = job["output"][0]
        job["script"] = Path("scripts", place.replace("/", "-") + ".sh")
        (folder / "scripts").mkdir(exist_ok=True)
        folders = {str(Path(path).parent) for path in (*job["output"], *job["log"])}
        programs = shlex.quote(f"{environments[job['conda']]}/bin")
        path = f'export PATH={programs}:"$PATH"'
        text = f"mkdir -p {shlex.join(folders)}\n{path}\n{job['shell']}\n"
        (folder / job["script"]).write_text(text)


def loop(folder, jobs, case):
    """A user's script: trainings side by side, then the rest; it knows no state."""
    wanted = [job for job in jobs if case != "figures" or job["output"][0] in FIGURES]
    first = [str(job["script"]) for job in wanted if job["rule"] == "train_runs"]
    rest = [f"bash {job['script']}" for job in wanted if job["rule"] != "train_runs"]
    side_by_side = f"printf '%s\\n' {shlex.join(first)} | xargs -n 1 -P {CORES} bash"
    return " && ".join([side_by_side, *rest] if first else rest)


def make(folder, jobs, case):
    """GNU make with a rule for each job."""
    rules = [
        f"{' '.join(job['output'])} &: {' '.join(job['input'])}\n\t@bash {job['script']}\n"
        for job in jobs
    ]
    (folder / "pipeline.mk").write_text(f"all: {' '.join(FIGURES)}\n" + "\n".join(rules))
    touched = f"rm {' '.join(FIGURES)} && " if case == "figures" else ""
    return f"{touched}make -s -f pipeline.mk -j {CORES} all"


def dvc(folder, jobs, case):
    """DVC with a stage for each job, outputs in its cache, as by default."""
    stages = {
        job["script"].stem.replace(".", "-"): {
            **{"cmd": f"bash {job['script']}", "deps": job["input"], "outs": job["output"]},
        }
        for job in jobs
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    if not (folder / ".dvc").exists():
        subprocess.run([DVC_COMMAND, "init", "--no-scm", "--quiet"], cwd=folder, check=True)
    alone = [name for name, stage in stages.items() if stage["outs"][0] in FIGURES]
    return f"{DVC_COMMAND} repro --quiet" + (
        f" --force --single-item {shlex.join(alone)}" if case == "figures" else ""
    )


def workflow(folder, jobs, case):
    """This workflow: the same jobs."""
    forced = " --forcerun render_figure" if case == "figures" else ""
    activate, prefix = (
        shlex.quote(f"{ROOT}/{path}") for path in (".driver/bin/activate", ".snakemake/conda")
    )
    command = f"snakemake --use-conda --conda-prefix {prefix} --cores {CORES}"
    return f". {activate} && {command} --quiet{forced} -- {' '.join(FIGURES)}"


TOOLS = {"shell loop": loop, "GNU make": make, "DVC": dvc, "this workflow": workflow}


def measure(folder, command):
    """Return (seconds, CPU seconds) of a shell command; stop where it fails."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{command}\n{done.stdout[-3000:]}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def list_environments():
    """Return {name of an environment's file: its folder}, built by the workflow."""
    run_driver("snakemake", "--use-conda", "--conda-create-envs-only", "--cores", 1, check=True)
    listed = run_driver("snakemake", "--list-conda-envs").stdout.splitlines()
    rows = [line.split("\t") for line in listed if line.startswith("envs/")]
    return {Path(file).name: ROOT / place for file, _, place in rows}


def main():
    """Measure each case with each tool, interleaved; print the table and write it into the page."""
    global CORES, DVC_COMMAND
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    CORES, environments, taken = options.cores, list_environments(), {}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as place:
        subprocess.run([sys.executable, "-m", "venv", f"{place}/dvc"], check=True)
        subprocess.run([f"{place}/dvc/bin/pip", "install", "-qq", DVC], check=True)
        DVC_COMMAND = f"{place}/dvc/bin/dvc"
        for tool in TOOLS:
            clone = Path(place, tool.replace(" ", "-"))
            subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        config = yaml.safe_load((clone / "config.yaml").read_text())
        more = config | {"seeds": [*config["seeds"], SEED]}
        jobs_of_runs, jobs_of_more = list_jobs(clone, config), list_jobs(clone, more)
        for _ in range(options.repeats):
            for case in CASES:
                for tool, command_of in TOOLS.items():
                    clone = Path(place, tool.replace(" ", "-"))
                    if case == "runs":
                        for folder in ("results", ".snakemake", ".dvc", "dvc.lock"):
                            subprocess.run(["rm", "-rf", clone / folder], check=True)
                    write_config(clone, config if case == "runs" else more)
                    jobs = jobs_of_runs if case == "runs" else jobs_of_more
                    write_scripts(clone, environments, jobs)
                    command = command_of(clone, jobs, case)
                    # The loop does for the same again what it did for another seed: all of it.
                    known = taken["seed", tool][-1:] if (case, tool) == SAME else []
                    taken.setdefault((case, tool), []).extend(known or [measure(clone, command)])
                    seconds, cpu = taken[case, tool][-1]
                    print(f"{case:8} {tool:14} {seconds:7.1f} s {cpu:7.1f} CPU s", flush=True)
    table = write_table(taken, options.repeats)
    print(f"\n{table}\n\n{PAGE.relative_to(ROOT)} has this table now.")
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(TABLE.sub(lambda _: table, page), encoding="utf-8")


def write_table(taken, repeats):
    """Return what was measured in Markdown: the machine, then medians and ranges."""
    kind = f"family {from_cpuinfo('cpu family')}, model {from_cpuinfo('model')}"
    lines = [
        f"{cpu_model()} ({kind}), {CORES} cores, {date.today()}: medians of {repeats}, in brackets",
        "the least and the most.",
        "",
        "| case | tool | seconds | CPU seconds |",
        "|---|---|---|---|",
    ]
    for (case, tool), rows in taken.items():
        cells = [
            f"{statistics.median(column):.1f} ({min(column):.1f} to {max(column):.1f})"
            for column in zip(*rows, strict=True)
        ]
        lines.append(f"| {case} | {tool} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
