"""Pairs of plain scripts, diagnosed: the page's and public reports, and scripts that cannot run."""

import csv
import json
import subprocess

import pytest
from repository import ROOT, run_driver

pytestmark = pytest.mark.slow
EXAMPLES = ROOT / "examples"
OLD, NEW = "tf1.14-keras2.2.4", "tf2.0-keras2.3.1"


def diagnose(folder, first, second, environments, *options):
    """Return (exit status, verdict, what was printed) of a pair."""
    done = run_driver(
        *("python", ROOT / "workflow/diagnose/diagnose.py", "--first", first, "--second", second),
        *("--in", environments, "--out", folder / "out", *options),
    )
    path = folder / "out/verdict.json"
    return done.returncode, json.loads(path.read_text()) if path.exists() else None, done.stdout


@pytest.mark.parametrize(
    ("first", "second", "environments", "causes"),
    [
        ("page/answer_v1.py", "page/answer_v2.py", OLD, ["initial draws"]),
        ("page/answer_v1.py", "page/answer_v2.py", NEW, []),
        ("cases/softmax_plain.py", "cases/softmax_identity.py", OLD,
         ["computation: another formula of the loss"]),
        ("cases/penalty_evaluate.py", "cases/penalty_predict.py", NEW, ["evaluation"]),
        ("cases/fit_once.py", "cases/fit_often.py", NEW, []),
    ],
)  # fmt: skip
def test_cause_is_named(tmp_path, first, second, environments, causes):
    status, verdict, printed = diagnose(tmp_path, EXAMPLES / first, EXAMPLES / second, environments)
    assert status == 0, printed
    assert verdict["causes"] == causes, printed
    with (tmp_path / "out/ladder.csv").open() as file:
        rows = list(csv.DictReader(file))
    total = verdict["runs"]["second/as_is-0"] - verdict["runs"]["first/as_is-0"]
    assert sum(float(row["contribution"]) for row in rows) == pytest.approx(total, abs=1e-9)
    page = (tmp_path / "out/diagnosis.html").read_text()
    assert "<svg" in page
    assert "http" not in page


@pytest.mark.parametrize("environment", [OLD, NEW])
@pytest.mark.parametrize("name", ["question_plain", "question_bn", "answer_v1", "answer_v2"])
def test_recorded_run_has_the_bits_of_the_bare_script(tmp_path, environment, name):
    script = EXAMPLES / f"page/{name}.py"
    _, verdict, printed = diagnose(tmp_path, script, script, environment)
    assert verdict["sentence"].startswith("No difference"), printed
    log = (tmp_path / "out/snakemake.log").read_text()
    prefix = next(line.split(": ")[1] for line in log.splitlines() if "Activating conda" in line)
    bare = subprocess.run(
        [(tmp_path / "out" / prefix / "bin/python"), "-s", script],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert (tmp_path / "out/runs/first/as_is-0.out").read_text() == bare


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("print 1\n", "line 1 is not Python 3"),
        ("import tensorflow\nraise ValueError('broken')\n", "line 2 raises ValueError: broken"),
        ("import sys\nsys.exit(4)\n", "the script ends itself with exit status 4"),
        ("open('nowhere.csv')\n", "line 1 raises FileNotFoundError"),
        ("print(1)\n", "the script trains no Keras model"),
        ("import multiprocessing\n", "line 1 imports multiprocessing"),
        ("while True:\n    pass\n", "the script did not end within its limit"),
    ],
)
def test_script_that_cannot_be_followed_is_told_in_a_sentence(tmp_path, script, sentence):
    path = tmp_path / "script.py"
    path.write_text(script)
    status, verdict, printed = diagnose(tmp_path, path, path, NEW, "--limit", "20")
    assert status == 3, printed
    assert sentence in verdict["sentence"]


def test_wrong_names_are_refused_before_anything_is_written(tmp_path):
    script = EXAMPLES / "page/answer_v1.py"
    for pair, environments, sentence in [
        ((script, tmp_path / "none.py"), NEW, "there is no such script"),
        ((script, script), "tf9.9", "tf9.9 is no environment file and none of"),
    ]:
        status, _, printed = diagnose(tmp_path, *pair, environments)
        assert status == 2
        assert sentence in printed
        assert not (tmp_path / "out").exists()
