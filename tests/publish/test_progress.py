"""The lines that a person sees at a terminal."""

import json
import logging
from types import SimpleNamespace

from publish.progress import (
    Failures,
    Progress,
    count_runs,
    read_build_seconds,
)
from repository import ROOT


def make_job(number, rule, plan):
    """Return a job as Snakemake has it."""
    params = SimpleNamespace(plan=json.dumps(plan))
    return SimpleNamespace(number=number, rule=SimpleNamespace(name=rule), params=params)


JOBS = [
    make_job(1, "train_runs", {"runs": [{}, {}], "seeds": [3], "repeats": 1}),
    make_job(2, "train_controls", {"runs": [{}], "seeds": [3, 11]}),
    make_job(4, "train_study", {"runs": [{}]}),
    make_job(5, "probe_randomness", {"runs": [{}, {}], "seeds": [3]}),
]
WORKFLOW = SimpleNamespace(
    dag=SimpleNamespace(needrun_jobs=lambda: JOBS, jobid=lambda job: job.number)
)


class Original(logging.Formatter):
    """Stands for Snakemake's own formatter."""

    def format(self, record):
        return f"original: {record.msg}"


def make_record(event=None, level=logging.INFO, msg=None, **attributes):
    """Return a log record as Snakemake makes them."""
    named = {"event": event} if event else {}
    return logging.makeLogRecord({"msg": msg, "levelno": level, **named, **attributes})


def make_progress():
    """Return a formatter that knows some jobs and one environment."""
    return Progress(Original(), lambda: count_runs(WORKFLOW), {"envs/tf9.yaml": "21"})


def test_counts_the_runs_of_each_job():
    assert count_runs(WORKFLOW) == {1: 2, 2: 2, 4: 0}


def test_run_from_start_to_end():
    progress = make_progress()
    lines = [
        progress.format(record)
        for record in (
            make_record("run_info", stats={"train": 2, "draw": 1, "total": 3}),
            make_record("job_info", jobid=1, rule_name="train", rule_msg="Training A"),
            make_record("job_finished", job_id=1),
            make_record("job_info", jobid=2, rule_name="train", rule_msg="Training B"),
            make_record("job_finished", job_id=2),
            make_record("job_info", jobid=3, rule_name="draw", rule_msg=None),
            make_record("job_finished", job_id=3),
            make_record("progress", done=3, total=3),
        )
    ]
    lines = [line.partition("] ")[2] for line in lines]
    assert lines == [
        "3 jobs to do, 4 runs in them",
        "0 of 4 runs done: Training A",
        "",
        "2 of 4 runs done: Training B",
        "All 4 runs are done",
        "draw",
        "",
        "3 jobs done",
    ]


def test_says_how_long_an_environment_usually_takes():
    progress = make_progress()
    line = progress.format(make_record(msg="Creating conda environment envs/tf9.yaml..."))
    assert line.endswith("Building environment tf9, usually 21 s")
    line = progress.format(make_record(msg="Creating conda environment envs/own.yaml..."))
    assert line.endswith("Building environment own")
    line = progress.format(
        make_record(msg="Environment for /a/envs/own.yaml created (location: x)")
    )
    assert line.endswith("Environment own is built")


def test_warnings_and_what_another_release_names_otherwise_keep_their_form():
    progress = make_progress()
    warning = make_record(level=logging.WARNING, msg="careful")
    assert progress.format(warning) == "original: careful"
    assert progress.format(make_record("job_info", msg="?")) == "original: ?"


def test_build_times_of_the_environments_are_written_down(committed_config):
    named = [
        *committed_config["environments"].values(),
        *committed_config["sweep"]["releases"].values(),
        {"file": "envs/figures.yaml"},
    ]
    seconds = read_build_seconds(ROOT / "envs/build-seconds.csv")
    assert {entry["file"] for entry in named} <= set(seconds)
    assert all((ROOT / file).is_file() for file in seconds)
    assert all(0 < float(value) < 600 for value in seconds.values())


def test_end_of_failed_logs_and_the_command_to_go_on(tmp_path):
    log = tmp_path / "long.log"
    log.write_text("".join(f"line {number}\n" for number in range(40)))
    failures = Failures()
    for path in (log, tmp_path / "absent.log"):
        failures.emit(make_record("job_error", logging.ERROR, rule_name="train", log=[path]))
    failures.emit(make_record(level=logging.ERROR, msg="something else"))
    text = failures.describe(["-c2", "--config", "seeds=[3, 11]"])
    assert f"train failed. The end of {log}:\n  line 25\n" in text
    assert "  line 39\n" in text
    assert "absent.log:\n  (nothing written)" in text
    assert text.endswith("To go on:\n  snakemake -c2 --config 'seeds=[3, 11]'")
