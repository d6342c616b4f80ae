"""Write the bill of materials of a lock, in CycloneDX's JSON, the same bytes on every run."""

import argparse
import subprocess
import sys
from pathlib import Path

from publish.locks import read_requirements


def main():
    """Hand the lock's pins to cyclonedx-py."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lock", type=Path, required=True, help="envs/NAME.yaml or driver.txt")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", "--output-reproducible"]
    command += ["--validate", "--output-file", options.output, "-"]
    pins = "\n".join(read_requirements(options.lock))
    sys.exit(subprocess.run(command, input=pins, text=True).returncode)
