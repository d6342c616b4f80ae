"""A file that is cut, emptied or exchanged after a job has written it is named, and made again."""

import json
import shutil
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
    input: "empty.csv", "cut.csv", "other.csv"

rule train:
    output: "{{run}}.jsonl"
    shell: "echo {{wildcards.run}} >> trained.txt; seq 100 | {{WRITE}} {{output}}"

rule collect:
    input: "a.jsonl", "b.jsonl"
    output: "{{table}}.csv"
    shell: "cat {{input}} | {{WRITE}} {{output}}"
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which a workflow of two records and three tables has run. Only read it."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "Snakefile").write_text(WORKFLOW)
    code, told = snakemake(folder)
    assert code == 0, told
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of it, to be changed."""
    return shutil.copytree(finished, tmp_path / "copy")


def snakemake(folder, *arguments):
    """Run the workflow of a folder; return status and output."""
    command = ["bash", "-c", ACTIVATE, ROOT, "snakemake", "--cores", "1", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def trained(folder):
    """Return what was trained, in its order."""
    return (folder / "trained.txt").read_text().split()


def test_changed_tables_are_named_and_made_again(folder):
    """Empty, cut, or of the same size with other bytes. A file that is only touched is whole."""
    empty, cut, other = tables = [folder / f"{name}.csv" for name in ("empty", "cut", "other")]
    written = cut.read_text()
    changed = ["", written[:13], written.replace("99", "98")]
    for table, text in zip(tables, changed, strict=True):
        table.write_text(text)
    sentences = [
        f"{table.name} is not as it was written: found {size} bytes, expected 584."
        for table, size in ((empty, 0), (cut, 13))
    ]
    sentences.append(f"{other.name} is not as it was written: found the SHA-256")
    code, told = snakemake(folder, "--dry-run")
    assert (code, [sentence in told for sentence in sentences]) == (0, [True] * 3)
    assert [table.read_text() for table in tables] == changed

    code, told = snakemake(folder)
    assert (code, [sentence in told for sentence in sentences]) == (0, [True] * 3)
    assert f"{sentences[0]} It is removed, and made again" in told
    assert f"{sentences[1]} It is now cut.csv.broken, and made again" in told
    assert [table.read_text() for table in tables] == [written] * 3
    # Nothing of an empty file could be lost.
    kept = {path.name: path.read_text() for path in folder.glob("*.broken")}
    assert kept == {"cut.csv.broken": changed[1], "other.csv.broken": changed[2]}

    for file in (folder / "a.jsonl", folder / "b.jsonl", *tables):
        file.touch()
    code, told = snakemake(folder)
    assert (code, "Nothing to be done" in told, "is not as" in told) == (0, True, False)
    assert sorted(trained(folder)) == ["a", "b"]


def test_cut_record_is_made_again_where_it_is_needed(folder):
    written = (folder / "a.jsonl").read_text()
    (folder / "a.jsonl").write_text(written[:50])
    (folder / "cut.csv").unlink()
    code, told = snakemake(folder)
    assert (code, "a.jsonl is not as it was written: found 50 bytes" in told) == (0, True)
    assert (folder / "cut.csv").read_text() == 2 * written
    assert sorted(trained(folder)) == ["a", "a", "b"]


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
