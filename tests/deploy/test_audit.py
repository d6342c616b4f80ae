"""Locks as requirements, and what an audit of them says."""

import json
import re

import pytest
from publish.locks import read_requirements
from repository import ROOT

from envs import audit

LOCKS = [ROOT / "envs/driver.txt", *sorted((ROOT / "envs").glob("*.yaml"))]
CLEAN = {"name": "numpy", "version": "2.4.6", "vulns": []}
FLAWED = {"name": "six", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
SKIPPED = {"name": "ours", "skip_reason": "not found"}


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_requirements_are_the_pins_of_the_lock(path):
    text, lines = path.read_text(encoding="utf-8"), read_requirements(path)
    assert len(lines) == len(re.findall(r"^(?:      - )?[a-z][\w.-]*==", text, re.MULTILINE))
    assert sum(line.count("--hash=sha256:") for line in lines) == text.count("--hash=sha256:")


def test_lock_without_hashes_is_refused(tmp_path):
    (tmp_path / "bare.yaml").write_text("dependencies:\n  - pip:\n      - six==1.17.0\n")
    with pytest.raises(ValueError, match=r"bare.yaml: expected pins, each with its hashes"):
        read_requirements(tmp_path / "bare.yaml")


@pytest.mark.parametrize(
    ("answers", "status", "said"),
    [
        ({"a": [CLEAN]}, 0, "Nothing is known against the 1 packages of a."),
        ({"a": [CLEAN, FLAWED]}, 1, "a: six 1.0: PYSEC-1 (fixed in 1.1)"),
        ({"a": None}, 3, "Not audited: a;"),
        ({"a": [CLEAN, SKIPPED]}, 3, "Not audited: a;"),  # a clean bill of half is none
        ({"a": [FLAWED], "b": None}, 1, "Not audited: b;"),
    ],
)
def test_audit_says_what_is_known_and_what_could_not_be_looked_up(answers, status, said):
    found, lines = audit.describe(answers)
    assert found == status
    assert any(line.startswith(said) for line in lines)


class Answer:
    """A finished pip-audit."""

    def __init__(self, stdout="", stderr=""):
        self.stdout, self.stderr = stdout, stderr


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (Answer(json.dumps({"dependencies": [FLAWED]})), [FLAWED]),
        (Answer(json.dumps({"dependencies": [CLEAN, SKIPPED]})), [CLEAN, SKIPPED]),
        (Answer(stderr="requests.exceptions.ConnectionError: no route"), None),
    ],
)
def test_answers_of_pip_audit(monkeypatch, answer, found):
    asked = []
    monkeypatch.setattr(
        audit.subprocess, "run", lambda command, **_: asked.append(command) or answer
    )
    assert audit.look_up(ROOT / "envs/figures.yaml") == found
    assert asked[0][asked[0].index("--vulnerability-service") + 1] == "osv"


def test_a_failure_of_pip_audit_is_told(monkeypatch):
    broken = Answer(stderr="unknown option")
    monkeypatch.setattr(audit.subprocess, "run", lambda *_, **__: broken)
    with pytest.raises(SystemExit, match=r"pip-audit failed on .*figures.yaml:\nunknown option"):
        audit.look_up(ROOT / "envs/figures.yaml")
