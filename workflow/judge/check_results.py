"""Compare the tables of this run with the committed ones; `make check`.

Exit status: 0 the same bytes, 1 differences within the documented spread, 2 beyond it. What the
spread is, and where it comes from, is said in judge/check.py.
"""

import argparse
import io
import subprocess
import sys
from pathlib import Path

from judge.check import compare, describe
from judge.tables import read_table


def main():
    """Print what differs; exit with the status that says how far."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=Path, default=Path("results/tables"))
    parser.add_argument("--reference", default="HEAD", help="the commit to compare with")
    options = parser.parse_args()
    paths = committed_tables(options.reference, options.tables)
    changed = [
        path for path in paths if path.exists() and path.read_bytes() != committed(options, path)
    ]
    absent = [str(path) for path in paths if not path.exists()]
    if absent:
        print(f"Not there, but committed: {', '.join(absent)}. Run `make reproduce`.")
        sys.exit(2)
    if not changed:
        print(f"All {len(paths)} tables are those of {options.reference}, byte for byte.")
        return
    reference = {path.stem: read_table(io.BytesIO(committed(options, path))) for path in paths}
    fresh = {path.stem: read_table(path) for path in options.tables.glob("*.csv")}
    differences = compare(reference, fresh)
    print("\n".join(describe(differences)))
    beyond = [one for one in differences if not one.within]
    print(
        f"{len(changed)} of {len(paths)} tables differ from {options.reference}: "
        + (f"{len(beyond)} columns beyond the spread." if beyond else "within the spread.")
    )
    sys.exit(2 if beyond else 1)


def committed_tables(reference, folder):
    """Return the paths of the tables that a commit has in a folder."""
    listed = git("ls-tree", "--name-only", reference, f"{folder}/").decode().split()
    if not listed:
        sys.exit(f"judge.check_results: {reference} has no {folder}; expected committed tables")
    return [Path(name) for name in listed if name.endswith(".csv")]


def committed(options, path):
    """Return the bytes of a committed table."""
    return git("show", f"{options.reference}:{path.as_posix()}")


def git(*arguments):
    """Return what a git command prints; leave with its message when it fails."""
    done = subprocess.run(["git", *arguments], capture_output=True)
    if done.returncode:
        sys.exit(f"judge.check_results: git {arguments[0]}: {done.stderr.decode().strip()}")
    return done.stdout


if __name__ == "__main__":
    main()
