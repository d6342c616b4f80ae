"""Several runs of Snakemake at once, one that is killed, and one that is told to end.

A run holds a lock in `.snakemake` as long as it lives. Its jobs are told where (BNYESNO_RUN): each
ends when it can take the lock, however the run ended and on whatever machine
(train/end_with_run.py).
"""

import os
import shlex
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

from train.end_with_run import RUN, TOUCHED, has_ended

from deploy.locking import MAKING, USING, Lock, find_holders, own_name

RUNS = ".run-"
STATE = Path(".snakemake")
LITTLE = 2**20  # bytes
EMPTY_LOG = ": empty file"  # as Snakemake says it of the log of a job that has failed
ended = False  # whether a signal has ended this run
locks: list[Lock] = []  # of this process: of its run, and of the making of environments


def prepare(environments: Path | None, files: Iterable[Path]) -> list[Lock]:
    """Take the locks of a run before Snakemake plans: of this run, and of a folder of environments.

    A run that is under way is named; what Snakemake has locked is unlocked if its run was killed.
    Until this process ends, no environment is removed from the folder; if one of `files` has not
    been made, no other run makes any until `begin`. Without conda, `environments` is None.
    """
    if locks:  # as a module, the workflow may be there twice
        return []
    mine = f"{RUNS}{socket.gethostname()}-"  # whether a run on another machine lives is its matter
    known = list(STATE.glob(f"{mine}*"))
    purpose = f"runs the workflow in {Path.cwd()}"
    running = find_holders(STATE / f"{mine}*")
    for holder in running:
        print(
            f"Here runs {holder}. Where both make the same files, Snakemake refuses this run: "
            "wait for that one or end it (kill and its number), and unlock nothing.",
            file=sys.stderr,
        )
    if known and not running:
        print("A run was killed here: what it had locked is unlocked.", file=sys.stderr)
        for lock in (STATE / "locks").glob("*.lock"):
            lock.unlink(missing_ok=True)
    locks.append(Lock(STATE / own_name(RUNS), purpose))
    if environments and (not environments.exists() or os.access(environments, os.W_OK)):
        making = Lock(environments / MAKING, f"makes environments for {Path.cwd()}")
        users = find_holders(environments / f"{USING}*")  # removes what killed runs have left
        Lock(environments / own_name(USING), purpose)
        flags = [flag for flag in environments.glob("*.env_setup_done") if stands(flag, users)]
        made = {copy.read_bytes() for flag in flags if (copy := flag.with_suffix(".yaml")).exists()}
        if all(file.read_bytes() in made for file in files):
            making.release()
        else:
            locks.append(making)
    return locks


def stands(flag: Path, users: list[str]) -> bool:
    """Tell whether an environment is there whose flag says so; if not, remove the flag.

    `snakemake --conda-cleanup-envs` leaves flags behind. An environment whose Python has left this
    machine is made again, unless others use it, on another machine perhaps.
    """
    prefix = flag.with_suffix("")
    python = prefix / "bin/python"
    gone = not prefix.exists() or (python.is_symlink() and not python.exists() and not users)
    if gone:
        flag.unlink(missing_ok=True)
    return not gone


def begin(lock: Lock, *making: Lock) -> None:
    """Begin to run jobs, with environments made: jobs end with this process, a signal ends all."""
    for each in making:
        each.release()
    if lock.held:
        os.environ[RUN] = str(lock.path.absolute())
        touch(lock.path.absolute())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


def finish() -> None:
    """Let this process end now: Snakemake waits a second after each job, to start more of them."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()


def end(_number: int, _frame: FrameType | None) -> None:
    """End what runs on this machine, then have Snakemake cancel its jobs and say how to go on."""
    import psutil  # Snakemake brings it; jobs do without

    global ended
    ended = True
    for child in psutil.Process().children(recursive=True):
        child.terminate()
    raise KeyboardInterrupt


def how_to_go_on(arguments: list[str], results: str, logs: Iterable[str]) -> str:
    """Return what is said at the end of a run that has not done everything.

    Where a job has failed, Snakemake has said which, also in its `logs`; the same again would fail
    again. Where the log of the job is empty, the disk may be full, or the system has ended the job.
    """
    if not ended:
        folders = [results, str(STATE), os.environ.get("TMPDIR", "/tmp")]
        full = [f for f in folders if Path(f).exists() and shutil.disk_usage(f).free < LITTLE]
        space = f"Almost no space is left in {', '.join(full)}. " if full else ""
        killed = "A job whose log is empty was ended by the system, for lack of memory say. "
        there = [log for log in map(Path, logs) if log.is_file()]
        empty = not full and any(EMPTY_LOG in log.read_text(errors="replace") for log in there)
        kept = "What is done is kept: once the cause is mended, the next run goes on from there."
        return space + killed * empty + kept
    command = shlex.join(["snakemake", *arguments])
    told = "This run was told to end, and its jobs have ended. What is done is kept."
    return f"{told} To go on, the same again:\n  {command}"


def touch(path: Path) -> None:
    """Touch a lock now and again, for machines that do not see who holds the lock."""
    if path.exists():
        os.utime(path)
        timer = threading.Timer(TOUCHED, touch, [path])
        timer.daemon = True
        timer.start()


def belongs_to_an_ended_run() -> bool:
    """Tell whether this process is a job of a run that has ended; a cluster may start it later."""
    return RUN in os.environ and has_ended(os.environ[RUN])
