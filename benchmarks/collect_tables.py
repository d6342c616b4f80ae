"""Time and memory of collecting tables from many records.

    python benchmarks/collect_tables.py --records 10000 --steps 500

A record has two rows in steps.csv for each step. Prints one line per size; the files are made in a
temporary folder and removed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "tests"), str(ROOT / "workflow")]

from planted import make_record  # noqa: E402

BULK = "A" * 200_000  # a real record holds about as much that no table needs


def write_records(folder, records, steps):
    """Write so many records with so many steps each, and the list of their files."""
    record = make_record(epochs=steps // 2)
    record["step_weights_base64"] = [BULK]
    files = []
    for seed in range(records):
        record["cell"]["seed"] = seed
        path = folder / f"runs/variants1-seed{seed}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record) + "\n")
        files.append(path)
    (folder / "files.txt").write_text("\n".join(map(str, files)))


def collect(folder):
    """Run the rule's script; return (seconds, largest resident memory in MB)."""
    outputs = [f"--{name}={folder}/{name}.csv" for name in ("runs", "epochs", "steps", "layers")]
    command = [
        sys.executable,
        ROOT / "workflow",
        "judge.records",
        "--records",
        f"@{folder}/files.txt",
        *outputs,
    ]
    begin = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit("judge.records failed")
    return time.perf_counter() - begin, usage.ru_maxrss / 1024


def main():
    """Measure one size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=60, help="training steps of a record")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_records(folder, options.records, options.steps)
        seconds, memory = collect(folder)
        with (folder / "steps.csv").open("rb") as stream:
            rows = sum(1 for _ in stream) - 1
    print(f"{options.records} records, {rows} rows of steps.csv: {seconds:.0f} s, {memory:.0f} MB")


if __name__ == "__main__":
    main()
