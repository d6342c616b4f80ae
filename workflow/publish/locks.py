"""Locks, envs/*.yaml and envs/driver.txt: their pins; as a command, as requirements.

Python 3.7, standard library.

A pin is a line, which driver.txt continues: [- ]NAME==VERSION [; MARKER] --hash=sha256:...
"""

import sys
from pathlib import Path
from typing import List, NamedTuple, Tuple


class Pin(NamedTuple):
    """One release of a distribution, and the SHA-256 of every file of it that is admitted."""

    name: str  # without extras
    version: str
    marker: str  # the Pythons that it is for; empty: all
    hashes: Tuple[str, ...]  # hexadecimal digits
    line: str  # as in a requirements file

    @property
    def requirement(self) -> str:
        """NAME==VERSION [; MARKER], with extras."""
        return self.line.partition(" --hash=")[0]


def read_pins(path: Path) -> List[Pin]:
    """Return the pins of a lock, in their order."""
    joined = path.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = (line.strip() for line in joined.splitlines())
    return [parse_pin(line) for line in lines if "==" in line and not line.startswith("#")]


def parse_pin(line: str) -> Pin:
    """Return the pin of a line."""
    line = " ".join(line[2:].strip("'\"").split() if line.startswith("- ") else line.split())
    release, *hashes = line.split(" --hash=sha256:")
    requirement, _, marker = release.partition(" ; ")
    name, _, version = requirement.partition("==")
    return Pin(name.partition("[")[0], version, marker, tuple(hashes), line)


def read_requirements(path: Path) -> List[str]:
    """Return the pins of a lock as lines of a requirements file, each with its hashes.

    Raises ValueError for a file without any.
    """
    pins = read_pins(path)
    if not pins or not all(pin.hashes for pin in pins):
        raise ValueError(
            "{}: expected pins, each with its hashes; found {} pins.".format(path, len(pins))
        )
    return [pin.line for pin in pins]


def main() -> None:
    """Print the pins of a lock as a requirements file."""
    print("\n".join(read_requirements(Path(sys.argv[1]))))
