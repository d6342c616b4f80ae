"""A file that is cut, emptied or exchanged after a job has written it is named, and made again."""

import json
import subprocess
from pathlib import Path

import pytest
from deploy import whole
from repository import ACTIVATE, ROOT
from train.files import whole_file

WRITE = (
    "import sys; from train.files import whole_file; "
    "stream = whole_file(sys.argv[1]); stream.__enter__().write(sys.stdin.read()); "
    "stream.__exit__(None, None, None)"
)
WORKFLOW = f"""
import sys
sys.path.insert(0, "{ROOT}/workflow")
from deploy import at_once, whole
from snakemake.settings.types import DeploymentMethod

ALL_ENVIRONMENT_FILES = {{}}
WRITE = "PYTHONPATH='{ROOT}/workflow' python -c '{WRITE}'"

include: "{ROOT}/workflow/rules/at_once.smk"

rule all:
    input: "table.csv"

rule train:
    output: "{{run}}.jsonl"
    shell: "echo {{wildcards.run}} >> trained.txt; seq 100 | {{WRITE}} {{output}}"

rule collect:
    input: "a.jsonl", "b.jsonl"
    output: "table.csv"
    shell: "cat {{input}} | {{WRITE}} {{output}}"
"""


@pytest.fixture
def snakemake(tmp_path):
    """Run a workflow of two records and a table in `tmp_path`; return status and output."""
    (tmp_path / "Snakefile").write_text(WORKFLOW)

    def snakemake(*arguments):
        command = ["bash", "-c", ACTIVATE, ROOT, "snakemake", "--cores", "1", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    code, told = snakemake()
    assert code == 0, told
    return snakemake


def trained(folder):
    """Return what was trained, in its order."""
    return (folder / "trained.txt").read_text().split()


@pytest.mark.parametrize("size", [0, 13])
def test_cut_table_is_named_and_made_again(snakemake, tmp_path, size):
    written = (tmp_path / "table.csv").read_text()
    (tmp_path / "table.csv").write_text(written[:size])
    sentence = f"table.csv is not as it was written: found {size} bytes, expected 584."
    code, told = snakemake("--dry-run")
    assert (code, sentence in told) == (0, True)
    assert (tmp_path / "table.csv").read_text() == written[:size]
    code, told = snakemake()
    where = "now table.csv.broken" if size else "removed"
    assert (code, f"{sentence} It is {where}, and made again" in told) == (0, True)
    assert (tmp_path / "table.csv").read_text() == written
    kept = [path.read_text() for path in tmp_path.glob("*.broken")]
    assert kept == ([written[:size]] if size else [])  # nothing of an empty file could be lost
    assert sorted(trained(tmp_path)) == ["a", "b"]
    code, told = snakemake()
    assert (code, "Nothing to be done" in told, "is not as" in told) == (0, True, False)


def test_cut_record_is_made_again_where_it_is_needed(snakemake, tmp_path):
    written = (tmp_path / "a.jsonl").read_text()
    (tmp_path / "a.jsonl").write_text(written[:50])
    (tmp_path / "table.csv").unlink()
    code, told = snakemake()
    assert (code, "a.jsonl is not as it was written: found 50 bytes" in told) == (0, True)
    assert (tmp_path / "table.csv").read_text() == 2 * written
    assert sorted(trained(tmp_path)) == ["a", "a", "b"]


def test_file_of_the_same_size_with_other_bytes(snakemake, tmp_path):
    written = (tmp_path / "table.csv").read_text()
    (tmp_path / "table.csv").write_text(written.replace("99", "98"))
    code, told = snakemake()
    assert (code, "table.csv is not as it was written: found the SHA-256" in told) == (0, True)
    assert (tmp_path / "table.csv").read_text() == written


def test_file_that_is_only_touched_is_whole(snakemake, tmp_path):
    for file in ("a.jsonl", "b.jsonl", "table.csv"):
        (tmp_path / file).touch()
    code, told = snakemake()
    assert (code, "is not as" in told) == (0, False)
    assert sorted(trained(tmp_path)) == ["a", "b"]


def test_what_is_committed_is_nobodys_mistake(tmp_path, monkeypatch):
    """Another commit was checked out: its tables are as they are there."""
    monkeypatch.chdir(tmp_path)
    Path(".snakemake").mkdir()
    with whole_file("table.csv") as stream:
        stream.write("1")
    Path("table.csv").write_text("2")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "table.csv"], ["commit", "-qm", "a"]):
        subprocess.run([*git, *command], check=True)
    assert whole.set_aside(only_tell=False) == []
    Path("table.csv").write_text("3")
    assert len(whole.set_aside(only_tell=False)) == 1


def test_nothing_is_noted_where_snakemake_does_not_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with whole_file("table.csv") as stream:
        stream.write("1")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize(
    "content", [b"", b"[1", b"[]", b'{"a": [1]}', b"{}", b"\xff", b"[1, 2, []]"]
)
def test_sums_that_are_broken_are_none(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    assert whole.read_sums() == []
    Path(whole.SUMS).mkdir(parents=True)
    Path(whole.SUMS, "a.json").write_bytes(content)
    Path(whole.SUMS, "b.json").write_text(json.dumps(["table.csv", 1, 2, "3"]))
    assert whole.read_sums() == [("table.csv", 1, 2, "3")]
