"""The workflow on a real Slurm: a run like a local one, and everything that goes wrong.

For what goes wrong the chunks sleep (toy.smk); profile, executor and cluster are the same.
"""

import signal

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


@pytest.fixture(scope="module")
def failing(toy):
    """A run whose first three chunks fail at their first attempt, each in its own way."""
    fails = {CANCELLED: "hang", TOO_LONG: "overrun", TOO_LARGE: "fill"}
    running = toy(chunks=4, **{f"chunk{number}": how for number, how in fails.items()})
    wait_until(lambda: len(starts(running)) == 4, f"four chunks to start ({running.log})")
    run("scancel", first_job(running, CANCELLED))
    # A minute is the shortest time that Slurm gives to a job.
    run("scontrol", "update", f"JobId={first_job(running, TOO_LONG)}", "EndTime=now")
    return running


def results(folder):
    """Return {path: bytes} of the tables and figures of a run."""
    files = [*folder.glob("results/tables/*.csv"), *folder.glob("results/figures/*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def environments():
    """Return when each environment was finished, {name: time}; other tests may build more."""
    flags = (ROOT / ".snakemake/conda").glob("*.env_setup_done")
    return {flag.name: flag.stat().st_mtime_ns for flag in flags}


def test_there_is_no_network(cluster):
    """Neither on the nodes nor where Snakemake runs: so none of the tests below needs any."""
    for command in ([], ["srun", "--nodelist=n1"], ["srun", "--nodelist=n2"]):
        shown = run(*command, "cat", "/proc/net/dev").splitlines()[2:]
        assert [line.split(":")[0].strip() for line in shown] == ["lo"]


def test_slurm_run_equals_local_run(finished_run, start, tmp_path, failing):
    """Tables and figures, byte for byte. (`failing` runs meanwhile, to save time.)"""
    built = environments()
    clone = copy_small(tmp_path / "slurm")
    keep_logs = "--slurm-keep-successful-logs"
    slurm = start(clone, *IMPATIENT, *SHARED_ENVIRONMENTS, keep_logs, "--", *ALL_STAGES)
    assert slurm.finish() == 0, slurm.log.read_text()

    assert len(slurm.job_ids()) > 3
    job_logs = list((clone / ".snakemake/slurm_logs").rglob("*.log"))
    assert len(job_logs) >= len(slurm.job_ids())
    for log in (slurm.log, *job_logs):
        assert "Creating conda environment" not in log.read_text(), log
    assert environments().items() >= built.items()  # and none was made again
    made = results(clone)
    assert {*ALL_STAGES} < {*made}
    assert made == {
        path: finished_results
        for path, finished_results in results(finished_run[0].folder).items()
        if path in made
    }


@pytest.mark.parametrize(
    ("chunk", "reason"),
    [(CANCELLED, "CANCELLED"), (TOO_LONG, "TIMEOUT"), (TOO_LARGE, "FAILED")],
)
def test_failed_job_is_tried_again(failing, chunk, reason):
    """Cancelled, too long, too large: the second attempt, with more time and memory, succeeds."""
    assert failing.finish() == 0, failing.log.read_text()
    assert starts(failing)[chunk] == 2
    assert finishes(failing) == once(4)
    job = first_job(failing, chunk)
    state = run("squeue", "--noheader", "--states=all", "--jobs", job, "--format=%T").strip()
    assert state == reason
    assert starts(failing)["4"] == 1


def test_lost_node(cluster, toy):
    """The chunks of a node that crashes are done by the other node; no other chunk is repeated."""
    running = toy(chunks=4, held=True)
    running.wait_for("start", 4)
    cluster.kill("n1")
    # As the controller does by itself, some time later.
    run("scontrol", "update", "NodeName=n1", "State=DOWN", "Reason=crashed")
    running.release()
    lost = {number for number, node, _ in running.history("start") if node == "n1"}
    try:
        assert 0 < len(lost) < 4
        assert running.finish() == 0, running.log.read_text()
    finally:
        cluster.start("n1")
    assert starts(running) == {number: 1 + (number in lost) for number in once(4)}
    assert finishes(running) == once(4)
    assert {node for _, node, _ in running.history("start")[4:]} == {"n2"}
    cluster.wait_for_nodes()


def test_controller_down_for_a_while(cluster, toy):
    """Nothing is lost or repeated while nobody answers."""
    running = toy(chunks=2, held=True)
    running.wait_for("start", 2)
    cluster.kill("controller", signal.SIGTERM)  # -9 may lose the jobs of the last five seconds
    running.wait_for_questions(2)
    running.release()
    assert running.process.poll() is None
    cluster.start("controller")
    assert running.finish() == 0, running.log.read_text()
    assert starts(running) == finishes(running) == once(2)


def test_killed_snakemake_resumes(toy):
    """After kill -9 its jobs end by themselves; the next run makes only what was not finished."""
    running = toy(chunks=4, chunk3="train", chunk4="train")
    running.wait_for_log("2 of 5 steps")
    running.wait_for("start", 4)
    running.kill(cancel=False)
    jobs = {first_job(running, chunk) for chunk in "34"}
    wait_until(
        lambda: not jobs & {*run("squeue", "--noheader", "--format=%i").split()}, "the jobs to end"
    )
    assert finishes(running) == once(2)

    resumed = toy(folder=running.folder, chunks=4)
    assert resumed.finish() == 0, resumed.log.read_text()
    assert "A run was killed here" in resumed.log.read_text()
    assert len(list(running.folder.glob("chunk*.txt"))) == 4
    assert starts(resumed) == {"1": 1, "2": 1, "3": 2, "4": 2}
    assert finishes(resumed) == once(4)


def test_cancelled_job_through_the_commands_of_the_queue(toy):
    """profiles/cluster: submitted, watched, and tried again."""
    running = toy(chunks=2, chunk1="hang", profile="profiles/cluster")
    running.wait_for("start", 2)
    run("scancel", first_job(running, "1"))
    assert running.finish() == 0, running.log.read_text()
    assert starts(running) == {"1": 2, "2": 1}
    assert finishes(running) == once(2)
