"""`make diagnose` from a folder of the user's, whose names have spaces and quotes."""

import json
import os
import shlex
import subprocess

import pytest
from repository import ROOT, run_driver
from waiting import HANGS

# Without a framework: this environment is made in a second.
ENVIRONMENT = """channels: [conda-forge]
dependencies:
  - python =3.7
  - pip
  - pip:
      - numpy==1.18.5
      - six==1.17.0
"""
SCRIPT = "import sys\nimport six\nprint(sys.argv[1:])\nprint('told', file=sys.stderr)\n"
ARGUMENTS = ["--rate", "0.1", "a b", "it's", "c d"]


def make_diagnose(folder, *options):
    """Call `make diagnose` from a folder, as a user does; return the call, its output as text."""
    command = ["make", "-C", ROOT, "diagnose", *options]
    return subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=os.environ | {"PWD": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=HANGS,
    )


@pytest.mark.slow
def test_names_and_arguments_stay_as_they_are_written(tmp_path):
    folder = tmp_path / 'a "b" it\'s $x'
    (folder / "of mine").mkdir(parents=True)
    script = folder / "of mine/train (1) it's.py"
    script.write_text(SCRIPT)
    (folder / "of mine/own env.yaml").write_text(ENVIRONMENT)
    named = f"of mine/{script.name}"
    options = [f"FIRST={named}", f"SECOND={named}", "IN='of mine/own env.yaml'", "LIMIT=100"]
    options += ["OUT=my results/of 'it'", "ARGS=--rate 0.1 'a b' it\\'s 'c d'"]
    for _ in range(2):  # nothing is left to do the second time; the verdict is told all the same
        done = make_diagnose(folder, *options)
        assert "Undecided: in the first run, the script trains no Keras model." in done.stdout
        assert "Error 3" in done.stdout
    results = folder / "my results/of 'it'"
    assert f"The whole diagnosis: {results}/diagnosis.html" in done.stdout
    assert (results / "runs/second/as_is-2.out").read_text().splitlines() == [str(ARGUMENTS)]
    assert (results / "logs/second/as_is-2.log").read_text() == "told\n"
    assert {path.name for path in folder.iterdir()} == {"of mine", "my results"}
    asked = json.loads((results / "pair.json").read_text())
    assert (asked["first"], asked["limit"]) == (str(script), 100)


def test_a_wrong_option_changes_nothing_on_disk(tmp_path):
    (tmp_path / "one.py").write_text("")
    for options, sentence in [
        (["SCRIPT=none.py"], f"config: {tmp_path}/none.py: there is no such script"),
        (["SCRIPT=one.py"], "config: in: found tf2.0-keras2.3.1, expected two framework versions"),
        (["FIRST=one.py", "SECOND=one.py", "ARGS='a"], "args: found 'a: No closing quotation"),
        (["FIRST=one.py", "SECOND=one.py", "LIMIT=long"], 'limit: found "long", expected an int'),
    ]:
        done = make_diagnose(tmp_path, "IN=tf2.0-keras2.3.1", *options)
        assert sentence in done.stdout
        assert "Traceback" not in done.stdout
        assert [path.name for path in tmp_path.iterdir()] == ["one.py"]


# Submits a job and waits for its end; the job starts in another folder, as those of a queue may.
QUEUE = """#!/bin/sh
cd / && sh "$1" >&2
echo 1
"""


@pytest.mark.long
def test_jobs_of_a_queue_find_the_scripts(tmp_path):
    """The call that make prints, with a queue: each job is another Snakemake, elsewhere."""
    (tmp_path / "train.py").write_text(SCRIPT)
    (tmp_path / "own.yaml").write_text(ENVIRONMENT)
    done = make_diagnose(tmp_path, "FIRST=train.py", "SECOND=train.py", "IN=own.yaml")
    call = next(line for line in done.stdout.splitlines() if line.startswith("snakemake "))
    (tmp_path / "submit").write_text(QUEUE)
    (tmp_path / "submit").chmod(0o755)
    (tmp_path / "train.py").write_text(f"{SCRIPT}print('again')\n")
    queue = ["--executor", "cluster-generic", "--jobs", 2]
    queue += ["--cluster-generic-submit-cmd", tmp_path / "submit"]
    queue += ["--cluster-generic-status-cmd", "echo success #"]
    done = run_driver(*shlex.split(call), *queue, cwd=tmp_path)
    assert done.returncode == 3, done.stdout
    assert "Undecided: in the first run, the script trains no Keras model." in done.stdout
    assert "Submitted job" in done.stdout
    printed = tmp_path / "diagnosis/train/runs/second/as_is-2.out"
    assert printed.read_text().splitlines()[-1] == "again"
