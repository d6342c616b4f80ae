"""profiles/slurm/bin/sacct: what Snakemake's Slurm executor is told, with slurmdbd and without."""

import os
import subprocess

import pytest
from repository import ROOT
from waiting import HANGS

FOLDER = ROOT / "profiles/slurm/bin"
QUERY = ("-X", "--parsable2", "--noheader", "--format=JobIdRaw,State", "--name", "a-run")
SQUEUE = """echo "7|RUNNING|$*" """
REFUSAL = "echo Slurm accounting storage is disabled >&2; exit 1"


@pytest.fixture
def ask(tmp_path):
    """Ask the stand-in, on a machine with these commands; return it finished."""

    def ask(*arguments, **commands):
        for name, script in commands.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
        path = f"{FOLDER}:{tmp_path}:{os.environ['PATH']}"
        return subprocess.run(
            ["sacct", *arguments], env={"PATH": path}, capture_output=True, text=True, timeout=HANGS
        )

    return ask


def test_states_of_slurmdbd_as_the_executor_knows_them(ask):
    told = ask(*QUERY, sacct="printf '1|CANCELLED by 1000\\n2|COMPLETED\\n'", squeue=SQUEUE)
    assert told.stdout == "1|CANCELLED\n2|COMPLETED\n"


def test_squeue_answers_where_sacct_does_not(ask):
    told = ask(*QUERY, sacct=REFUSAL, squeue=SQUEUE)
    assert told.returncode == 0
    assert told.stdout.startswith("7|RUNNING|")
    assert told.stdout.endswith("--name a-run\n")


def test_nobody_answers(ask):
    told = ask(*QUERY, sacct=REFUSAL, squeue="exit 1")
    assert (told.returncode, told.stdout) == (1, "")


def test_other_questions_are_refused_without_slurmdbd(ask):
    told = ask("-j", "7.0", "--format=Reason", sacct=REFUSAL, squeue=SQUEUE)
    assert (told.returncode, told.stdout) == (1, "")
    assert "no slurmdbd" in told.stderr
