"""The archive of a finished run: valid, whole, and its validator finds fault where there is one."""

import hashlib
import json
import shutil
import zipfile

import pytest
from repository import ROOT, run_driver, run_make

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def packed(finished_for_file):
    """A copy of the small experiment, packed by `make crate`."""
    done = run_make("crate", finished_for_file.folder)
    assert done.returncode == 0, done.stdout
    assert "RO-Crate is a valid workflow-run-crate-0.5\n" in done.stdout
    return finished_for_file.folder


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


def test_validator_refuses_a_crate_without_a_run(packed, crate, tmp_path):
    broken = shutil.copytree(crate, tmp_path / "broken")
    metadata = json.loads((broken / "ro-crate-metadata.json").read_text())
    metadata["@graph"] = [one for one in metadata["@graph"] if one["@id"] != "#run"]
    (broken / "ro-crate-metadata.json").write_text(json.dumps(metadata))
    shutil.make_archive(packed / "results/run.crate", "zip", broken)
    arguments = ["--use-conda", "--cores", 1, "--allowed-rules", "validate_crate"]
    prefix = ["--conda-prefix", f"{ROOT}/.snakemake/conda"]
    done = run_driver("snakemake", *arguments, *prefix, "--", "validate_crate", cwd=packed)
    assert done.returncode != 0
    log = (packed / "results/logs/validate_crate.log").read_text()
    assert "CreateAction" in log
