"""How long set-up and the main job take, and what the workflow costs against a plain shell loop.

    python benchmarks/set_up_and_run.py                every case, on the committed state
    python benchmarks/set_up_and_run.py --cases nothing loop --small

Works in a fresh clone with its own, empty caches; reports, asserts nothing. The cases, in order:

cold       `make reproduce` in the fresh clone
page       every number, claim and figure of the page, with environments, without results
built      the same and the seed study: `make reproduce` again, with environments, without results
nothing    `make reproduce` when all is done
figures    `make reproduce` after the figures were deleted
loop       the published runs alone as a shell loop, one process each, as many at a time as cores

Cases that are left out are run all the same where a later one needs them, but not reported.
"""

import argparse
import csv
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from itertools import product
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS.parent / "workflow")]

from plan.configuration import check_config  # noqa: E402
from plan.documents import read_yaml  # noqa: E402
from plan.runs import PUBLISHED, cross, make_plan  # noqa: E402
from repository import ROOT  # noqa: E402

REPORT = ROOT / "results/benchmarks/set_up_and_run.csv"
COLUMNS = ["case", "seconds", "runs", "cores", "load_before", "commit", "date", "note"]
CASES = ["cold", "page", "built", "nothing", "figures", "loop"]
ACTIVATED = ". .driver/bin/activate &&"
PAGE = "collect_tables compare_controls judge_claims render_figures"


def main():
    """Measure the cases asked for; print a line for each and write the table."""
    options = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        bench = Bench(Path(folder), options)
        rows = []
        for case in bench.cases():
            row = bench.measure(case)
            if case in options.cases:
                rows.append(row)
                print(f"{case:<8} {row['seconds']:>8.1f} s   {row['note']}", flush=True)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    with REPORT.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"Written to {REPORT.relative_to(ROOT)}")


def parse_arguments():
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--cores", type=int, default=2, help="jobs at a time (default 2)")
    parser.add_argument("--small", action="store_true", help="the experiment of tests/small.yaml")
    parser.add_argument(
        "--warm-caches", action="store_true", help="use the caches of pip, uv and conda there are"
    )
    return parser.parse_args()


class Bench:
    """A fresh clone, and what is measured in it."""

    def __init__(self, folder, options):
        """Clone the committed state into `folder` and make its experiment as small as asked."""
        self.options = options
        self.clone = folder / "clone"
        subprocess.run(["git", "clone", "--quiet", ROOT, self.clone], check=True)
        self.commit = self.output("git", "rev-parse", "--short", "HEAD")
        if options.small:
            shutil.copy2(ROOT / "tests/small.yaml", self.clone / "config.yaml")
        self.config = check_config(read_yaml(self.clone / "config.yaml"), self.clone)
        self.environ = dict(os.environ)
        if not options.warm_caches:
            caches = {"UV_CACHE_DIR": "uv", "PIP_CACHE_DIR": "pip", "CONDA_PKGS_DIRS": "pkgs"}
            self.environ |= {name: str(folder / cache) for name, cache in caches.items()}
            self.environ["XDG_CACHE_HOME"] = str(folder / "cache")

    def output(self, *command):
        """Return what a command in the clone prints."""
        command = list(map(str, command))
        return subprocess.run(
            command, cwd=self.clone, check=True, capture_output=True, text=True
        ).stdout.strip()

    def cases(self):
        """Return the cases to go through: those asked for and what they stand on."""
        last = max(CASES.index(case) for case in self.options.cases)
        needed = {"cold"} | ({"loop"} if last == CASES.index("loop") else set())
        return [case for case in CASES if case in needed | set(self.options.cases)]

    def measure(self, case):
        """Return the row of the table for a case."""
        prepare = {"page": "results", "built": "results", "figures": "results/figures"}.get(case)
        if prepare:
            shutil.rmtree(self.clone / prepare)
        command, note = self.command(case)
        load = os.getloadavg()[0]
        begin = time.perf_counter()
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.clone,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        seconds = time.perf_counter() - begin
        if done.returncode:
            sys.exit(f"{case}: {command[:200]}\n{done.stdout[-3000:]}")
        if case == "nothing" and "1 of 1 steps (100%) done" not in done.stdout:  # the last word
            sys.exit(f"{case}: there was something to be done\n{done.stdout[-3000:]}")
        return {
            "case": case,
            "seconds": round(seconds, 1),
            "runs": len(self.runs()),
            "cores": self.options.cores,
            "load_before": round(load, 2),
            "commit": self.commit,
            "date": datetime.now().isoformat(timespec="minutes"),
            "note": note,
        }

    def command(self, case):
        """Return (command, note) of a case."""
        cores, runs = self.options.cores, len(self.runs())
        if case == "loop":
            return self.loop()
        if case == "page":
            command = f"{ACTIVATED} snakemake --use-conda --cores {cores} {PAGE}"
            return command, f"{runs} runs, controls, tables, claims and figures"
        note = f"{runs} runs, controls, seed study, tables, claims and figures"
        return f"make reproduce cores={cores}", note

    def runs(self):
        """Return (environment, API, variant, protocol, seed, repeat) of every published run."""
        config = self.config
        return [
            (environment, api, *cell, repeat)
            for environment, entry in config["environments"].items()
            for api in entry["apis"]
            for cell in product(config["variants"], config["protocols"], config["seeds"])
            for repeat in range(1, config["repeats"][api] + 1)
        ]

    def loop(self):
        """Return (command, note) of the loop that a user would otherwise type."""
        pythons = self.pythons()
        script = self.clone / "loop.txt"
        script.write_text("".join(self.train(pythons, *run) + "\n" for run in self.runs()))
        command = f"xargs -P {self.options.cores} -I {{}} sh -c {{}} < {shlex.quote(str(script))}"
        # xargs takes quotes and backslashes out of lines; -d keeps them.
        return command.replace("xargs", "xargs -d '\\n'"), "the same runs only, one process each"

    def pythons(self):
        """Return {environment: interpreter} of the environments in the clone."""
        listed = self.output("bash", "-c", f"{ACTIVATED} snakemake --list-conda-envs 2> /dev/null")
        rows = [line.split("\t") for line in listed.splitlines()[1:]]
        places = {file: self.clone / location / "bin/python" for file, _, location in rows}
        return {name: places[entry["file"]] for name, entry in self.config["environments"].items()}

    def train(self, pythons, environment, api, variant, protocol, seed, repeat):
        """Write the plan of one run; return its command line."""
        process = {"environment": environment, "api": api}
        process["threads"] = self.config["training_threads"]
        runs = cross(PUBLISHED, [variant], [protocol])
        place = f"loop/{environment}/{api}/{variant}/{protocol}/seed{seed}-repeat{repeat}"
        plan = self.clone / f"{place}.json"
        plan.parent.mkdir(parents=True, exist_ok=True)
        plan.write_text(make_plan(self.config, runs, [seed], **process))
        words = [pythons[environment], "-s", "workflow", "train.job"]
        words += ["--experiment", self.config["experiment"]["module"]]
        words += ["--plan", plan, "--output", f"{place}.jsonl"]
        return shlex.join(map(str, words)) + " > /dev/null 2>&1"


if __name__ == "__main__":
    main()
