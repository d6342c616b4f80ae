"""Locks between processes, on one machine or several that share a file system.

A lock is a file that is locked as long as its process lives: the kernel frees a lock whatever ends
its holder. The file says who the holder is. Where a file system knows no locks, none is held.
Standard library only: set-up locks, too.
"""

import atexit
import errno
import fcntl
import os
import socket
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TextIO

# In a folder of environments: held while some are made or removed, and by each run that uses them.
MAKING = ".making.lock"
USING = ".used-by-"
PATIENCE = 3  # seconds that a process waits without a word
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # what such a file system answers


class Busy(Exception):
    """Another process holds a lock; the text names the process."""


class Lock:
    """A file that this process alone holds, until `release` or its end."""

    def __init__(self, path: Path, purpose: str, wait: bool = True) -> None:
        """Take the lock; `purpose` is what others are told that this process does.

        A process that has to wait says for whom, on stderr. Raises Busy instead without `wait`.
        """
        self.path = Path(path)
        self.held = True
        begin = time.monotonic()
        while True:
            self.stream = open_to_write(self.path)
            try:
                while not try_to_lock(self.stream):
                    if not wait:
                        self.stream.close()
                        raise Busy(read_holder(self.path))
                    if time.monotonic() - begin > PATIENCE:
                        print(f"Waiting for {read_holder(self.path)}.", file=sys.stderr, flush=True)
                        fcntl.flock(self.stream, fcntl.LOCK_EX)
                    time.sleep(0.1)
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
                self.held = False
            if is_at(self.stream, self.path):
                break
            self.stream.close()  # the former holder has removed the file meanwhile: begin again
        if self.held:
            self.stream.truncate(0)
            self.stream.write(describe_this_process(purpose))
            self.stream.flush()
        atexit.register(self.release)

    def release(self) -> None:
        """Remove the file and free the lock, once; others may take it from then on."""
        atexit.unregister(self.release)
        if self.held and not self.stream.closed:
            self.path.unlink(missing_ok=True)
            self.stream.close()

    def __enter__(self) -> "Lock":
        """Return the lock, which has been taken."""
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the lock."""
        self.release()


def find_holders(pattern: Path) -> list[str]:
    """Return who holds locks whose files match a pattern; files that nobody holds are removed."""
    holders = []
    for path in sorted(pattern.parent.glob(pattern.name)):
        try:
            lock = Lock(path, "looks whether it is held", wait=False)
            lock.release()
            holders += [] if lock.held else [read_holder(path)]  # nobody can know
        except Busy as holder:
            holders.append(str(holder))
    return holders


def own_name(prefix: str) -> str:
    """Return the name of a lock that only this process takes: machine and number in it."""
    return f"{prefix}{socket.gethostname()}-{os.getpid()}.lock"


def try_to_lock(stream: TextIO) -> bool:
    """Lock a file unless another process has; tell whether it is locked by this one."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_to_write(path: Path) -> TextIO:
    """Open a file, which is made if it is missing: NFS refuses to lock what is only read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    return os.fdopen(handle, "r+", encoding="utf-8")


def is_at(stream: TextIO, path: Path) -> bool:
    """Tell whether a file that is open is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


def read_holder(path: Path) -> str:
    """Return who holds a lock, as its file says."""
    try:
        return path.read_text(encoding="utf-8") or "a process that has just begun"
    except OSError:
        return "a process that has just ended"


def describe_this_process(purpose: str) -> str:
    """Return this process in words: number, machine, purpose and time."""
    clock = time.strftime("%Y-%m-%d %H:%M")
    return f"process {os.getpid()} on {socket.gethostname()}, which {purpose} since {clock}"
