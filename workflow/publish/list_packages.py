"""List what is installed in this environment: Python, conda packages, wheels, with known hashes.

Python 3.7, standard library.
"""

import argparse
import csv
import json
import re
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

from train.files import hash_file

from publish.locks import read_pins

COLUMNS = ["manager", "name", "version", "build", "sha256"]


def conda_packages(prefix: Path) -> Iterator[Dict[str, str]]:
    """Yield a row per conda package, from the prefix's own records."""
    for path in sorted((prefix / "conda-meta").glob("*.json")):
        package = json.loads(path.read_text(encoding="utf-8"))
        # conda names the channels behind `defaults` so. These channels have other packages.
        if "/pkgs/" in str(package.get("channel")):
            sys.exit(
                "{}: {} {} comes from {}, expected conda-forge; set `channel_priority: strict` in "
                "your .condarc, run `make clean-envs`, and start again.".format(
                    path, package["name"], package["version"], package["channel"]
                )
            )
        yield {
            "manager": "conda",
            "name": package["name"],
            "version": package["version"],
            "build": package.get("build", ""),
            "sha256": package.get("sha256") or "",
        }


def describe_python() -> Dict[str, str]:
    """Return the row of a virtual environment's Python: where its executable is, and its hash."""
    executable = Path(sys.executable).resolve()
    return {
        "manager": "machine",
        "name": "python",
        "version": "{}.{}.{}".format(*sys.version_info),
        "build": str(executable),
        "sha256": hash_file(executable),
    }


def installed_wheels(prefix: Path) -> Iterator[Tuple[str, str]]:
    """Yield (name, version) per distribution in the prefix's site-packages."""
    library = prefix / "lib" / "python{}.{}".format(*sys.version_info[:2])
    for path in sorted((library / "site-packages").glob("*.dist-info/METADATA")):
        header = path.read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
        fields = dict(re.findall(r"^(Name|Version): (.+)$", header, flags=re.MULTILINE))
        yield fields["Name"], fields["Version"]


def pinned_hashes(environment_file: Path) -> Dict[Tuple[str, str], str]:
    """Return {(normalized name, version): hashes joined by a blank} of the file's pip section."""
    pins = read_pins(environment_file)
    return {(normalize(pin.name), pin.version): " ".join(pin.hashes) for pin in pins}


def normalize(name: str) -> str:
    """Return a distribution's name as the package index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def list_packages(prefix: Path, environment_file: Path) -> List[Dict[str, str]]:
    """Return the rows of the list, Python or conda packages first, each group sorted by name.

    A wheel may be pinned with several hashes, one per platform; all are given.
    """
    conda = sorted(conda_packages(prefix), key=lambda row: row["name"]) or [describe_python()]
    known = {(normalize(row["name"]), row["version"]) for row in conda}
    pins = pinned_hashes(environment_file)
    wheels = [
        {
            "manager": "pip",
            "name": normalize(name),
            "version": version,
            "build": "",
            "sha256": pins.get((normalize(name), version), ""),
        }
        for name, version in installed_wheels(prefix)
        if (normalize(name), version) not in known
    ]
    return conda + sorted(wheels, key=lambda row: row["name"])


def main() -> None:
    """Write the list of the environment that runs this script."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environment-file", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    with options.output.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(list_packages(Path(sys.prefix), options.environment_file))
