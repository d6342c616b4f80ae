"""Locks, envs/*.yaml and envs/driver.txt, as pip's requirements."""

import re

PIN = re.compile(r"^ *(?:- )?([\w.-]+==.+)$", re.MULTILINE)


def read_requirements(path):
    """Return the pins of a lock as lines of a requirements file, each with its hashes.

    Raises ValueError for a file without any.
    """
    joined = path.read_text(encoding="utf-8").replace("\\\n", " ")
    pins = [re.sub(r"\s+", " ", pin.strip()) for pin in PIN.findall(joined)]
    if not pins or not all(" --hash=sha256:" in pin for pin in pins):
        raise ValueError(f"{path}: expected pins, each with its hashes; found {len(pins)} pins.")
    return pins
