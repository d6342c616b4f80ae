"""Running Snakemake on a cluster, and what its chunks did."""

import os
import re
import shutil
import signal
import subprocess
from collections import Counter

from repository import ACTIVATE, ROOT
from slurm import DIES_WITH_PARENT, OWN_NAMESPACE, first_child, run
from waiting import wait_until

# This cluster answers at once. The executor for Slurm waits ten seconds more with each question, so
# it asks after 4, 18 and 42 s: most jobs have ended before the second question.
IMPATIENT = (
    *("--slurm-init-seconds-before-status-checks", "4"),
    *("--max-status-checks-per-second", "1"),
    *("--latency-wait", "5"),
)
ALONE = (*DIES_WITH_PARENT, *OWN_NAMESPACE)
SACCT = ROOT / "profiles/slurm/bin"


class Run:
    """One Snakemake process; it ends with this one, and all that it started here with it."""

    def __init__(self, folder, *arguments, cancel="scancel", ask="squeue"):
        """Start it; what it prints goes to the file run.log in the folder.

        `cancel` is the command of the queue that cancels a job, `ask` the one that tells its state.
        """
        self.folder = folder
        self.cancel = cancel
        self.log = folder / "run.log"
        self._count_questions(ask)
        environment = {key: value for key, value in os.environ.items() if key != "SLURM_CONF"}
        command = f'PATH="{SACCT}:{folder}/bin:$PATH"; {ACTIVATE}'
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*ALONE, "bash", "-c", command, ROOT, "snakemake", *map(str, arguments)],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _count_questions(self, ask):
        """Put a command before the queue's own that notes each call and passes it on."""
        script = self.folder / "bin" / ask
        script.parent.mkdir(exist_ok=True)
        noted = f"echo asked >> '{self.folder}/asked.txt'"
        script.write_text(f"#!/bin/sh\n{noted}\nexec '{shutil.which(ask)}' \"$@\"\n")
        script.chmod(0o755)

    def questions(self):
        """Return how often Snakemake has asked for the state of its jobs."""
        file = self.folder / "asked.txt"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def wait_for_questions(self, count):
        """Wait until Snakemake has asked so many times more for the state of its jobs."""
        wanted = self.questions() + count
        wait_until(
            lambda: self.questions() >= wanted, f"{count} more questions to the queue ({self.log})"
        )

    def finish(self):
        """Wait for its end; return its exit code."""
        return self.process.wait()

    def kill(self, cancel=True):
        """Kill it with -9, and cancel what it left in the queue, as a user would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            if cancel:
                run(self.cancel, *self.job_ids())

    def release(self):
        """Let the chunks that are held go on."""
        (self.folder / "go").touch()

    def interrupt(self):
        """Press Ctrl-C."""
        os.kill(first_child(self.process), signal.SIGINT)

    def job_ids(self):
        """Return the ids, in the queue, of all jobs that it has submitted."""
        return re.findall(r"with (?:SLURM|external) jobid '?(\d+)", self.log.read_text())

    def history(self, word):
        """Return what the chunks noted: [chunk, node, job's id] for "start", else [chunk]."""
        file = self.folder / "history.txt"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split()[1:] for line in lines if line.startswith(f"{word} ")]

    def wait_for(self, word, count):
        """Wait until so many chunks have noted the word."""
        what = f"{count} chunks to {word} (see {self.log})"
        wait_until(lambda: len(self.history(word)) >= count, what)

    def wait_for_log(self, text, count=1):
        """Wait until Snakemake has printed a text so many times."""
        wait_until(lambda: self.log.read_text().count(text) >= count, f"{text!r} in {self.log}")


def first_job(running, chunk):
    """Return the id, in the queue, of a chunk's first job."""
    return next(job for number, _, job in running.history("start") if number == chunk)


def starts(running):
    """Return {chunk: number of times that it was started}."""
    return Counter(number for number, *_ in running.history("start"))


def finishes(running):
    """Return {chunk: number of times that it got to its end}."""
    return Counter(number for (number,) in running.history("finish"))


def once(chunks):
    """Return {"1": 1, "2": 1, ...}."""
    return {str(number): 1 for number in range(1, chunks + 1)}
