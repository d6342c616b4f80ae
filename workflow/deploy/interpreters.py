"""Find the Python interpreters of this machine.

Only the standard library is used: set-up asks before anything is installed.
"""

import json
import os
import re
import subprocess
from contextlib import suppress
from pathlib import Path

# What the channel builder must know about an interpreter, answered by the interpreter itself.
PROBE = """
import glob, json, platform, sys, sysconfig
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
    "pip": wheels[0] if wheels else "",
    "usable": bool(wheels)
    and sys.version_info >= (3, 5)
    and sys.version_info.releaselevel == "final"
    and platform.python_implementation() == "CPython",
}))
"""


def candidates() -> list[Path]:
    """Executables that may be Pythons: PATH (deadsnakes names too), pyenv, uv, /usr and /opt."""
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local/share/uv/python")
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for folder, pattern in (
        (pyenv, "versions/*/bin"),
        (uv, "*/bin"),
        (Path("/opt"), "python*/bin"),
    ):
        with suppress(OSError):
            folders += folder.glob(pattern)
    folders += [Path("/usr/local/bin"), Path("/usr/bin")]
    found = {}
    for folder in folders:
        # pyenv's shims start the version that is switched on, or none: the real ones are found
        # under versions/. A folder that cannot be read holds none for us.
        with suppress(OSError):
            for path in sorted(folder.iterdir()) if folder.name != "shims" else []:
                if re.fullmatch(r"python3(\.\d+)?", path.name):
                    found.setdefault(path.resolve(), path)
    return list(found.values())


def probe(executable: Path) -> dict | None:
    """Ask an executable what it is; None if it does not start, is no finished CPython 3
    or lacks the pip that `ensurepip` bundles (Debian: python3-venv).
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
    return described if described["usable"] else None


def find_interpreters() -> list[dict]:
    """The machine's usable interpreters, newest first, each once."""
    probed = [described for described in map(probe, candidates()) if described]
    once = {(described["version"], described["stdlib"]): described for described in probed}
    return sorted(once.values(), key=lambda d: version_key(d["version"]), reverse=True)


def version_key(version: str) -> tuple[int, ...]:
    """Make `3.10.2` comparable."""
    return tuple(int(part) for part in version.split("."))


def satisfies(version: str, pin: str) -> bool:
    """Say whether a version meets a conda-style pin such as `=3.7` or `>=3.11,<3.14`."""
    return all(meets(version_key(version), part.strip()) for part in pin.split(",") if part.strip())


def meets(version: tuple[int, ...], condition: str) -> bool:
    """One condition of a pin; `=3.7` and `3.7.*` compare only the numbers given."""
    operator, number = re.fullmatch(r"\s*([<>=!]*)\s*([\d.]+?)(?:\.?\*)?", condition).groups()
    wanted = version_key(number)
    if operator in ("", "=") or condition.endswith("*"):
        return (version[: len(wanted)] == wanted) is (operator != "!=")
    wanted += (0,) * (len(version) - len(wanted))
    compare = {"==": "__eq__", "!=": "__ne__", ">=": "__ge__"}
    compare |= {">": "__gt__", "<=": "__le__", "<": "__lt__"}
    return getattr(version, compare[operator])(wanted)


def python_pins(envs: Path) -> list[str]:
    """The Python pins of the environment files."""
    entry = re.compile(r"""^ *- *["']?python *([=<>!\d][^"'#\n]*)""", re.MULTILINE)
    texts = [path.read_text() for path in sorted(envs.glob("*.yaml"))]
    return sorted({pin.strip() for text in texts for pin in entry.findall(text)})


def build_pins(envs: Path) -> list[str]:
    """The pins, with hashes, of what conda installs to build source packages (lock.py)."""
    entry = re.compile(r'^ *- "(setuptools|wheel) =([\d.]+)"$', re.MULTILINE)
    found = set()
    for text in (path.read_text() for path in envs.glob("*.yaml")):
        for name, version in entry.findall(text):
            found.add(re.search(rf"^ *- ({name}=={re.escape(version)} .*)$", text, re.MULTILINE)[1])
    return sorted(found)


def packed_versions(channel: Path) -> list[str]:
    """The Python versions that a local channel holds, oldest first; none where a file is cut."""
    versions = set()
    try:
        for folder in (channel / "linux-64", channel / "noarch"):
            records = json.loads((folder / "repodata.json").read_text())["packages.conda"]
            for file, record in records.items():
                if (folder / file).stat().st_size != record["size"]:
                    return []
                if record["name"] == "python":
                    versions.add(record["version"])
    except (OSError, ValueError, TypeError, KeyError):
        return []
    return sorted(versions, key=version_key)


def lacking(channel: Path, pins: list[str]) -> list[str]:
    """The pins that no Python of a local channel satisfies."""
    packed = packed_versions(channel)
    return [pin for pin in pins if not any(satisfies(version, pin) for version in packed)]


def choose(pins: list[str], interpreters: list[dict]) -> dict[str, dict | None]:
    """For each pin the newest interpreter that satisfies it, or None."""
    return {
        pin: next((found for found in interpreters if satisfies(found["version"], pin)), None)
        for pin in pins
    }
