"""The commands that docs/cluster.md shows for Grid Engine, on a real one: what goes wrong.

The chunks sleep (toy.smk). They run with profiles/cluster and the page's commands in its `queue`.
"""

import re
import shutil
import signal

import pytest
from debian import Unavailable
from grid_engine import DAEMONS, PACKAGES, GridEngine, succeed
from repository import ROOT, skip_or_fail
from slurm import install, run
from submission import finishes, first_job, once, starts
from waiting import wait_until

DELETED, TOO_LONG, TOO_LARGE, UNHARMED = "1", "2", "3", "4"
WAITING, RUNNING = ("qstat", "-s", "p"), ("qstat", "-s", "r")
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def cluster():
    """A running Grid Engine. Skips where there can be none, fails in continuous integration."""
    try:
        install(PACKAGES, DAEMONS)
    except Unavailable as reason:
        skip_or_fail(f"no Grid Engine: {reason}")
    with GridEngine() as running:
        yield running


@pytest.fixture(scope="module")
def chunks(toy, tmp_path_factory):
    """Start the workflow in toy.smk with the commands that the page shows."""

    def chunks(**config):
        folder = tmp_path_factory.mktemp("toy")
        shutil.copytree(ROOT / "profiles", folder / "profiles")
        queue = folder / "profiles/cluster/queue"
        queue.write_text(with_commands_of_the_page(queue.read_text()))
        return toy(folder=folder, profile=folder / "profiles/cluster", **config)

    return chunks


@pytest.fixture(scope="module")
def failing(chunks):
    """A run whose first three chunks fail at their first attempt, each in its own way."""
    fails = {DELETED: "hang", TOO_LONG: "overrun", TOO_LARGE: "reserve"}
    running = chunks(chunks=4, **{f"chunk{number}": how for number, how in fails.items()})
    running.wait_for("start", 4)
    succeed("qdel", first_job(running, DELETED))
    return running


@pytest.fixture
def closed_queue(cluster):
    """A queue that starts no job until the returned function is called."""
    succeed("qmod", "-d", "main.q")
    yield lambda: succeed("qmod", "-e", "main.q")
    succeed("qmod", "-e", "main.q")


def with_commands_of_the_page(queue):
    """Return profiles/cluster/queue with the commands for Grid Engine in docs/cluster.md."""
    page = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
    (commands,) = re.findall(r"For Grid Engine .*?```sh\n(.*?)```", page, re.DOTALL)
    return queue[: queue.index("case $1 in")] + f"case $1 in\n{commands}esac\n"


def accounted(job):
    """Return what the accounting file says of a job, {"failed": number, "exit_status": ...}."""
    lines = map(str.split, run("qacct", "-j", job).splitlines())
    return {line[0]: line[1] for line in lines if len(line) > 1}


def submitted(running):
    """Wait until a run has a job in the queue; return the job's id."""
    wait_until(running.job_ids, f"a job in the queue ({running.log})")
    return running.job_ids()[0]


@pytest.mark.parametrize(
    ("chunk", "failed", "exit_status"),
    [(DELETED, {"100"}, "137"), (TOO_LONG, {"37", "100"}, "137"), (TOO_LARGE, {"0"}, "1")],
)
def test_failed_job_is_tried_again(failing, chunk, failed, exit_status):
    """Deleted, too long, too large: the second attempt, with more time and memory, succeeds."""
    assert failing.finish() == 0, failing.log.read_text()
    assert starts(failing)[chunk] == 2
    assert finishes(failing) == once(4)
    said = accounted(first_job(failing, chunk))
    assert said["failed"] in failed
    assert said["exit_status"] == exit_status
    assert starts(failing)[UNHARMED] == 1


def test_job_deleted_before_it_started(chunks, closed_queue):
    """It is not in the accounting file, and yet submitted again."""
    running = chunks(chunks=1)
    job = submitted(running)
    succeed("qdel", job)
    closed_queue()
    assert running.finish() == 0, running.log.read_text()
    assert not accounted(job)
    assert len(running.job_ids()) == 2
    assert starts(running) == finishes(running) == once(1)


def test_job_in_error_state(chunks, closed_queue):
    """A job that cannot start (here: cannot write its log) is deleted, and submitted again."""
    running = chunks(chunks=1)
    job = submitted(running)
    succeed("qalter", "-o", running.folder / "missing/log", job)
    closed_queue()
    assert running.finish() == 0, running.log.read_text()
    assert accounted(job)["failed"] == "26"  # opening input/output file
    assert len(running.job_ids()) == 2
    assert starts(running) == finishes(running) == once(1)


def test_lost_host(cluster, chunks):
    """The chunk of a host that crashes is submitted again when the host is back."""
    running = chunks(chunks=1, chunk1="hang")
    running.wait_for("start", 1)
    cluster.kill(cluster.host)
    cluster.start(cluster.host)
    assert running.finish() == 0, running.log.read_text()
    assert starts(running) == {"1": 2}
    assert finishes(running) == once(1)


def test_controller_down_for_a_while(cluster, chunks):
    """Nothing is lost or repeated while nobody answers."""
    running = chunks(chunks=2, held=True)
    running.wait_for("start", 2)
    cluster.kill("controller", signal.SIGTERM)
    running.wait_for_questions(2)
    running.release()
    assert running.process.poll() is None
    cluster.start("controller")
    assert running.finish() == 0, running.log.read_text()
    assert starts(running) == finishes(running) == once(2)


def test_interrupted_snakemake_deletes_its_jobs(chunks):
    """Ctrl-C: what runs and what waits."""
    running = chunks(chunks=6, held=True)
    running.wait_for("start", 4)
    wait_until(lambda: len(running.job_ids()) == 6, f"six jobs in the queue ({running.log})")
    assert run(*RUNNING) and run(*WAITING)
    running.interrupt()
    assert running.finish() == 1
    wait_until(lambda: not run(*RUNNING) and not run(*WAITING), "the queue to be empty")
    assert not finishes(running)
