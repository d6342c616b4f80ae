"""A job ends with the run of Snakemake that started it. Python 3.7, standard library.

A run that is killed leaves its jobs, here and on a cluster, and a next run would train the same
again beside them. A run holds a lock as long as it lives (deploy/at_once.py, which also names the
lock); who can take the lock knows that the run has ended. Some file systems keep locks to
one machine: on another one, the run also has to have stopped touching its lock.
"""

import fcntl
import os
import socket
import sys
import threading
import time

RUN = "BNYESNO_RUN"  # in the environment of a job: the lock of its run
TOUCHED = 20  # seconds after which a run touches its lock again


def end_with_run():
    """End this process, without writing, as soon as its run has ended.

    Does nothing where no run has started it.
    """
    if os.environ.get(RUN):
        threading.Thread(target=wait_and_end, args=(os.environ[RUN],), daemon=True).start()


def wait_and_end(lock):
    """Wait for the end of a run; then end at once, also in the middle of a call."""
    while not has_ended(lock, wait=True):
        time.sleep(TOUCHED)
    sys.stderr.write("The run of this job has ended (Snakemake's): nothing is written.\n")
    sys.stderr.flush()
    os._exit(1)


def has_ended(lock, wait=False):
    """Tell whether the run with this lock has ended; with `wait`, wait for that where one can."""
    try:
        touched = time_of(lock, fcntl.LOCK_SH if wait else fcntl.LOCK_SH | fcntl.LOCK_NB)
        if "-{}-".format(socket.gethostname()) in os.path.basename(lock):
            return True
        for _ in range(3 * TOUCHED):
            time.sleep(1)
            if time_of(lock) != touched:
                return False
        return True
    except FileNotFoundError:
        return True
    except OSError:  # the run holds the lock
        return False


def time_of(file, lock=fcntl.LOCK_UN):
    """Return when a file was changed; it is opened for that, since NFS then asks its server."""
    with open(file) as stream:
        fcntl.flock(stream, lock)
        return os.fstat(stream.fileno()).st_mtime
