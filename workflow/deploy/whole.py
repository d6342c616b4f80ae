"""What jobs have written is known by its SHA-256: a file that was cut since is set aside.

A cut table, or a record of something else, would be read without an error. So each run looks at
what earlier runs have written (train/files.py notes it). What is no longer as it was gets another
name, and Snakemake makes it again.
"""

import json
import subprocess
from contextlib import suppress
from pathlib import Path

from train.files import SUMS, describe, hash_file


def set_aside(only_tell: bool) -> list[str]:
    """Rename each file that is not as a job has written it; return a sentence for each.

    What is missing is Snakemake's to make, and what git has as it stands is nobody's mistake.
    """
    told = []
    for file, size, time, digest in sorted(read_sums()):
        path = Path(file)
        if not path.is_file() or describe(file) == [size, time]:
            continue
        found, found_size = hash_file(file), path.stat().st_size
        if found == digest or is_committed(file):
            continue
        what = f"{found_size:,} bytes, expected {size:,}"
        if found_size == size:
            what = f"the SHA-256 {found[:8]}, expected {digest[:8]}"
        told.append(f"{file} is not as it was written: found {what}.")
        if not only_tell:
            path.replace(f"{file}.broken") if found_size else path.unlink()
            where = f"now {path.name}.broken" if found_size else "removed"
            told[-1] += f" It is {where}, and made again where it is needed."
    return told


def read_sums() -> list[tuple[str, int, int, str]]:
    """Return (file, bytes, time in ns, SHA-256) of each file that is known."""
    sums = []
    for path in Path(SUMS).glob("*.json"):
        with suppress(OSError, ValueError, TypeError):  # itself cut: its file is not known
            file, size, time, digest = json.loads(path.read_text(encoding="utf-8"))
            sums.append((str(file), int(size), int(time), str(digest)))
    return sums


def is_committed(file: str) -> bool:
    """Tell whether a file is as in the commit that is checked out."""
    commands = (["ls-files", "--error-unmatch", file], ["diff", "--quiet", "HEAD", "--", file])
    try:
        done = [subprocess.run(["git", *command], capture_output=True) for command in commands]
    except OSError:  # no git here
        return False
    return not any(each.returncode for each in done)
