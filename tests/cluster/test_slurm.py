"""The workflow on a real Slurm: a run like a local one, and everything that goes wrong.

For what goes wrong the chunks sleep (toy.smk); profile, executor and cluster are the same.
"""

import signal
import subprocess

import pytest
from repository import ROOT, copy_small
from slurm import run
from submission import IMPATIENT, finishes, first_job, once, starts
from waiting import wait_until

CANCELLED, TOO_LONG, TOO_LARGE = "1", "2", "3"
# Runs, controls, tables, claims and a figure of them.
ALL_STAGES = ("results/tables/claims.csv", "results/figures/published_and_measured.svg")
SHARED_ENVIRONMENTS = ("--conda-prefix", ROOT / ".snakemake/conda")
pytestmark = pytest.mark.slow


def environments():
    """Return when each environment was finished, {name: time}; other tests may build more."""
    flags = (ROOT / ".snakemake/conda").glob("*.env_setup_done")
    return {flag.name: flag.stat().st_mtime_ns for flag in flags}


@pytest.fixture(scope="module")
def built(framework_pythons):
    """When each environment was finished, before anything ran on the cluster."""
    return environments()


@pytest.fixture(scope="module")
def crashed(cluster, toy):
    """A run of two chunks; the controller was down for a while, and meanwhile a node crashed.

    The node stays down: all that is submitted from now on is for the other one.
    """
    own_node = ("--set-resources", "chunk:mem_mb=9000")  # of 16000 that a node has
    running = toy(*own_node, chunks=2, held=True)
    running.wait_for("start", 2)
    cluster.kill("controller", signal.SIGTERM)  # -9 may lose the jobs of the last five seconds
    running.wait_for_questions(2)
    cluster.kill("n1")
    running.release()
    running.wait_for("finish", 1)
    assert running.process.poll() is None
    cluster.start("controller")
    # As the controller does by itself, some time later.
    down = ("scontrol", "update", "NodeName=n1", "State=DOWN", "Reason=crashed")
    wait_until(lambda: subprocess.run(down).returncode == 0, "the controller to answer")
    return running


@pytest.fixture(scope="module")
def equal(start, built, crashed, tmp_path_factory):
    """A run of all stages; the comparison waits in no queue of its own."""
    clone = copy_small(tmp_path_factory.mktemp("equal") / "slurm")
    options = ("--slurm-keep-successful-logs", "--groups", "compare_controls=figure")
    return start(clone, *IMPATIENT, *SHARED_ENVIRONMENTS, *options, "--", *ALL_STAGES)


@pytest.fixture(scope="module")
def failing(equal, toy):
    """A run whose chunks fail at their first attempt, each in its own way."""
    fails = {CANCELLED: "hang", TOO_LONG: "overrun", TOO_LARGE: "fill"}
    running = toy(chunks=3, **{f"chunk{number}": how for number, how in fails.items()})
    wait_until(lambda: len(starts(running)) == 3, f"three chunks to start ({running.log})")
    run("scancel", first_job(running, CANCELLED))
    # A minute is the shortest time that Slurm gives to a job.
    run("scontrol", "update", f"JobId={first_job(running, TOO_LONG)}", "EndTime=now")
    return running


def results(folder):
    """Return {path: bytes} of the tables and figures of a run."""
    files = [*folder.glob("results/tables/*.csv"), *folder.glob("results/figures/*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_there_is_no_network(cluster):
    """Neither on the nodes nor where Snakemake runs: so none of the tests below needs any."""
    for command in ([], ["srun", "--nodelist=n1"], ["srun", "--nodelist=n2"]):
        shown = run(*command, "cat", "/proc/net/dev").splitlines()[2:]
        assert [line.split(":")[0].strip() for line in shown] == ["lo"]


@pytest.mark.usefixtures("failing")  # it and what it uses run meanwhile, to save time
def test_cancelled_job_through_the_commands_of_the_queue(toy):
    """profiles/cluster: submitted, watched, and tried again."""
    # In this test alone: a job that is being asked about is not cancelled by Ctrl-C.
    often = ("--seconds-between-status-checks", "1")
    running = toy(*often, chunks=1, chunk1="hang", profile="profiles/cluster")
    running.wait_for("start", 1)
    run("scancel", first_job(running, "1"))
    assert running.finish() == 0, running.log.read_text()
    assert starts(running) == {"1": 2}
    assert finishes(running) == once(1)


@pytest.mark.usefixtures("failing")
def test_killed_snakemake_resumes(toy):
    """After kill -9 its jobs end by themselves; the next run makes only what was not finished."""
    running = toy(chunks=2, chunk2="train")
    running.wait_for_log("1 of 3 steps")
    running.wait_for("start", 2)
    running.kill(cancel=False)
    job = first_job(running, "2")
    wait_until(
        lambda: job not in run("squeue", "--noheader", "--format=%i").split(), "the job to end"
    )
    assert finishes(running) == once(1)

    resumed = toy(folder=running.folder, chunks=2)
    assert resumed.finish() == 0, resumed.log.read_text()
    assert "A run was killed here" in resumed.log.read_text()
    assert len(list(running.folder.glob("chunk*.txt"))) == 2
    assert starts(resumed) == {"1": 1, "2": 2}
    assert finishes(resumed) == once(2)


@pytest.mark.parametrize(
    ("chunk", "reason"),
    [(CANCELLED, "CANCELLED"), (TOO_LONG, "TIMEOUT"), (TOO_LARGE, "FAILED")],
)
def test_failed_job_is_tried_again(failing, chunk, reason):
    """Cancelled, too long, too large: the second attempt, with more time and memory, succeeds."""
    assert failing.finish() == 0, failing.log.read_text()
    assert starts(failing)[chunk] == 2
    assert finishes(failing) == once(3)
    job = first_job(failing, chunk)
    state = run("squeue", "--noheader", "--states=all", "--jobs", job, "--format=%T").strip()
    assert state == reason


def test_slurm_run_equals_local_run(finished_run, equal, built):
    """Tables and figures, byte for byte."""
    assert equal.finish() == 0, equal.log.read_text()

    assert len(equal.job_ids()) > 3
    job_logs = list((equal.folder / ".snakemake/slurm_logs").rglob("*.log"))
    assert len(job_logs) >= len(equal.job_ids())
    for log in (equal.log, *job_logs):
        assert "Creating conda environment" not in log.read_text(), log
    assert environments().items() >= built.items()  # and none was made again
    made = results(equal.folder)
    assert {*ALL_STAGES} < {*made}
    assert made == {
        path: finished_results
        for path, finished_results in results(finished_run[0].folder).items()
        if path in made
    }


def test_controller_down_while_a_node_crashes(crashed):
    """Nothing is lost or repeated but the chunk of that node, which the other node does."""
    assert crashed.finish() == 0, crashed.log.read_text()
    *first, (_, again, _) = crashed.history("start")
    nodes = {number: node for number, node, _ in first}
    assert (sorted(nodes.values()), again) == (["n1", "n2"], "n2")
    assert starts(crashed) == {number: 1 + (node == "n1") for number, node in nodes.items()}
    assert finishes(crashed) == once(2)
