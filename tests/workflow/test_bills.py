"""Bills of materials and the audit, made by the workflow."""

import json
import re

import pytest
from bnyesno.locks import read_requirements
from repository import ROOT, copy_repository, run_make

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the repository."""
    return copy_repository(tmp_path_factory.mktemp("locks") / "copy")


def test_bills_list_every_pin_with_its_hash(copy):
    done = run_make("sbom", copy)
    assert done.returncode == 0, done.stdout
    for lock in [ROOT / "envs/driver.txt", *(ROOT / "envs").glob("*.yaml")]:
        bill = json.loads((copy / f"results/provenance/bills/{lock.stem}.json").read_text())
        assert bill["bomFormat"] == "CycloneDX"
        listed = {f"{one['name']}=={one['version']}" for one in bill["components"]}
        pins = read_requirements(lock)
        assert listed == {re.split(r"[ ;]", pin)[0] for pin in pins}
        assert str(bill).count("SHA-256") == sum(pin.count("--hash=") for pin in pins)


def test_audit_says_what_it_found_or_that_it_could_not_look(copy):
    done = run_make("audit", copy)
    answers = json.loads((copy / "results/provenance/audit.json").read_text())
    assert answers.keys() == {"envs/driver.txt", "envs/figures.yaml"}
    if None in answers.values():
        assert done.returncode == 2  # that of make; the script's own is 3
        assert "Not audited: envs/driver.txt" in done.stdout
    else:
        assert all(found for found in answers.values())
        assert re.search(r"Nothing is known against|: [A-Z]+-\w+", done.stdout)
