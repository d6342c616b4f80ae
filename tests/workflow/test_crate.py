"""The archive of a finished run: valid, whole, and the validator finds fault where there is one."""

import hashlib
import json
import re
import shutil
import subprocess
import zipfile

import pytest
from repository import ROOT, run_make
from waiting import HANGS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(finished_for_file):
    """`make crate` in a copy of the small experiment: what it printed."""
    done = run_make("crate", finished_for_file.folder)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def packed(finished_for_file, made):
    """The folder of that copy."""
    return finished_for_file.folder


@pytest.fixture(scope="module")
def validate(packed, made):
    """Return a function that runs tests/validate_crate.py, in the environment that packs crates."""
    (place,) = re.findall(r"^Activating conda environment: (.+)$", made, re.MULTILINE)

    def validate(crate):
        command = [packed / place / "bin/python", "-s", ROOT / "tests/validate_crate.py", crate]
        return subprocess.run(command, capture_output=True, text=True, timeout=HANGS)

    return validate


@pytest.fixture(scope="module")
def crate(packed, tmp_path_factory):
    """The archive, unpacked."""
    folder = tmp_path_factory.mktemp("crate")
    with zipfile.ZipFile(packed / "results/run.crate.zip") as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def entities(crate):
    """What its metadata describes, by name."""
    graph = json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    return {entity["@id"]: entity for entity in graph}


def names(references):
    return {reference["@id"] for reference in references}


def test_every_file_is_there_with_its_hash(crate, entities):
    described = {name: entity for name, entity in entities.items() if "sha256" in entity}
    present = {str(path.relative_to(crate)) for path in crate.rglob("*") if path.is_file()}
    assert described.keys() == present - {"ro-crate-metadata.json"}
    for name, entity in described.items():
        assert entity["sha256"] == hashlib.sha256((crate / name).read_bytes()).hexdigest()


def test_run_has_inputs_environments_claims_and_outputs(entities):
    run = entities["#run"]
    assert run["instrument"] == {"@id": "workflow/Snakefile"}
    inputs, outputs = names(run["object"]), names(run["result"])
    assert {"tests/small-claims.yaml", "results/provenance/config.yaml", "#seeds"} <= inputs
    assert {"envs/figures.yaml", "envs/tf1.14-keras2.2.4.yaml"} <= inputs
    assert {"results/tables/claims.csv", "results/figures/weight_sums.svg"} <= outputs
    assert {"results/provenance/run.json", "results/provenance/packages/figures.csv"} <= outputs
    assert entities["#seeds"]["value"] == "[3]"


def test_every_job_is_an_action_with_what_it_read_made_and_ran(packed, entities):
    actions = [one for name, one in entities.items() if re.fullmatch(r"#job-\d+", name)]
    made = {path for action in actions for path in names(action["result"])}
    records = {
        str(path.relative_to(packed))
        for folder in ("runs", "controls", "tables", "figures")
        for path in (packed / "results" / folder).rglob("*")
        if path.is_file()
    }
    assert records == {path for path in made if not path.startswith("results/provenance/")}
    assert {path.split("/")[1] for path in made} >= {"runs", "controls", "tables", "figures"}
    for action in actions:
        assert action["startTime"] <= action["endTime"]
        tool = entities[action["instrument"]["@id"]]
        assert "sha256" in entities[tool["softwareRequirements"]["@id"]]
    (judged,) = (one for one in actions if one["name"] == "judge_claims")
    assert "results/tables/runs.csv" in names(judged["object"])
    (training, *_) = (one for one in actions if one["name"].startswith("train_runs tf1.14"))
    assert training["instrument"]["@id"] == "#train_runs-in-tf1.14-keras2.2.4"


def test_crate_is_valid(packed, entities, validate):
    done = validate(packed / "results/run.crate.zip")
    assert done.returncode == 0, done.stdout
    assert "RO-Crate is a valid provenance-run-crate-0.5" in done.stdout
    hashed = sum("sha256" in entity for entity in entities.values())
    assert f"All {hashed} files are there, each with its SHA-256.\n" in done.stdout


def test_a_damaged_crate_is_refused(crate, validate, tmp_path):
    """Without the whole run, without the tool of a step, and with one byte more in a record."""
    broken = shutil.copytree(crate, tmp_path / "broken")
    path = broken / "ro-crate-metadata.json"
    metadata = json.loads(path.read_text())
    metadata["@graph"] = [one for one in metadata["@graph"] if one["@id"] != "#run"]
    for one in metadata["@graph"]:
        if one["@type"] == "ControlAction":
            del one["instrument"]
    path.write_text(json.dumps(metadata))
    done = validate(shutil.make_archive(tmp_path / "broken", "zip", broken))
    assert done.returncode != 0
    assert "At least one CreateAction" in done.stdout
    assert "A ControlAction must reference a HowToStep" in done.stdout
    record = next((broken / "results/runs").rglob("*.jsonl"))
    record.write_text(record.read_text() + "\n")
    done = validate(shutil.make_archive(tmp_path / "broken", "zip", broken))
    assert done.returncode != 0
    assert re.search(r"results/runs/.*\.jsonl: expected [0-9a-f]{64}, found", done.stderr)
