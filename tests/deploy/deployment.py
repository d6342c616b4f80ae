"""Where the parts under test are, and small helpers of these tests."""

import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "workflow/deploy"
FRONT_END = DEPLOY / "conda/bin/conda"
DRIVER = ROOT / ".driver"
sys.path.insert(0, str(DEPLOY))

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
