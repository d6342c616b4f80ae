"""Bills of materials and the audit, made by the workflow."""

import json
import re

import pytest
from publish.locks import read_requirements
from repository import copy_small, run_make

pytestmark = pytest.mark.slow


def test_bills_list_every_pin_with_its_hash(tmp_path):
    """For one lock of each kind: a bill takes two seconds."""
    copy = copy_small(tmp_path / "copy")
    for lock in (copy / "envs").glob("*.yaml"):
        if lock.stem != "audit":  # which the rule runs in
            lock.unlink()
    done = run_make("sbom", copy)
    assert done.returncode == 0, done.stdout
    for lock in [copy / "envs/driver.txt", *(copy / "envs").glob("*.yaml")]:
        bill = json.loads((copy / f"results/provenance/bills/{lock.stem}.json").read_text())
        assert bill["bomFormat"] == "CycloneDX"
        listed = {f"{one['name']}=={one['version']}" for one in bill["components"]}
        pins = read_requirements(lock)
        assert listed == {re.split(r"[ ;]", pin)[0] for pin in pins}
        assert str(bill).count("SHA-256") == sum(pin.count("--hash=") for pin in pins)


def test_audit_without_an_index_says_that_it_could_not_look(tmp_path, monkeypatch):
    for name in (
        "https_proxy",
        "HTTPS_PROXY",
        "http_proxy",
        "HTTP_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    done = run_make("audit", copy_small(tmp_path / "copy"))
    assert done.returncode == 2  # that of make; the module's own is 3
    assert "Not audited: envs/driver.txt and envs/figures.yaml" in done.stdout
