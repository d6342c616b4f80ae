"""Remove the environments that Snakemake made for the rules, and say how much disk that frees.

Run as `make clean-envs`, or `make clean-envs NAME=figures` for one of them. Where Snakemake keeps
environments elsewhere (`--conda-prefix`, SNAKEMAKE_CONDA_PREFIX), PREFIX says where; there, only
those of this workflow's files as they are now are removed, since others may share the folder. While
a run uses environments of the folder, none is removed.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

from deploy.locking import MAKING, USING, Lock, find_holders

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / ".snakemake/conda"  # where Snakemake keeps them by default; nobody shares it


def environments(folder: Path, name: str = "") -> list[Path]:
    """Return environments in a folder made from `envs/NAME.yaml` as it is now, or from any file.

    In this clone's own folder, those of older files too.
    """
    copies = sorted(folder.glob("*.yaml"))
    if name or folder.resolve() != OWN.resolve():
        wanted = {file.read_bytes() for file in (ROOT / "envs").glob(f"{name or '*'}.yaml")}
        copies = [copy for copy in copies if copy.read_bytes() in wanted]
    return [copy.with_suffix("") for copy in copies]


def freed(prefix: Path) -> int:
    """Return bytes that removing a folder frees: a file that uv's cache shares stays there."""
    found = (path.lstat() for path in prefix.rglob("*") if path.is_symlink() or path.is_file())
    return sum(status.st_blocks * 512 for status in found if status.st_nlink == 1)


def remove(prefix: Path) -> None:
    """Remove an environment and the files that Snakemake keeps beside it."""
    shutil.rmtree(prefix, ignore_errors=True)
    for beside in prefix.parent.glob(f"{prefix.name}.*"):
        beside.unlink()


def main() -> None:
    """Remove the environments named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", default="", help="of a file in envs/ (default: all)")
    shared = os.environ.get("SNAKEMAKE_CONDA_PREFIX") or OWN
    parser.add_argument("--prefix", type=Path, default=shared, help="folder that holds them")
    args = parser.parse_args()
    if args.name and not (ROOT / "envs" / f"{args.name}.yaml").exists():
        known = ", ".join(sorted(path.stem for path in (ROOT / "envs").glob("*.yaml")))
        sys.exit(f"There is no environment '{args.name}'; there are {known}.")
    folder = Path(args.prefix)
    total, found = 0, environments(folder, args.name)
    with Lock(folder / MAKING, f"removes environments from {folder}"):
        if users := find_holders(folder / f"{USING}*"):
            sys.exit(f"Nothing was removed from {folder}: in use by {', '.join(users)}.")
        for prefix in found:
            total += freed(prefix)
            remove(prefix)
    what = f"{len(found)} environment{'' if len(found) == 1 else 's'}"
    where = folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder
    print(f"Removed {what} from {where}: {total / 1e6:,.0f} MB are free now, caches keep the rest.")
