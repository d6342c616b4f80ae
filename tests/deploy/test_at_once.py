"""A run that is killed or told to end leaves no job and no lock; a second run is told of the first.

The job trains nothing, in no environment: it waits, and ends with its run as any job does.
"""

import os
import signal
import subprocess
import threading

import psutil
import pytest
from deploy import at_once
from repository import ACTIVATE, ROOT
from train import end_with_run
from waiting import HANGS, wait_until

TOY = ROOT / "tests/cluster/toy.smk"


@pytest.fixture
def start(tmp_path):
    """Start Snakemake in a folder; return the process, whose output goes to the file `log`."""
    started = []

    def start(log, *config):
        command = ["snakemake", "--snakefile", TOY, "--cores", 2, "--rerun-incomplete"]
        command += ["--config", "chunks=2", *config]
        with (tmp_path / log).open("w") as output:
            process = subprocess.Popen(
                ["bash", "-c", f"{ACTIVATE}", ROOT, *map(str, command)],
                cwd=tmp_path,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        for left in [*below(process), process]:
            left.kill()
        process.wait()


def below(process):
    """Return the processes that a process has started, and those that they have."""
    return psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []


def name_of(process):
    """Return the name of a process, nothing if it has ended meanwhile."""
    return process.name() if process.is_running() else ""


def written(file, text):
    """Tell whether a text is in a file, which may not be there yet."""
    return file.exists() and text in file.read_text()


def wait_for_training(run, folder):
    """Wait until the job of a run waits, and the other one is done; return the job's processes."""
    history = folder / "history.txt"
    wait_until(lambda: run.poll() is not None or written(history, "finish 2"), "the other job")
    wait_until(lambda: run.poll() is not None or "python" in map(name_of, below(run)), "the job")
    assert run.poll() is None
    return below(run)


def test_runs_that_are_ended(start, tmp_path):
    """Ended in each way, and started again each time; a second run beside the first is told."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        run = start(f"{number}.log", "chunk1=train")
        jobs = wait_for_training(run, tmp_path)
        if number == signal.SIGINT:
            assert start("beside.log").wait(timeout=HANGS) == 1
            told = (tmp_path / "beside.log").read_text()
            assert f"Here runs process {run.pid} on " in told
            assert "unlock nothing" in told
            assert run.poll() is None
        run.send_signal(number)
        run.wait(timeout=HANGS)
        psutil.wait_procs(jobs, timeout=HANGS)
        assert not any(job.is_running() for job in jobs)
        assert not (tmp_path / "chunk1.txt").exists()

    assert start("last.log").wait(timeout=HANGS) == 0, (tmp_path / "last.log").read_text()
    assert (tmp_path / "history.txt").read_text().count("finish") == 2
    interrupted, terminated, killed, last = (
        (tmp_path / f"{log}.log").read_text()
        for log in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, "last")
    )
    to_go_on = "To go on, the same again:\n  snakemake "
    assert [to_go_on in log for log in (interrupted, terminated, killed)] == [True, True, False]
    was_killed = "A run was killed here"
    assert [was_killed in log for log in (terminated, killed, last)] == [False, False, True]
    assert not list((tmp_path / ".snakemake").glob(".run-*"))


def test_job_that_starts_after_its_run_has_ended(start, tmp_path, monkeypatch):
    """As a cluster may start it: it does nothing, not even remove what is there."""
    monkeypatch.setenv("BNYESNO_RUN", str(tmp_path / ".run-gone.lock"))
    command = ["snakemake", "--snakefile", TOY, "--cores", 1, "--mode", "remote"]
    command += ["--nolock", "--config", "chunks=1"]
    done = subprocess.run(
        ["bash", "-c", ACTIVATE, ROOT, *map(str, command)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "belongs to a run of Snakemake that has ended" in done.stdout + done.stderr
    assert not (tmp_path / "chunk1.txt").exists()


@pytest.mark.parametrize("touched", [True, False])
def test_lock_that_another_machine_does_not_see(monkeypatch, tmp_path, touched):
    """A job there can take it: whether the run lives is what its touching says, at once."""
    lock = tmp_path / ".run-elsewhere-1.lock"
    lock.touch()
    slept = []

    def sleep(_):
        slept.append(None)
        if touched and len(slept) == 3:
            os.utime(lock, (1, 1))

    monkeypatch.setattr(end_with_run.time, "sleep", sleep)
    assert end_with_run.has_ended(str(lock)) is not touched
    assert len(slept) == (3 if touched else 3 * end_with_run.TOUCHED)


def test_killed_run_with_the_number_of_this_one(monkeypatch, tmp_path, capsys):
    """In containers each run may have the same number."""
    monkeypatch.setattr(at_once, "STATE", tmp_path)
    monkeypatch.setattr(at_once, "locks", [])
    (tmp_path / at_once.own_name(at_once.RUNS)).touch()
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/0.output.lock").touch()
    (lock,) = at_once.prepare(None, [])
    assert "A run was killed here" in capsys.readouterr().err
    assert list((tmp_path / "locks").iterdir()) == []
    assert at_once.prepare(None, []) == []  # once more, as a module
    lock.release()


@pytest.mark.parametrize("users", [[], ["process 1 on another machine"]])
def test_flag_of_an_environment_that_is_not_whole(tmp_path, users):
    """Its folder has gone, or the Python of which it is made; others may have that Python."""
    (tmp_path / "here/bin").mkdir(parents=True)
    (tmp_path / "here/bin/python").touch()
    (tmp_path / "linked/bin").mkdir(parents=True)
    (tmp_path / "linked/bin/python").symlink_to("/nowhere/python3.7")
    (tmp_path / "without").mkdir()  # of another workflow, which needs no Python
    flags = [tmp_path / f"{name}.env_setup_done" for name in ("here", "linked", "without", "gone")]
    for flag in flags:
        flag.touch()
    stand = [at_once.stands(flag, users) for flag in flags]
    assert stand == [True, bool(users), True, False]
    assert [flag.exists() for flag in flags] == stand


def test_full_disk_is_told_where_a_log_is_empty(monkeypatch, tmp_path):
    log = tmp_path / "snakemake.log"
    log.write_text("Logfile results/logs/train.log:\n")
    told = [at_once.how_to_go_on([], str(tmp_path), [str(log)])]
    log.write_text("Logfile results/logs/train.log: empty file\n")
    told.append(at_once.how_to_go_on([], str(tmp_path), [str(log)]))
    monkeypatch.setattr(at_once, "LITTLE", 10**18)
    told.append(at_once.how_to_go_on([], str(tmp_path), [str(log)]))
    assert [("memory" in one, f"space is left in {tmp_path}, " in one) for one in told] == [
        (False, False),
        (True, False),
        (False, True),
    ]


def test_the_end_of_a_run_waits_for_no_timer_of_snakemakes():
    timer = threading.Timer(3600, lambda: None)
    timer.daemon = True
    timer.start()
    at_once.finish()
    assert timer.finished.is_set()
