"""Whether what was installed is still there (standard library only)."""

import csv
import os
from pathlib import Path

# Options for uv, one after the other until the environment is whole: uv does not check the unpacked
# files of its cache.
INSTALL = ((), ("--reinstall", "--no-cache"))


def list_packages(prefix: Path) -> list[str]:
    """Return names of the packages in an environment."""
    records = prefix.glob("lib/python3*/site-packages/*.dist-info/RECORD")
    return sorted(record.parent.name.partition("-")[0] for record in records)


def find_damage(prefix: Path) -> str:
    """Return the first file of an environment that is missing or has not the size that is noted.

    Empty where there is none. Wheels list their files, with sizes, in RECORD; what conda repacks
    may differ from that, and what is compiled has no size there.
    """
    for record in sorted(prefix.glob("lib/python3*/site-packages/*.dist-info/RECORD")):
        installer = record.with_name("INSTALLER")
        if installer.exists() and installer.read_text().strip() == "conda":
            continue
        folder = str(record.parents[1])
        with record.open(newline="", encoding="utf-8") as stream:
            for name, _, size in csv.reader(stream):
                try:
                    found = os.stat(f"{folder}/{name}").st_size  # noqa: PTH116 (so many)
                except OSError:
                    found = None
                if found != int(size or found or 0) and not name.endswith(".pyc"):
                    return os.path.normpath(f"{folder}/{name}")
    return ""
