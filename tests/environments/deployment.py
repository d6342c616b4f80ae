"""Where the parts under test are, and small helpers of these tests."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "workflow/deploy"
FRONT_END = DEPLOY / "conda/bin/conda"
DRIVER = ROOT / ".driver"
sys.path.insert(0, str(DEPLOY))


def wait_until(condition, seconds: float = 20) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@dataclass
class Result:
    """How a command ended."""

    code: int
    output: str
