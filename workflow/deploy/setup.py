"""Set up what drives the workflow: `.driver/`, a virtual environment, and a conda command.

One line tells which conda is used and where its packages come from:

- a real conda that can plan the environments is used as it is;
- a real conda that cannot is pointed at a local channel made of this machine's Pythons;
- without conda, the front-end in `conda/` takes packages from conda-forge;
- without either, the front-end takes them from the local channel.

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
from functools import partial
from pathlib import Path

import interpreters
from installed import INSTALL, find_damage, list_packages
from locking import Lock
from package_index import uv_environment

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DRIVER = ROOT / ".driver"
PYTHON = DRIVER / "bin/python"
BASE = Path(sys.executable).resolve()  # before any of it is removed
ENVS = ROOT / "envs"
LOCK = ENVS / "driver.txt"
FRONT_END = HERE / "conda/bin/conda"
CHANNEL = DRIVER / "channel"  # survives .driver being made again: it may come from elsewhere
CONDARC = DRIVER / "condarc"
ACTIVATION = DRIVER / "conda.sh"
MADE = DRIVER / "driver.json"  # what the virtual environment was made from, and holds
STAMP = DRIVER / "setup.json"
LEAST_CONDA = (24, 7, 1)  # what Snakemake 9 asks for
# conda-forge comes first in every environment file; so no other channel can give what it has.
STRICT = {"CONDA_CHANNEL_PRIORITY": "strict"}
# A user's settings for pip that keep conda's pip out of the environment that it installs into.
PIP_MAY_INSTALL = {"PIP_REQUIRE_VIRTUALENV": "0", "PIP_USER": "0"}
CONDA_FORGE = "https://conda.anaconda.org/conda-forge/noarch/repodata.json.zst"
SOURCES = ("setup.py", "installed.py", "interpreters.py", "machine_channel.py")


def main() -> None:
    """Do what is not done yet, and print the line."""
    forget_condarc_of_a_clone()
    system, _, _, _, machine = os.uname()
    if (system, machine) != ("Linux", "x86_64"):
        stop(
            f"this is {system} on {machine}, but the frameworks of 2019 "
            "exist for Linux on x86-64 only; use such a machine, or a container of one."
        )
    conda = find_conda()
    key = fingerprint(conda)
    stamp = read_stamp()
    if stamp.get("key") != key:
        with Lock(ROOT / ".driver.lock", f"sets up {ROOT}"):  # two would disturb each other
            stamp = read_stamp()
            if stamp.get("key") != key:
                stamp = set_up(conda) | {"key": key, "files": list_files()}
                STAMP.write_text(json.dumps(stamp, indent=1))
    print(stamp["line"])


def set_up(conda: Path | None) -> dict:
    """All of set-up; the cheap checks come first."""
    version = conda and check_conda(conda)
    pins = interpreters.python_pins(ENVS)
    check_pythons(conda, pins)
    make_driver()
    CONDARC.unlink(missing_ok=True)
    print("Asking whether conda-forge answers ...", flush=True)
    local = ""
    if refuses(conda or FRONT_END):
        local = make_channel(pins)
        complaint = refuses(conda, CONDARC=str(CONDARC)) if conda else ""
        if complaint:
            stop(
                f"{conda} reaches no conda-forge, and does not take the local channel in "
                f"{CONDARC} either; look at the channels in your .condarc. (conda: {complaint})"
            )
    write_activation(conda, local=bool(local))
    return {"line": describe(conda, version, local)}


def forget_condarc_of_a_clone() -> None:
    """Undo a CONDARC that the activation of a clone, this or another one, has set.

    With it, any conda would seem to reach conda-forge, until the shell is closed.
    """
    if Path(os.environ.get("CONDARC", "")).parts[-2:] == (".driver", "condarc"):
        del os.environ["CONDARC"]


def describe(conda: Path | None, version: str | None, local: str) -> str:
    """The line that tells which case applies."""
    who = f"conda {version} ({conda})" if conda else "no conda here: the workflow's own front-end"
    if not local:
        return f"Environments: {who}, packages from conda-forge."
    return f"Environments: {who}; no conda-forge: a local channel of this machine's Python {local}."


def stop(sentence: str) -> None:
    """End with a sentence for the user."""
    sys.exit(f"set-up: {sentence}")


def find_conda() -> Path | None:
    """A real conda: on PATH, or the one that `conda init` knows. The front-end does not count."""
    found = conda_on_path() or os.environ.get("CONDA_EXE")
    return Path(found) if found and os.access(found, os.X_OK) else None


def conda_on_path() -> str | None:
    """A real conda on PATH."""
    folders = [f for f in os.environ.get("PATH", "").split(os.pathsep) if not is_front_end(f)]
    return shutil.which("conda", path=os.pathsep.join(folders))


def is_front_end(folder: str) -> bool:
    """Say whether a folder on PATH is that of the front-end, of this clone or another."""
    return (Path(folder).parent / "frontend.py").exists()


def fingerprint(conda: Path | None) -> str:
    """A hash of everything that set-up depends on."""
    contents = [LOCK.read_bytes()] + [(HERE / name).read_bytes() for name in SOURCES]
    facts = [str(ROOT), str(conda), *state_of(conda), os.environ.get("CONDARC", "")]
    facts += [*interpreters.python_pins(ENVS), *interpreters.build_pins(ENVS)]
    return hashlib.sha256(b"\0".join(contents) + "\0".join(facts).encode()).hexdigest()


def state_of(conda: Path | None) -> list[str]:
    """What changes when a conda is updated: asking for its version takes too long each time."""
    files = [conda, conda.parents[1] / "conda-meta/history"] if conda else []
    return [str(file.stat().st_mtime_ns) for file in files if file.exists()]


def read_stamp() -> dict:
    """What the last complete set-up left, if all of it is still there."""
    try:
        stamp = json.loads(STAMP.read_text())
        whole = stamp["files"] == list_files() and not damage_of_driver()
        return stamp if whole else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def list_files() -> list:
    """What set-up leaves besides the virtual environment: small files by size, packed Pythons."""
    sizes = [file.stat().st_size for file in (ACTIVATION, CONDARC) if file.exists()]
    return [*sizes, *interpreters.packed_versions(CHANNEL / "conda-forge")]


def damage_of_driver() -> str:
    """What is missing of the virtual environment, or nothing; packages may have been added."""
    try:
        packages = json.loads(MADE.read_text())["packages"]
    except (OSError, ValueError, TypeError, KeyError):
        return str(MADE)
    absent = sorted({*packages} - {*list_packages(DRIVER)})
    needed = (PYTHON, DRIVER / "bin/activate", DRIVER / "pyvenv.cfg")
    lacking = [str(file) for file in needed if not file.exists()]
    return next(iter([*lacking, *absent]), "") or find_damage(DRIVER)


def check_conda(conda: Path) -> str:
    """The version of a real conda, if Snakemake can use it."""
    try:
        told = subprocess.run([conda, "--version"], capture_output=True, text=True).stdout
    except OSError:  # the Python that it is for has gone
        told = ""
    # Some print the version of mamba first.
    found = re.search(r"^conda (\d+)\.(\d+)\.(\d+)", told, re.MULTILINE)
    if not found:
        stop(f"{conda} does not tell its version; repair it or take it off PATH.")
    if tuple(map(int, found.groups())) < LEAST_CONDA:
        least = ".".join(map(str, LEAST_CONDA))
        stop(
            f"{conda} is {found[0]}, but Snakemake needs {least} or newer; update it "
            "(conda update -n base conda) or take it off PATH."
        )
    return found[0].removeprefix("conda ")


def check_pythons(conda: Path | None, pins: list[str]) -> None:
    """Stop before anything is built if the Pythons asked for are nowhere to be had."""
    configured = os.environ.get("CONDARC") or (Path.home() / ".condarc").exists()
    lacking = lacking_pythons(pins)
    if lacking and not conda and not configured and not answers(CONDA_FORGE):
        stop(lacking_sentence(lacking))


def lacking_pythons(pins: list[str]) -> list[str]:
    """The pins that neither the local channel nor a Python of this machine satisfies."""
    wanted = interpreters.lacking(CHANNEL / "conda-forge", pins)
    found = interpreters.choose(wanted, interpreters.find_interpreters())
    return [pin for pin, python in found.items() if python is None]


def lacking_sentence(lacking: list[str]) -> str:
    """What to do where a Python is nowhere to be had."""
    pins = " and ".join(pin.removeprefix("=") for pin in lacking)
    example = "3.7" if "=3.7" in lacking else re.search(r"\d+\.\d+", lacking[0])[0]
    return (
        f"Python {pins} is needed, but conda-forge does not answer and this machine has none with "
        f"its venv module; install it (for instance: pyenv install {example}, or "
        f"python{example} and python{example}-venv from your distribution)."
    )


def answers(url: str) -> bool:
    """Say whether a server answers soon."""
    import urllib.request  # slow to import, seldom needed

    try:
        request = urllib.request.Request(url, method="HEAD")
        return urllib.request.urlopen(request, timeout=5).status == 200
    except (OSError, ValueError):
        return False


def make_driver() -> None:
    """Make the virtual environment from its lock, unless this very lock made it and it is whole."""
    digest = hashlib.sha256(LOCK.read_bytes() + str(ROOT).encode()).hexdigest()
    damage = damage_of_driver()
    if not damage and json.loads(MADE.read_text())["made_from"] == digest:
        return
    if DRIVER.exists() and damage and damage != str(MADE):
        print(f"The driver environment is not whole: {damage} is missing or cut.", flush=True)
    print("Setting up the driver environment in .driver/ ...", flush=True)
    remove_driver()
    try:
        base = Path(getattr(sys, "_base_executable", sys.executable))
        if base.is_relative_to(DRIVER):  # without its pyvenv.cfg it takes itself for the base
            base = BASE
        subprocess.run([base, "-m", "venv", "--without-pip", DRIVER], check=True)
        install_uv()
        install_lock()
    except BaseException:
        remove_driver()
        raise
    with (DRIVER / "bin/activate").open("a") as activate:
        activate.write('\n. "$VIRTUAL_ENV/conda.sh"\n')
    MADE.write_text(json.dumps({"made_from": digest, "packages": list_packages(DRIVER)}))


def remove_driver() -> None:
    """Remove the virtual environment and all that set-up has noted, but not the local channel."""
    for path in DRIVER.glob("*"):
        if path != CHANNEL:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    if DRIVER.is_dir() and not CHANNEL.exists():
        DRIVER.rmdir()


def install_uv() -> None:
    """Install uv alone, hash-checked; this also shows whether a package index answers.

    The pip that does it is the wheel that Python bundles, run as it is: quicker than installing it.
    """
    entry = re.search(r"^uv==(?:.*\\\n)*.*\n", LOCK.read_text(), re.MULTILINE)[0]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(entry)
        requirements.flush()
        command = [PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
        command += ["--retries", "1", "--disable-pip-version-check", "-r", requirements.name]
        bundled = {"PYTHONPATH": interpreters.probe(PYTHON)["pip"], "PIP_USER": "0"}
        done = subprocess.run(command, env=os.environ | bundled, capture_output=True, text=True)
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
    command = [DRIVER / "bin/uv", "pip", "install", "--quiet", "--require-hashes"]
    command += ["--python", PYTHON, "-r", LOCK]
    for more in INSTALL:
        if subprocess.run([*command, *more], env=uv_environment(PYTHON)).returncode:
            stop("the driver environment could not be installed (uv tells why above).")
        if not find_damage(DRIVER):
            return
    stop(f"{find_damage(DRIVER)} is missing or cut in what the package index has.")


def refuses(conda: Path, **settings: str) -> str:
    """Ask a conda to plan the environments; return its last words if it cannot, else nothing.

    A search would not do: conda then looks at other channels than when it makes an environment.
    """
    alike = {
        file.read_text().partition("- pip:")[0].partition("channels:")[2]: file
        for file in ENVS.glob("*.yaml")
    }
    with ThreadPoolExecutor() as pool:
        complaints = list(pool.map(partial(plan, conda, settings), alike.values()))
    return next(filter(None, complaints), "")


def plan(conda: Path, settings: dict[str, str], file: Path) -> str:
    """Ask a conda to plan one environment; return its last words if it cannot, else nothing."""
    quick = {"CONDA_REMOTE_CONNECT_TIMEOUT_SECS": "5", "CONDA_REMOTE_MAX_RETRIES": "0"}
    with tempfile.TemporaryDirectory() as folder:
        command = [conda, "env", "create", "--dry-run", "--quiet", "--file", file]
        asked = subprocess.run(
            [*command, "--prefix", Path(folder, "planned")],
            env=quick | STRICT | os.environ | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    said = [line.strip() for line in (asked.stdout + asked.stderr).splitlines() if line.strip()]
    return (said or ["nothing"])[-1] if asked.returncode else ""


def make_channel(pins: list[str]) -> str:
    """Build the local channel and let the name conda-forge lead to it; return its versions."""
    lacking = lacking_pythons(pins)
    if lacking:
        stop(lacking_sentence(lacking))
    print("It does not: packing this machine's Pythons ...", flush=True)
    folder = CHANNEL / "conda-forge"
    if subprocess.run([PYTHON, HERE / "machine_channel.py", folder, ENVS, CONDARC]).returncode:
        stop("the local channel could not be made (see above).")
    return ", ".join(interpreters.packed_versions(folder))


def write_activation(conda: Path | None, local: bool) -> None:
    """What `source .driver/bin/activate` adds. Nothing of ours comes before a user's command."""
    lines = ["# Sourced by bin/activate; written by the set-up of the workflow."]
    # Container images often set it: every start of Snakemake would then compile it anew.
    lines.append("unset PYTHONDONTWRITEBYTECODE")
    if conda:
        settings = STRICT | PIP_MAY_INSTALL
        lines += [f"export {name}={value}" for name, value in settings.items()]
    if conda and local:
        lines.append('export CONDARC="$VIRTUAL_ENV/condarc"')
    else:  # one that another clone has set would lead elsewhere
        lines.append('case "${CONDARC:-}" in */.driver/condarc) unset CONDARC ;; esac')
    if conda and not conda_on_path():
        # Before PATH: another clone's front-end may be on it. This folder holds `conda` alone.
        lines.append(f'PATH="{conda.parents[1] / "condabin"}:$PATH"')
    if not conda:
        lines.append('PATH="$PATH:${VIRTUAL_ENV%/.driver}/workflow/deploy/conda/bin"')
    ACTIVATION.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
