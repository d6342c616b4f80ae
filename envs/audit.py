"""Look up what is known against the packages of locks, or say that it cannot be looked up here.

Exit status: 0 nothing is known, 1 something is, 3 it could not be looked up.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from publish.locks import read_requirements

UNREACHED = ("ConnectionError", "ConnectTimeout", "ReadTimeout", "ServiceError", "ProxyError")


def main() -> None:
    """Print what is known, and exit with the status that says it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("locks", type=Path, nargs="+")
    status, lines = describe({str(lock): look_up(lock) for lock in parser.parse_args().locks})
    print("\n".join(lines))
    sys.exit(status)


def look_up(lock: Path) -> list[dict] | None:
    """Return pip-audit's answer on a lock, or None where the index of vulnerabilities is away.

    The index is asked for by name, since a mirror of packages answers without knowing any.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as requirements:
        requirements.write("\n".join(read_requirements(lock)))
        requirements.flush()
        command = [sys.executable, "-m", "pip_audit", "--requirement", requirements.name]
        command += ["--require-hashes", "--disable-pip", "--vulnerability-service", "osv"]
        command += ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.stdout:
        return json.loads(done.stdout)["dependencies"]
    if any(name in done.stderr for name in UNREACHED):
        return None
    sys.exit(f"pip-audit failed on {lock}:\n{done.stderr}")


def describe(answers: dict[str, list[dict] | None]) -> tuple[int, list[str]]:
    """Return the exit status, and lines that say what is known of the packages of each lock."""
    packages = {
        lock: [] if found is None else [one for one in found if "skip_reason" not in one]
        for lock, found in answers.items()
    }
    lines = [
        f"{lock}: {one['name']} {one['version']}: {flaw['id']}"
        f" (fixed in {', '.join(flaw['fix_versions']) or 'no version yet'})"
        for lock, ones in packages.items()
        for one in ones
        for flaw in one["vulns"]
    ]
    unknown = [
        lock for lock, found in answers.items() if found is None or len(packages[lock]) < len(found)
    ]
    if unknown:
        lines.append(
            f"Not audited: {' and '.join(unknown)}; no index of known vulnerabilities answers "
            "for all of their packages here. Run `make audit` where one can be reached."
        )
    if any(ones["vulns"] for found in packages.values() for ones in found):
        return 1, lines
    if unknown:
        return 3, lines
    count = sum(map(len, packages.values()))
    return 0, [f"Nothing is known against the {count} packages of {' and '.join(answers)}."]


if __name__ == "__main__":
    main()
