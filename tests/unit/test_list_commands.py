"""The list of claims and commands agrees with claims.yaml, and its commands exist."""

import csv
import sys

import pytest
from repository import ROOT, read_yaml, run_driver

sys.path.insert(0, str(ROOT / "workflow/scripts"))
import list_commands

LIST = ROOT / "docs/claims-to-commands.csv"


@pytest.fixture(scope="module")
def rows():
    with LIST.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_list_is_that_of_the_claims(rows, monkeypatch):
    monkeypatch.chdir(ROOT)
    claims = read_yaml(ROOT / "claims.yaml")["claims"]
    targets = list_commands.find_targets(claims, list_commands.Path("results/tables"))
    # The minutes are measured, so not to be known here; all else is.
    minutes = dict.fromkeys(list_commands.rules_behind(read_yaml(ROOT / "config.yaml")), 1)
    expected = [list_commands.list_row(claim, targets[claim["id"]], minutes) for claim in claims]
    kept = [name for name in list_commands.COLUMNS if name != "minutes"]
    listed = [dict(zip(list_commands.COLUMNS, row, strict=True)) for row in expected]
    assert [{name: row[name] for name in kept} for row in rows] == [
        {name: row[name] for name in kept} for row in listed
    ], "run: make commands"
    untested = {claim["id"] for claim in claims if claim["test"] == "none_yet"}
    assert {row["claim"] for row in rows if not row["target"]} == untested


def test_minutes_are_given_where_there_is_a_command(rows):
    for row in rows:
        assert bool(row["minutes"]) == bool(row["command"])
        assert not row["minutes"] or float(row["minutes"]) > 0
    controls = {float(r["minutes"]) for r in rows if "verdicts.csv" in r["target"]}
    runs = {float(r["minutes"]) for r in rows if r["target"].endswith("runs.csv")}
    assert max(runs) < min(controls)  # controls start from the runs


def test_minutes_are_those_of_all_jobs_before(tmp_path, config):
    (tmp_path / "resources.csv").write_text(
        "rule,environment,part,jobs,wall_seconds,cpu_seconds,peak_memory_mb\n"
        "train_runs,tf1.14,,2,40.00,,\ntrain_runs,tf2.0,,2,20.00,,\n"
        "train_releases,tf1.13,,1,600.00,,\ntrain_controls,tf2.0,,1,30.00,,\n"
        "collect_tables,,,1,6.00,,\ncompare_controls,,,1,3.00,,\n"
        "train_study,tf2.0,learning_rate,1,12.00,,\ntrain_study,tf2.0,protocols,1,24.00,,\n"
        "collect_study,,,1,3.00,,\ncollect_sensitivity,,,1,6.00,,\n"
    )
    behind = list_commands.rules_behind(config)
    minutes = list_commands.read_minutes(tmp_path / "resources.csv", behind)
    assert minutes["collect_tables"] == pytest.approx(1.1)
    assert minutes["compare_controls"] == pytest.approx(1.55)
    assert minutes["collect_sensitivity"] == pytest.approx(0.3)
    (tmp_path / "resources.csv").write_text("rule,part,wall_seconds\ncollect_tables,,1\n")
    with pytest.raises(SystemExit, match=r"Not measured: compare_controls, .*make reproduce study"):
        list_commands.read_minutes(tmp_path / "resources.csv", behind)


def test_claim_is_judged_alone(rows):
    row = next(row for row in rows if row["claim"] == "question_loss_without_bn")
    script = ["python", "workflow/scripts/judge_claims.py", "--claims", "claims.yaml"]
    done = run_driver(*script, "--tables", row["target"], "--only", row["claim"])
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("reproduced  Without BN the question's script ends")
    assert "published 0.7751, measured 0.775" in done.stdout


def test_unknown_claim_is_told(capsys):
    with pytest.raises(
        SystemExit, match=r"no claim 'x' that is tested; NAME is one of\n  question_"
    ):
        list_commands.tables_of("x", LIST)
