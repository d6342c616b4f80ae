"""Find the Python interpreters of this machine. Runs in the driver environment."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TypedDict

from rattler import MatchSpec, Version, VersionSpec

from deploy.channels import read_environment

# What the channel builder must know about an interpreter, answered by the interpreter itself.
PROBE = """
import glob, json, sys, sysconfig
try:
    import ensurepip
    places = [ensurepip.__path__[0] + "/_bundled", sysconfig.get_config_var("WHEEL_PKG_DIR") or ""]
except ImportError:
    places = []
wheels = [wheel for place in places if place for wheel in glob.glob(place + "/pip-*.whl")]
paths = sysconfig.get_paths()
print(json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3],
    "executable": getattr(sys, "_base_executable", None) or sys.executable,
    "prefix": sys.base_prefix,
    "stdlib": paths["stdlib"],
    "include": paths["include"],
    "libdir": sysconfig.get_config_var("LIBDIR") or "",
    "pip": wheels[0] if wheels and sys.version_info.releaselevel == "final" else "",
}))
"""


class Interpreter(TypedDict):
    """What an interpreter says of itself; all but the version are paths."""

    version: str
    executable: str
    prefix: str
    stdlib: str
    include: str
    libdir: str
    pip: str  # the wheel that it bundles


def list_executables() -> list[str]:
    """Return the executables of CPython 3 that uv finds, pyenv's and those below /opt included."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    beside = [*pyenv.glob("versions/*/bin"), *Path("/opt").glob("python*/bin")]
    path = os.pathsep.join(
        [*map(str, beside), os.environ.get("PATH", ""), "/usr/local/bin:/usr/bin"]
    )
    uv = Path(sys.executable).with_name("uv")
    command: list[str | Path] = [uv, "python", "list", "--only-installed", "--no-config"]
    listed = subprocess.run(
        [*command, "--output-format", "json"],
        env=os.environ | {"PATH": path, "UV_PYTHON_PREFERENCE": "system"},
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # about executables that do not start
    )
    return [
        found["path"]
        for found in json.loads(listed.stdout)
        if (found["implementation"], found["variant"]) == ("cpython", "default")
    ]


def probe(executable: str | Path) -> Interpreter | None:
    """Ask an executable what it is.

    None if it does not start, is no finished release or lacks the pip that `ensurepip` bundles
    (Debian: python3-venv).
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    try:
        answer = subprocess.run(
            [executable, "-I", "-S", "-c", PROBE],
            env=environment,
            capture_output=True,
            timeout=20,
            check=True,
        )
        described = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return described if described["pip"] else None


def find_interpreters() -> list[Interpreter]:
    """Return the machine's usable interpreters, newest first, each once."""
    probed = [described for described in map(probe, list_executables()) if described]
    once = {(described["version"], described["stdlib"]): described for described in probed}
    return sorted(once.values(), key=lambda one: Version(one["version"]), reverse=True)


def satisfies(version: str, pin: str) -> bool:
    """Tell whether a version meets a conda-style pin such as `=3.7` or `>=3.11,<3.14`."""
    return VersionSpec(pin).matches(Version(version))


def python_pins(envs: Path) -> list[str]:
    """Return the versions of Python that the environment files ask for, as conda writes them."""
    specs = [
        MatchSpec(spec)
        for _, conda, _ in map(read_environment, envs.glob("*.yaml"))
        for spec in conda
    ]
    return sorted({str(spec.version) for spec in specs if spec.name.normalized == "python"})


def build_pins(envs: Path) -> list[str]:
    """Return the pins, with hashes, of what conda installs to build source packages (lock.py)."""
    return sorted(
        line
        for _, conda, pip in map(read_environment, envs.glob("*.yaml"))
        for line in pip
        if line.split()[0].replace("==", " =") in conda
    )


def choose(pins: list[str], interpreters: list[Interpreter]) -> dict[str, Interpreter | None]:
    """Return for each pin the newest interpreter that satisfies it, or None."""
    return {
        pin: next((found for found in interpreters if satisfies(found["version"], pin)), None)
        for pin in pins
    }
