"""What is written of a run beside its results."""

import pytest
from publish import write_provenance

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


@pytest.fixture
def benchmarks(tmp_path):
    """Two trainings, a job too short to be looked at, a training of another configuration."""
    for name, row in {
        "train/a/1-seed3": "2.50\t0:00:02\t200.50\t1\t1\t1\t1\t1\t1\t1.25",
        "train/a/1-seed11": "1.00\t0:00:01\t100.00\t1\t1\t1\t1\t1\t1\t0.50",
        "write_config": "0.01\t0:00:00\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tNA",
        "train/a/1-seed99": "9.00\t0:00:09\t900.00\t1\t1\t1\t1\t1\t1\t9.00",
    }.items():
        path = tmp_path / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{HEADER}{row}\n")
    return tmp_path


def test_resources_are_per_rule_and_jobs_have_their_times(benchmarks):
    jobs = [
        *(
            ("train", {"environment": "a"}, f"train/a/1-{seed}")
            for seed in ("seed3", "seed11", "x")
        ),
        ("write_config", {}, "write_config"),
    ]
    measured = [
        write_provenance.measure(
            {"rule": rule, "wildcards": wildcards, "benchmark": benchmarks / f"{name}.tsv"}
        )
        for rule, wildcards, name in jobs
    ]
    table = write_provenance.sum_up([job for job in measured if job["ended"]])
    assert table.to_csv(index=False, float_format="%.2f").splitlines() == [
        "rule,environment,part,jobs,wall_seconds,cpu_seconds,peak_memory_mb",
        "train,a,,2,3.50,1.75,200.50",
        "write_config,,,1,0.01,,",
    ]
    assert measured[0]["started"] < measured[0]["ended"]
    assert measured[2]["ended"] is None  # it has not run


def test_state_of_git_leaves_results_aside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert write_provenance.git_state(tmp_path, tmp_path / "results") is None
    write_provenance.git(tmp_path, "init", "--quiet")
    person = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    (tmp_path / "code.py").write_text("1\n")
    write_provenance.git(tmp_path, "add", "code.py")
    write_provenance.git(tmp_path, *person, "commit", "--quiet", "--message", "One")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/table.csv").write_text("1\n")
    state = write_provenance.git_state(tmp_path, tmp_path / "results")
    assert len(state["commit"]) == 40
    assert (state["dirty"], state["changed"]) == (False, [])
    (tmp_path / "code.py").write_text("2\n")
    assert write_provenance.git_state(tmp_path, tmp_path / "results")["changed"] == [" M code.py"]
