"""Running Snakemake on the cluster of slurm.py."""

import os
import re
import signal
import subprocess

from repository import ACTIVATE, ROOT
from slurm import DIES_WITH_PARENT, OWN_NAMESPACE, run, wait_until

# This cluster answers at once.
IMPATIENT = (
    *("--slurm-init-seconds-before-status-checks", "2"),
    *("--max-status-checks-per-second", "1"),
    *("--latency-wait", "5"),
)
ALONE = (*DIES_WITH_PARENT, *OWN_NAMESPACE)
SACCT = ROOT / "profiles/slurm/bin"


class Run:
    """One Snakemake process; it ends with this one, and all that it started here with it."""

    def __init__(self, folder, *arguments):
        """Start it; what it prints goes to the file run.log in the folder."""
        self.folder = folder
        self.log = folder / "run.log"
        environment = {key: value for key, value in os.environ.items() if key != "SLURM_CONF"}
        command = f'PATH="{SACCT}:$PATH"; {ACTIVATE}'
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

    def finish(self, seconds):
        """Wait for its end; return its exit code."""
        return self.process.wait(seconds)

    def kill(self):
        """Kill it with -9, and cancel what it left in the queue, as a user would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            run("scancel", *self.slurm_ids())

    def slurm_ids(self):
        """Return the Slurm job ids of all jobs that it has submitted."""
        return re.findall(r"with (?:SLURM|external) jobid '?(\d+)", self.log.read_text())

    def history(self, word):
        """Return what the chunks noted: [chunk, node, Slurm job id] for "start", else [chunk]."""
        file = self.folder / "history.txt"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split()[1:] for line in lines if line.startswith(f"{word} ")]

    def wait_for(self, word, count, seconds=60):
        """Wait until so many chunks have noted the word."""
        what = f"{count} chunks to {word} (see {self.log})"
        wait_until(lambda: len(self.history(word)) >= count, what, seconds)
