"""A conda command for machines without conda: just the calls that `snakemake --use-conda` makes.

This is not conda. It belongs to the workflow bn-yes-or-no. uv makes an environment: a virtual one
of a Python of this machine, or of one that uv downloads, with the `pip:` part of the environment
file. Other conda packages are refused. A real conda that can plan the environments is used instead.
"""

import argparse
import ctypes
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml

from deploy.installed import INSTALL, find_damage
from deploy.locking import Lock
from deploy.package_index import uv

ROOT = Path(__file__).resolve().parents[2]
PREFIX = Path(__file__).resolve().with_name("conda")  # Snakemake finds bin/activate there
VERSION = "24.7.1"  # of the conda whose command line this follows; the least that Snakemake takes
ME = "conda front-end of bn-yes-or-no"
MADE = "conda-meta/history"  # by which conda knows an environment; written last
SHELLS = ("bash", "sh", "dash", "zsh", "ksh")
PYTHONS = ROOT / "envs/python.json"  # what uv does not know itself where to download


class Failure(Exception):
    """A mistake that the user is told in a sentence."""


def main() -> None:
    """Serve one call."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("conda", description=__doc__, formatter_class=as_written)
    parser.add_argument("--version", action="version", version=f"conda {VERSION} (the {ME})")
    calls = {"info": tell, "config": tell_setting, "env create": create, "clean": lambda _: None}
    parser.add_argument("call", nargs="+", help=f"one of: {', '.join(calls)} (which does nothing)")
    parser.add_argument("--get", metavar="KEY", help="config: only channel_priority")
    parser.add_argument("--file", "-f", type=Path, help="env create: what to install")
    parser.add_argument("--prefix", "-p", type=Path, help="env create: where to make it")
    for flag in ("dry-run", "json", "no-default-packages", "packages", "quiet", "tarballs", "yes"):
        short = ["-y"] if flag == "yes" else []
        parser.add_argument(f"--{flag}", *short, action="store_true", help="as in conda")
    args = parser.parse_args()
    call = " ".join(args.call)
    if call not in calls:
        parser.error(f"there is no '{call}' here")
    if call == "env create" and not (args.file and args.prefix):
        parser.error("required: --file and --prefix")
    try:
        calls[call](args)
    except Failure as failure:
        sys.exit(f"{ME}: {failure}")


def tell(_args: argparse.Namespace) -> None:
    """`conda info --json`: Snakemake wants the platform and where `bin/activate` is."""
    prefix = str(PREFIX)
    if re.search(r"[^\w@%+=:,./-]", prefix):
        # Snakemake writes `source PREFIX/bin/activate` without quotes.
        prefix = "'" + prefix.replace("'", "'\"'\"'") + "'"
    told = {"conda_prefix": prefix, "root_prefix": prefix, "platform": "linux-64"}
    print(json.dumps(told | {"conda_version": VERSION, "front_end": ME}, indent=2))


def tell_setting(args: argparse.Namespace) -> None:
    """`conda config --get channel_priority --json`: always strict."""
    if args.get != "channel_priority":
        raise Failure(f"'{args.get}' is not a setting that it has.")
    print(json.dumps({"get": {"channel_priority": "strict"}, "success": True}))


def create(args: argparse.Namespace) -> None:
    """`conda env create --file FILE --prefix PREFIX`; a dry run looks for the Python."""
    end_with_snakemake()
    python, pip = read_environment(args.file)
    version, executable = find_python(python)
    if not args.dry_run:
        with making(args.prefix.absolute()):
            told = ("--quiet", "--no-config", "--no-project", "--allow-existing")
            if uv("venv", *told, "--python", executable, args.prefix).returncode:
                raise Failure("uv could not make a virtual environment (see above).")
            install_wheels(args.prefix, pip, args.file)
    print(f"Python {version} ({executable}), {len(pip)} pinned wheels")


def read_environment(file: Path) -> tuple[str, list[str]]:
    """Return which Python an environment file asks for, as uv says it, and the pip lines."""
    if not file.is_file():
        raise Failure(f"there is no file {file}.")
    dependencies = (yaml.safe_load(file.read_text()) or {}).get("dependencies") or []
    pip = [line for entry in dependencies if isinstance(entry, dict) for line in entry["pip"]]
    pinned = {re.split(r"[^\w.-]", line)[0].lower() for line in pip}
    python = None
    for spec in (entry for entry in dependencies if isinstance(entry, str)):
        name, pin = re.findall(r"^(?:.*::)?([\w.-]*)\s*(.*)$", spec)[0]
        if name == "python":  # `=3.7` and `3.7` mean 3.7 with any further digits to conda
            python = re.sub(r"^=?(\d[\d.]*?)(\.\*)?$", r"==\1.*", pin)
        elif name not in {"pip", *pinned}:  # uv does what pip would do
            raise Failure(
                f"{file} asks for the conda package '{spec}'. Without a conda that can plan the "
                "environments, there is Python with wheels alone: install conda, or name the "
                "package in the pip part."
            )
    if python is None:
        raise Failure(f"{file} asks for no Python.")
    return python, pip


def find_python(pin: str) -> tuple[str, str]:
    """Return version and path of the newest CPython that uv finds on this machine, or downloads."""
    found = list_pythons(pin)
    if not found:
        for known in ((), ("--python-downloads-json-url", PYTHONS)):
            command = ("python", "install", "--no-bin", "--no-config", f"cpython{pin}", *known)
            said = uv(*command, capture_output=True, text=True).stderr
            if "No download found" not in said:
                break
        found = list_pythons(pin)
    if not found:
        version = "".join(re.findall(r"\d+\.\d+", pin)[:1])
        raise Failure(
            f"Python {pin} is needed, but this machine has none and uv can download none; install "
            f"conda, or this Python (for instance: pyenv install {version}, or python{version} "
            f"from your distribution). (uv: {' '.join(said.split())})"
        )
    return found[0]["version"], str(Path(found[0]["path"]).absolute())


def list_pythons(pin: str) -> list[dict[str, Any]]:
    """Return what uv finds, newest first, pyenv's and those below /opt included."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders = [*pyenv.glob("versions/*/bin"), *Path("/opt").glob("python*/bin")]
    path = [*map(str, folders), os.environ.get("PATH", ""), "/usr/local/bin", "/usr/bin"]
    path = [each for each in os.pathsep.join(path).split(os.pathsep) if each != f"{pyenv}/shims"]
    own = {"PATH": os.pathsep.join(path), "UV_PYTHON_PREFERENCE": "system"}
    command = ("python", "list", "--only-installed", "--no-config", "--output-format", "json")
    listed = uv(*command, f"cpython{pin}", env=own, capture_output=True, text=True)
    if listed.returncode:
        raise Failure(f"uv does not understand 'python {pin}': {listed.stderr.strip()}")
    return [found for found in json.loads(listed.stdout) if found["variant"] == "default"]


@contextmanager
def making(prefix: Path) -> Iterator[None]:
    """Make way for an environment, and mark it as whole after the block or leave nothing behind.

    Nothing of an interrupted creation survives; one that is under way is waited for.
    """
    with Lock(prefix.with_name(f"{prefix.name}.lock"), f"makes the environment {prefix}"):
        if (prefix / MADE).exists():
            raise Failure(f"{prefix} exists already.")
        if prefix.exists() and any(prefix.iterdir()) and not (prefix / MADE).parent.exists():
            raise Failure(f"{prefix} is not empty and no environment.")
        shutil.rmtree(prefix, ignore_errors=True)
        (prefix / MADE).parent.mkdir(parents=True)
        try:
            yield
        except BaseException:
            shutil.rmtree(prefix, ignore_errors=True)
            raise
        (prefix / MADE).write_text(f"{ME}\n")


def install_wheels(prefix: Path, lines: list[str], file: Path) -> None:
    """Install the `pip:` part with uv. One hash in the list makes hashes a duty, as for pip."""
    if not lines:
        return
    # The list lies beside the environment file: relative paths in the list start there.
    with tempfile.NamedTemporaryFile("w", suffix=".txt", dir=file.parent) as requirements:
        requirements.write("\n".join(lines) + "\n")
        requirements.flush()
        hashed = any("--hash=" in line for line in lines)
        # What builds a source package comes from the list, too, and its hash is checked, too.
        hashes = ["--require-hashes", "--require-build-hashes", "--build-constraint"]
        more = [*hashes, requirements.name] if hashed else []
        for again in INSTALL:
            told = ("--python", prefix / "bin/python", "--requirement", requirements.name)
            done = uv("pip", "install", "--quiet", *told, *more, *again, preexec_fn=end_with_parent)
            if done.returncode:
                raise Failure("uv could not install the pip part of the environment (see above).")
            if not find_damage(prefix):
                return
    raise Failure(f"{find_damage(prefix)} is missing or cut in what the package index has.")


def end_with_snakemake() -> None:
    """End when the Snakemake that called is gone: an orphan would go on writing.

    Between Snakemake and us are shells, which outlive Snakemake when it is killed.
    """

    def watch(caller: psutil.Process) -> None:
        caller.wait()
        os._exit(1)

    for caller in psutil.Process().parents():
        if caller.name() not in SHELLS:
            threading.Thread(target=watch, args=[caller], daemon=True).start()
            return


def end_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
