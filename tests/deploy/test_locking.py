"""Locks: one holder at a time, others are told who it is, nothing is left by one that is killed."""

import errno
import fcntl
import os
import subprocess
import sys

import pytest
from deploy import locking
from deploy.locking import Busy, Lock, find_holders
from deployment import DEPLOY
from train.end_with_run import has_ended
from waiting import HANGS

HOLD = """
import sys
from deploy.locking import Lock
lock = Lock(sys.argv[1], "holds it")
print("held", flush=True)
if sys.stdin.readline() == "release":
    lock.release()
"""


@pytest.fixture
def hold(tmp_path):
    """Start a process that takes the lock `tmp_path/lock`, then waits for a line."""
    started = []

    def hold():
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", HOLD, tmp_path / "lock"],
                env=os.environ | {"PYTHONPATH": str(DEPLOY.parent)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield hold
    for process in started:
        process.kill()
        process.communicate()


def test_second_waits_and_says_for_whom(hold):
    first = hold()
    assert first.stdout.readline() == "held\n"
    second = hold()
    line = second.stderr.readline()
    assert line.startswith(f"Waiting for process {first.pid} on ")
    assert ", which holds it since " in line
    first.communicate("release", timeout=HANGS)
    assert second.stdout.readline() == "held\n"


def test_killed_holder_holds_nothing(hold, tmp_path):
    first = hold()
    assert first.stdout.readline() == "held\n"
    with pytest.raises(Busy, match=f"process {first.pid} on .*, which holds it since "):
        Lock(tmp_path / "lock", "", wait=False)
    assert len(find_holders(tmp_path / "lo*")) == 1
    first.kill()
    first.wait()
    assert (tmp_path / "lock").exists()
    assert find_holders(tmp_path / "lo*") == []
    assert list(tmp_path.iterdir()) == []


def test_end_of_a_process_leaves_no_file(hold, tmp_path):
    first = hold()
    assert first.stdout.readline() == "held\n"
    first.communicate("", timeout=HANGS)
    assert list(tmp_path.iterdir()) == []


def test_file_system_without_locks(monkeypatch, tmp_path):
    """Work goes on; nobody is taken for gone."""

    def refuse(*_):
        raise OSError(locking.NO_LOCKS[0], "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    lock = Lock(tmp_path / "lock", "does something")
    assert not lock.held
    assert len(find_holders(tmp_path / "lock")) == 1
    lock.release()


def test_locks_as_on_nfs(monkeypatch, tmp_path):
    """An exclusive lock on what is open for reading only is refused there, as is the opposite."""
    lock_file, refused = fcntl.flock, {fcntl.LOCK_EX: os.O_RDONLY, fcntl.LOCK_SH: os.O_WRONLY}

    def as_on_nfs(stream, how):
        if fcntl.fcntl(stream, fcntl.F_GETFL) & os.O_ACCMODE == refused.get(how & ~fcntl.LOCK_NB):
            raise OSError(errno.EBADF, "Bad file descriptor")
        lock_file(stream, how)

    monkeypatch.setattr(fcntl, "flock", as_on_nfs)
    with Lock(tmp_path / "lock", "does something") as lock:
        assert lock.held
        assert len(find_holders(tmp_path / "lock")) == 1
        assert not has_ended(str(lock.path))
    assert has_ended(str(lock.path))


def test_other_errors_are_not_hidden(monkeypatch, tmp_path):
    def refuse(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="Input/output"):
        Lock(tmp_path / "lock", "does something")
