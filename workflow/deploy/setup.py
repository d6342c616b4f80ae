"""Set up what drives the workflow: `.driver/`, a virtual environment, and a conda command.

One line tells which conda is used: a real conda that can plan the environments, as it is; or else
the front-end in `conda/`, by which uv makes them.

Run by `setup.sh` as `make setup`. Done once, it only checks that nothing has changed.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import NoReturn

from deploy.installed import INSTALL, find_damage, list_packages
from deploy.locking import Lock
from deploy.package_index import uv

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DRIVER = ROOT / ".driver"
PYTHON = DRIVER / "bin/python"
BASE = Path(sys.executable).resolve()  # known before a Python of .driver is removed
ENVS = ROOT / "envs"
LOCK = ENVS / "driver.txt"
FRONT_END = HERE / "conda/bin/conda"
ACTIVATION = DRIVER / "conda.sh"
STAMP = DRIVER / "setup.json"  # what `.driver` was made from, and what was found
LEAST_CONDA = (24, 7, 1)  # what Snakemake 9 asks for
# conda-forge comes first in every environment file; so no other channel can give what it has.
STRICT = {"CONDA_CHANNEL_PRIORITY": "strict"}
# Two settings of a user's pip keep conda's pip from installing into an environment.
PIP_MAY_INSTALL = {"PIP_REQUIRE_VIRTUALENV": "0", "PIP_USER": "0"}


def main() -> None:
    """Do what is not done yet, and print the line."""
    system, _, _, _, machine = os.uname()
    if (system, machine) != ("Linux", "x86_64"):
        stop(
            f"this is {system} on {machine}, but the frameworks of 2019 "
            "exist for Linux on x86-64 only; use such a machine, or a container of one."
        )
    conda = find_conda()
    stamp = read_stamp()
    if stamp.get("key") != fingerprint(conda):
        with Lock(ROOT / ".driver.lock", f"sets up {ROOT}"):  # two set-ups would disturb each other
            stamp = read_stamp()
            if stamp.get("key") != fingerprint(conda):
                stamp = make_driver(stamp)
                stamp |= {"line": choose_conda(conda), "key": fingerprint(conda)}
                STAMP.write_text(json.dumps(stamp))
    print(stamp["line"])


def choose_conda(conda: Path | None) -> str:
    """Write the activation for a real conda or for the front-end; return the line."""
    who = "no conda here"
    if conda:
        print("Asking whether conda can plan the environments ...", flush=True)
        version, complaint = examine(conda)
        who = f"conda {version} ({conda})"
        if not complaint:
            write_activation(conda)
            return f"Environments: {who}."
        who += f" cannot plan them ({complaint})"
    answers = ask(FRONT_END)
    for refused, said in answers:
        if refused:
            stop(said.partition(": ")[2])
    write_activation(None, front_end_first=bool(conda))
    pythons = sorted({said.partition(" (")[0] for _, said in answers})
    return f"Environments: {who}; uv makes them with {', '.join(pythons)}."


def stop(sentence: str) -> NoReturn:
    """End with a sentence for the user."""
    sys.exit(f"set-up: {sentence}")


def find_conda() -> Path | None:
    """Return a real conda: on PATH, or the one that `conda init` knows; never the front-end."""
    found = conda_on_path() or os.environ.get("CONDA_EXE")
    return Path(found) if found and os.access(found, os.X_OK) else None


def conda_on_path() -> str | None:
    """Return a real conda on PATH; the front-end may be there too, of this clone or another."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    real = [folder for folder in folders if Path(folder).parts[-3:] != FRONT_END.parts[-4:-1]]
    return shutil.which("conda", path=os.pathsep.join(real))


def fingerprint(conda: Path | None) -> str:
    """Return a hash of everything that set-up depends on, and of the activation that it writes."""
    files = [LOCK, *sorted(ENVS.glob("*.yaml")), *sorted(HERE.glob("*.py")), ACTIVATION]
    contents = [file.read_bytes() for file in files if file.exists()]
    # These change with an update of a conda; to ask for its version each time would take too long.
    state = [conda, conda.parents[1] / "conda-meta/history"] if conda else []
    times = [str(file.stat().st_mtime_ns) for file in state if file.exists()]
    facts = [str(ROOT), str(conda), *times, os.environ.get("CONDARC", "")]
    return hashlib.sha256(b"\0".join(contents) + "\0".join(facts).encode()).hexdigest()


def read_stamp() -> dict:
    """Return what the last set-up has noted; only the `damage` where the driver is not whole.

    Packages may have been added.
    """
    needed = [PYTHON, DRIVER / "bin/activate", DRIVER / "pyvenv.cfg"]
    try:
        stamp = json.loads(STAMP.read_text())
        absent = sorted({*stamp["packages"]} - {*list_packages(DRIVER)})
    except (OSError, ValueError, TypeError, KeyError):
        return {}
    lacking = [*(str(file) for file in needed if not file.exists()), *absent]
    damage = lacking[0] if lacking else find_damage(DRIVER)
    return {"damage": damage} if damage else stamp


def examine(conda: Path) -> tuple[str, str]:
    """Return the version of a real conda, and why it cannot plan the environments, if so."""
    try:
        told = subprocess.run([conda, "--version"], capture_output=True, text=True).stdout
    except OSError:  # the Python of this conda has gone
        told = ""
    # Some condas print the version of mamba first.
    found = re.search(r"^conda ((\d+)\.(\d+)\.(\d+))", told, re.MULTILINE)
    if not found:
        return "of unknown version", "it does not tell its version"
    if tuple(map(int, found.groups()[1:])) < LEAST_CONDA:
        return found[1], f"Snakemake needs {'.'.join(map(str, LEAST_CONDA))} or newer"
    return found[1], next((said for refused, said in ask(conda) if refused), "")


def make_driver(stamp: dict) -> dict:
    """Make the virtual environment from its lock, unless this very lock made it and it is whole."""
    digest = hashlib.sha256(LOCK.read_bytes() + str(ROOT).encode()).hexdigest()
    if stamp.get("made_from") == digest:
        return stamp
    if damage := stamp.get("damage"):
        print(f"The driver environment is not whole: {damage} is missing or cut.", flush=True)
    print("Setting up the driver environment in .driver/ ...", flush=True)
    base = Path(getattr(sys, "_base_executable", sys.executable))
    if base.is_relative_to(DRIVER):  # a Python without its pyvenv.cfg takes itself for the base
        base = BASE
    remove_driver()
    try:
        subprocess.run([base, "-m", "venv", DRIVER], check=True)
        install_uv()
        install_lock()
    except BaseException:
        remove_driver()
        raise
    with (DRIVER / "bin/activate").open("a") as activate:
        activate.write('\n. "$VIRTUAL_ENV/conda.sh"\n')
    stamp = {"made_from": digest, "packages": list_packages(DRIVER)}
    STAMP.write_text(json.dumps(stamp))  # what comes now may fail, without need to do this again
    return stamp


def remove_driver() -> None:
    """Remove the virtual environment, or what is in its place."""
    if DRIVER.is_dir() and not DRIVER.is_symlink():
        shutil.rmtree(DRIVER)
    else:  # a file, or a link that leads nowhere
        DRIVER.unlink(missing_ok=True)


def install_uv() -> None:
    """Install uv alone, hash-checked; this also shows whether a package index answers."""
    entry = re.findall(r"^uv==(?:.*\\\n)*.*\n", LOCK.read_text(), re.MULTILINE)[0]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(entry)
        requirements.flush()
        command: list[str | Path] = [PYTHON, "-m", "pip", "install", "--quiet", "--no-deps"]
        command += ["--require-hashes", "--retries", "1", "--disable-pip-version-check"]
        command += ["--requirement", requirements.name]
        own = os.environ | {"PIP_USER": "0"}
        done = subprocess.run(command, env=own, capture_output=True, text=True)
    if done.returncode:
        reason = next((li for li in done.stderr.splitlines() if li.startswith("ERROR")), "")
        if "HASHES" in done.stderr:
            stop(f"the package index has other files than envs/driver.txt names. (pip: {reason})")
        stop(
            "no Python package index answered; connect to the network, or name a mirror in "
            f"PIP_INDEX_URL. (pip: {reason.removeprefix('ERROR: ')})"
        )


def install_lock() -> None:
    """Install the driver's lock with uv."""
    told = ("pip", "install", "--quiet", "--require-hashes", "--python", PYTHON, "-r", LOCK)
    for again in INSTALL:
        if uv(*told, *again, python=PYTHON).returncode:
            stop("the driver environment could not be installed (uv tells why above).")
        if not find_damage(DRIVER):
            return
    stop(f"{find_damage(DRIVER)} is missing or cut in what the package index has.")


def ask(conda: Path) -> list[tuple[int, str]]:
    """Ask a conda to plan the environments; return the status and the last words of each answer.

    A search would not do: conda then looks at other channels than when it makes an environment.
    """
    alike = {
        file.read_text().partition("- pip:")[0].partition("channels:")[2]: file
        for file in ENVS.glob("*.yaml")
    }
    with ThreadPoolExecutor() as pool:
        return list(pool.map(plan, repeat(conda), alike.values()))


def plan(conda: Path, file: Path) -> tuple[int, str]:
    """Ask a conda to plan one environment; return its status and its last words."""
    quick = {"CONDA_REMOTE_CONNECT_TIMEOUT_SECS": "5", "CONDA_REMOTE_MAX_RETRIES": "0"}
    with tempfile.TemporaryDirectory() as folder:
        command: list[str | Path] = [conda, "env", "create", "--dry-run", "--quiet", "--file", file]
        asked = subprocess.run(
            [*command, "--prefix", Path(folder, "planned")],
            env=quick | STRICT | os.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    said = [line.strip() for line in (asked.stdout + asked.stderr).splitlines() if line.strip()]
    return asked.returncode, (said or ["nothing"])[-1]


def write_activation(conda: Path | None, front_end_first: bool = False) -> None:
    """Write what `source .driver/bin/activate` adds, for a real conda or for the front-end.

    A user's own commands come first, except a conda that cannot plan the environments.
    """
    lines = ["# Sourced by bin/activate; written by the set-up of the workflow."]
    # Container images often set this variable: Snakemake would be compiled anew at every start.
    # Modules on PYTHONPATH are of another Python.
    lines.append("unset PYTHONDONTWRITEBYTECODE PYTHONPATH")
    # Snakemake and uv end in a traceback where they cannot have a folder for their caches.
    lines.append('cache="${XDG_CACHE_HOME:-${HOME:-$VIRTUAL_ENV}/.cache}"')
    lines.append('{ mkdir -p "$cache" && [ -w "$cache" ]; } 2> /dev/null ||')
    folders = ("XDG_CACHE_HOME=$VIRTUAL_ENV/cache", "UV_PYTHON_INSTALL_DIR=$VIRTUAL_ENV/python")
    lines.append(f'    export "{folders[0]}" "{folders[1]}"')
    # Another clone that is active in this shell may have put its front-end on PATH.
    front_end = "/".join(FRONT_END.parts[-4:-1])
    lines.append(f"PATH=$(printf %s \"$PATH\" | sed 's#[^:]*/{front_end}:*##g')")
    ours = f"${{VIRTUAL_ENV%/.driver}}/workflow/{front_end}"
    if not conda:
        lines.append(f'PATH="{ours}:$PATH"' if front_end_first else f'PATH="$PATH:{ours}"')
    else:
        settings = STRICT | PIP_MAY_INSTALL
        lines += [f"export {name}={value}" for name, value in settings.items()]
        if not conda_on_path():  # this folder holds `conda` alone
            lines.append(f'PATH="{conda.parents[1] / "condabin"}:$PATH"')
    ACTIVATION.write_text("\n".join(lines) + "\n")
