"""Where the parts under test are, and small helpers of these tests."""

import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "workflow/deploy"
FRONT_END = DEPLOY / "conda/bin/conda"
DRIVER = ROOT / ".driver"
sys.path.insert(0, str(DEPLOY))


@dataclass
class Result:
    """How a command ended."""

    code: int
    output: str
