"""How long each environment takes to build from empty caches: envs/build-seconds.csv.

    . .driver/bin/activate && python benchmarks/environments.py [NAME ...]

The workflow says these seconds at a terminal while it builds. Names given are measured again, the
other rows are kept.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "envs/build-seconds.csv"
CACHES = {
    "UV_CACHE_DIR": "uv",
    "PIP_CACHE_DIR": "pip",
    "CONDA_PKGS_DIRS": "packages",
    "XDG_CACHE_HOME": "cache",
}


def main():
    """Measure the environments named, or all, and write the table."""
    names = sys.argv[1:]
    files = [f"envs/{path.name}" for path in sorted(ROOT.glob("envs/*.yaml"))]
    with TABLE.open(encoding="utf-8", newline="") as stream:
        seconds = {row["file"]: row["seconds"] for row in csv.DictReader(stream)}
    for file in files:
        if not names or Path(file).stem in names:
            seconds[file] = measure(file)
            print(f"{file}: {seconds[file]} s", flush=True)
    with TABLE.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([("file", "seconds"), *((f, seconds[f]) for f in files if f in seconds)])


def measure(file):
    """Build an environment with empty caches; return whole seconds."""
    with tempfile.TemporaryDirectory() as folder:
        environ = os.environ | {name: f"{folder}/{part}" for name, part in CACHES.items()}
        command = ["conda", "env", "create", "--quiet", "--file", file]
        begin = time.perf_counter()
        subprocess.run(
            [*command, "--prefix", f"{folder}/prefix"], cwd=ROOT, env=environ, check=True
        )
        return round(time.perf_counter() - begin)


if __name__ == "__main__":
    main()
