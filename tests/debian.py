"""Installing Debian packages that tests need, with the standard library only."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


class Unavailable(Exception):
    """Why something that a test needs cannot be had here."""


def install_packages(*packages):
    """Install packages, as root. Raises Unavailable with the reason where they cannot be.

    One process at a time: two that install at once would refuse each other the package manager.
    """
    apt = shutil.which("apt-get")
    if os.geteuid() != 0 or not apt:
        raise Unavailable(f"{', '.join(packages)}: only root on Debian can install them")
    # The daemons that some packages would start are not wanted.
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    wait = ("-o", "DPkg::Lock::Timeout=600")  # seconds; for a package manager that others started
    with (Path(tempfile.gettempdir()) / "bn-yes-or-no-apt.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            done = subprocess.run(
                [apt, *wait, *command], env=environment, capture_output=True, text=True
            )
    if done.returncode:
        raise Unavailable(f"{', '.join(packages)}: {done.stderr[-500:]}")
