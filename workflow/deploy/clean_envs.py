"""Remove the environments that Snakemake made for the rules, and say how much disk that frees.

Run as `make clean-envs`, or `make clean-envs NAME=figures` for one of them.
"""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PREFIXES = ROOT / ".snakemake/conda"


def environments(name: str = "") -> list[Path]:
    """Environments made from `envs/NAME.yaml` as it is now, or all of them, of older files too."""
    copies = sorted(PREFIXES.glob("*.yaml"))
    if name:
        wanted = (ROOT / "envs" / f"{name}.yaml").read_bytes()
        copies = [copy for copy in copies if copy.read_bytes() == wanted]
    return [copy.with_suffix("") for copy in copies]


def freed(prefix: Path) -> int:
    """Bytes that removing a folder frees: a file that uv's cache shares stays there."""
    found = (path.lstat() for path in prefix.rglob("*") if path.is_symlink() or path.is_file())
    return sum(status.st_blocks * 512 for status in found if status.st_nlink == 1)


def remove(prefix: Path) -> None:
    """Remove an environment and the files that Snakemake keeps beside it."""
    shutil.rmtree(prefix, ignore_errors=True)
    for beside in prefix.parent.glob(f"{prefix.name}.*"):
        beside.unlink()


def main(names: list[str]) -> None:
    """Remove the environments named, or all."""
    if names and not (ROOT / "envs" / f"{names[0]}.yaml").exists():
        known = ", ".join(sorted(path.stem for path in (ROOT / "envs").glob("*.yaml")))
        sys.exit(f"There is no environment '{names[0]}'; there are {known}.")
    total, found = 0, environments(*names)
    for prefix in found:
        total += freed(prefix)
        remove(prefix)
    what = f"{len(found)} environment{'' if len(found) == 1 else 's'}"
    where = PREFIXES.relative_to(ROOT)
    print(f"Removed {what} from {where}: {total / 1e6:,.0f} MB freed, besides what caches share.")


if __name__ == "__main__":
    main(sys.argv[1:])
