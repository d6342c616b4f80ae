"""Where the parts under test are, and small helpers of these tests."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "workflow/deploy"
FRONT_END = DEPLOY / "conda/bin/conda"
DRIVER = ROOT / ".driver"

# A workflow of one rule, which needs an environment.
RULE = """
rule tell:
    output: "told.txt"
    conda: "small.yaml"
    shell: "python -c 'import sys, tiny; print(sys.prefix, tiny.answer)' > {output}"
"""


@dataclass
class Result:
    """How a command ended."""

    code: int
    output: str


def copy_modules(folder):
    """Copy what set-up, the front-end and the removal of environments run into another folder."""
    for room in ("deploy", "train"):
        source = DEPLOY.with_name(room)
        shutil.copytree(
            source, folder / "workflow" / room, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(DEPLOY.with_name("__main__.py"), folder / "workflow")


def other_python(version: str) -> Path:
    """Return a Python of this machine that pyenv keeps."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(root.glob(f"versions/{version}.*/bin/python"))
    if not found:
        pytest.skip(f"this machine has no Python {version} under pyenv")
    return found[-1]
