"""What Snakemake says while it runs: a line per event at a terminal, and the end of a failed job.

Everywhere else (pipes, files, continuous integration, --quiet, --verbose) Snakemake's own output
is left as it is; so is the log that it keeps under .snakemake/log.
"""

import csv
import json
import logging
import re
import shlex
import time
from functools import partial
from pathlib import Path

from publish.summary import takes_colour

STREAM_HANDLER = "DefaultStreamHandler"  # what Snakemake 9 calls the one for the terminal
TAIL = 15  # lines of a failed job's log
SILENT = ("job_started", "resources_info", "workflow_started", "group_info", "shellcmd")
RED = "\033[31m{}\033[0m"


class Progress(logging.Formatter):
    """Turns Snakemake's events into short lines; what is no event of these keeps its form."""

    def __init__(self, original, count_runs, build_seconds):
        """Stand before Snakemake's formatter.

        `count_runs()` returns {number of a job to do: runs that it trains}, `build_seconds` is
        {environment file: seconds that it takes to build}.
        """
        super().__init__()
        self.original = original
        self.count_runs = count_runs
        self.build_seconds = build_seconds
        self.begin = time.monotonic()
        self.runs = {}
        self.total = self.done = 0

    def format(self, record):
        """Return the line for an event, empty for what a person does not need."""
        try:
            return self.describe(record)
        except (AttributeError, KeyError):  # another release of Snakemake may name things otherwise
            return self.original.format(record)

    def describe(self, record):
        """Return the line for an event that is known, or Snakemake's own text."""
        event = getattr(record, "event", None)
        if event in SILENT:
            return ""
        describe = getattr(self, f"describe_{event}", None)
        if describe:
            return describe(record)
        text = str(record.msg)
        if built := re.match(r"Creating conda environment (\S+)\.\.\.", text):
            return self.at_time(self.describe_build(built[1]))
        if record.levelno == logging.INFO and event is None:
            created = re.match(r"Environment for .*?([^/]+)\.yaml created", text)
            return self.at_time(f"Environment {created[1]} is built") if created else ""
        return self.original.format(record)

    def describe_build(self, file):
        """Return the line that says which environment is built, and how long that takes."""
        usually = self.build_seconds.get(file)
        name = Path(file).stem
        return f"Building environment {name}" + (f", usually {usually} s" if usually else "")

    def describe_run_info(self, record):
        """Return the line that says how much there is to do."""
        self.runs = self.count_runs()
        self.total, self.done = sum(self.runs.values()), 0
        return self.at_time(f"{record.stats['total']} jobs to do, {self.total} runs in them")

    def describe_job_info(self, record):
        """Return the line that says what begins, and how many runs are done."""
        return self.at_time(self.count() + (record.rule_msg or record.rule_name))

    def describe_job_finished(self, record):
        """Count the runs of a job that has ended; the last one is told."""
        runs = self.runs.get(record.job_id, 0)
        self.done += runs
        ended = runs and self.done == self.total
        return self.at_time(f"All {self.total} runs are done") if ended else ""

    def describe_progress(self, record):
        """Say at the end how many jobs there were."""
        return self.at_time(f"{record.done} jobs done") if record.done == record.total else ""

    def describe_job_error(self, record):
        """Say which rule failed; the rest is told at the end (`Failures`)."""
        return self.at_time(f"{record.rule_name} failed")

    def count(self):
        """Return how many runs of how many are done, while there are some to do."""
        if self.done == self.total:
            return ""
        return f"{self.done:>{len(str(self.total))}} of {self.total} runs done: "

    def at_time(self, text):
        """Return a line with minutes and seconds since the start before it."""
        minutes, seconds = divmod(int(time.monotonic() - self.begin), 60)
        return f"[{minutes:>2}:{seconds:02}] {text}"


class LineHandler(logging.StreamHandler):
    """Writes lines that are not empty, errors in red where the terminal takes colours."""

    def emit(self, record):
        """Write an event's line."""
        text = self.format(record)
        if text and text != "None":
            error = record.levelno >= logging.ERROR and takes_colour(self.stream)
            self.stream.write((RED.format(text) if error else text) + self.terminator)
            self.flush()


class Failures(logging.Handler):
    """Remembers the logs of jobs that failed."""

    def __init__(self):
        """Start with none."""
        super().__init__(logging.ERROR)
        self.logs = {}

    def emit(self, record):
        """Keep rule and logs of a failed job."""
        if getattr(record, "event", None) == "job_error":
            for log in record.log or []:
                self.logs[str(log)] = record.rule_name

    def describe(self, arguments):
        """Return the tail of each log, at most three, and the command that goes on from here."""
        parts = []
        for log, rule in list(self.logs.items())[:3]:
            lines = Path(log).read_text(errors="replace").splitlines() if Path(log).exists() else []
            parts.append(f"{rule} failed. The end of {log}:")
            parts += [f"  {line}" for line in lines[-TAIL:]] or ["  (nothing written)"]
            parts.append("")
        parts += ["What is done is kept. To go on:", f"  {shlex.join(['snakemake', *arguments])}"]
        return "\n".join(parts)


def follow(workflow, build_seconds):
    """Show progress at a terminal; return the handler that remembers failures.

    `workflow` is Snakemake's, `build_seconds` a file for `read_build_seconds`. With --quiet,
    --verbose, a dry run or shell commands asked for, Snakemake's output stays as it is.
    """
    from snakemake.logging import logger  # nothing else here needs Snakemake

    settings = workflow.output_settings
    plain = (settings.quiet, settings.verbose, settings.dryrun, settings.printshellcmds)
    for handler in list(logger.handlers):
        if handler.name == STREAM_HANDLER and handler.stream.isatty() and not any(plain):
            lines = LineHandler(handler.stream)
            seconds = read_build_seconds(build_seconds)
            lines.setFormatter(Progress(handler.formatter, partial(count_runs, workflow), seconds))
            lines.filters = handler.filters
            logger.removeHandler(handler)
            logger.addHandler(lines)
    failures = Failures()
    logger.addHandler(failures)
    return failures


def wants_colour(workflow, stream):
    """Tell whether to write in colours: a terminal that takes them, no --quiet, no --nocolor."""
    settings = workflow.output_settings
    return takes_colour(stream) and not settings.quiet and not settings.nocolor


def count_runs(workflow):
    """Return {number of a job to do: runs that it trains}, from the plans (plan/runs.py)."""
    counts = {}
    for job in workflow.dag.needrun_jobs():
        if job.rule.name.startswith("train_"):
            plan = json.loads(job.params.plan)
            repeated = len(plan.get("seeds", [])) * plan.get("repeats", 1)
            counts[workflow.dag.jobid(job)] = len(plan["runs"]) * repeated
    return counts


def read_build_seconds(path):
    """Return {environment file: seconds}, as measured when it was last written down."""
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return {row["file"]: row["seconds"] for row in csv.DictReader(stream)}
