"""Nothing that set-up, Snakemake or an environment file asks for is refused by a real conda.

What three real condas did is in real_conda.yaml. A stand-in could only repeat what we imagine.
"""

import json
import re
from pathlib import Path

import pytest
import yaml
from deploy import setup
from deployment import DRIVER, ROOT

from envs import lock

FACTS = yaml.safe_load(Path(__file__).with_name("real_conda.yaml").read_text())
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))


@pytest.fixture(params=FACTS)
def facts(request):
    """What one release did."""
    return FACTS[request.param]


def test_set_up_asks_only_what_conda_knows(facts, monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(setup.subprocess, "run", lambda command, **_: calls.append(command) or Done)
    setup.plan(tmp_path / "conda", tmp_path / "some.yaml")
    ((_, *words),) = calls
    assert words[:2] == ["env", "create"]
    options = {word for word in words if str(word).startswith("--")}
    assert options <= set(facts["env_create"])


class Done:
    """A finished process that said nothing."""

    returncode, stdout, stderr = 0, "", ""


# A stand-in that only writes down how it is called, and makes nothing.
RECORDER = """#!/bin/sh
echo "$@" >> '{calls}'
case "$1" in
    --version) echo '{version}' ;;
    info) echo '{{"conda_prefix": "/none", "root_prefix": "/none", "platform": "linux-64"}}' ;;
    config) echo '{priority}' ;;
    *) exit 1 ;;
esac
"""


def test_snakemake_asks_only_what_conda_knows(facts, snakemake, workflow, tmp_path):
    """In the version that is pinned."""
    conda, calls = tmp_path / "recorder/conda", tmp_path / "calls"
    conda.parent.mkdir()
    priority = json.dumps(facts["channel_priority"])
    conda.write_text(RECORDER.format(calls=calls, version=facts["version"], priority=priority))
    conda.chmod(0o755)
    snakemake("--conda-create-envs-only", PATH=f"{conda.parent}:{DRIVER / 'bin'}:/usr/bin:/bin")
    created = [line for line in calls.read_text().splitlines() if line.startswith("env create ")]
    assert created
    options = {word for line in created for word in line.split() if word.startswith("--")}
    assert options
    assert options <= set(facts["env_create"])
    asked = re.findall(r'"(\w+)" *:', RECORDER)
    assert set(asked) <= set(facts["info"])


def test_version_is_understood(facts, monkeypatch, tmp_path):
    class Told(Done):
        stdout = facts["version"] + "\n"

    monkeypatch.setattr(setup.subprocess, "run", lambda *_, **__: Told)
    monkeypatch.setattr(setup, "ENVS", tmp_path)  # without environments, there is nothing to plan
    version, complaint = setup.examine(tmp_path / "conda")
    assert (f"conda {version}", complaint) == (facts["version"], "")


@pytest.mark.parametrize("file", ENVIRONMENTS, ids=lambda file: file.stem)
def test_environment_files_name_channels_that_exist_for_every_conda(file):
    channels = yaml.safe_load(file.read_text())["channels"]
    for facts in FACTS.values():
        assert facts["asked_for"][f"channels: [{', '.join(channels)}]"] == []


@pytest.mark.parametrize("file", ENVIRONMENTS, ids=lambda file: file.stem)
def test_what_builds_a_source_package_is_there_before_pip_starts(file):
    """gast 0.2.2 exists as source only; conda's pip would fetch the newest setuptools for it."""
    text = file.read_text()
    pins = dict(re.findall(r"^ +- (\S+)==(\S+) --hash", text, re.MULTILINE))
    specs = yaml.safe_load(text)["dependencies"]
    if pins.get("gast") == "0.2.2":
        assert {f"setuptools ={pins['setuptools']}", f"wheel ={pins['wheel']}"} <= set(specs[:-1])


def test_a_lock_with_a_source_package_gets_what_builds_it():
    spec = lock.Spec("some", "=3.7", (), "")
    builders = [wheel("setuptools", "68.0.0"), wheel("wheel", "0.42.0")]
    assert lock.build_specs(spec, builders) == []
    source = {"name": "gast", "version": "0.2.2", "sdist": {"url": "gast-0.2.2.tar.gz"}}
    found = lock.build_specs(spec, [source, *builders])
    assert found == ["setuptools =68.0.0", "wheel =0.42.0"]


def wheel(name, version):
    """A package of a pylock file that has a wheel."""
    url = f"x/{name}-{version}-py3-none-any.whl"
    return {"name": name, "version": version, "wheels": [{"url": url}]}
