"""The pairs of runs that a configuration names, and what is said of them at the end."""

import os
import shlex
from pathlib import Path
from typing import Any

UNDECIDED = 3  # exit status
KEYS = {"first", "second", "script", "in", "args", "metric", "repeats", "limit", "name", "pairs"}
LIMIT = 3600  # seconds for one run


class PairError(ValueError):
    """A pair that cannot be run; the message says which key, what was found, and what to do."""


def read_pairs(config: dict[str, Any], root: Path) -> dict[str, dict]:
    """Return {name: pair} with absolute paths: `first` and `second`, `metric`, `repeats`, `limit`.

    Args:
        config: the configuration: the keys of one pair, or `pairs`, {name: keys of a pair}.
        root: the clone, whose environments have names.

    Raises:
        PairError: a key, a script or an environment that there is not.
    """
    pairs = config.get("pairs") or {config.get("name") or "": config}
    found = {}
    for name, pair in pairs.items():
        checked = read_pair({key: pair[key] for key in pair if pair[key] not in (None, "")}, root)
        found[str(name) or Path(checked["second"]["script"]).stem] = checked
    return found


def read_pair(pair: dict[str, Any], root: Path) -> dict:
    """Return one pair, checked."""
    if unknown := sorted(set(pair) - KEYS):
        raise PairError(f"{unknown[0]}: no such option; there are {', '.join(sorted(KEYS))}")
    if "in" not in pair:
        raise PairError("in: name one framework version, or two; " + known_environments(root))
    scripts = [pair["script"]] * 2 if "script" in pair else [pair.get("first"), pair.get("second")]
    if None in scripts:
        raise PairError("name two scripts as `first` and `second`, or one as `script`")
    scripts = [locate(script) for script in scripts]
    for script in scripts:
        if not script.is_file():
            raise PairError(f"{script}: there is no such script")
    names = str(pair["in"]).split()
    if len(names) not in (1, 2):
        raise PairError(f"in: found {len(names)} framework versions, expected one or two")
    if "script" in pair and len(set(names)) < 2:
        raise PairError(
            f"in: found {names[0]} alone, but one script is compared in two framework versions; "
            + known_environments(root)
        )
    files = [find_environment(name, root) for name in (names * 2)[:2]]
    numbers = {}
    for key, default, least in (("repeats", 0, 2), ("limit", LIMIT, 1)):
        numbers[key] = pair.get(key, default)
        if key in pair and (type(numbers[key]) is not int or numbers[key] < least):
            raise PairError(
                f"{key}: found {numbers[key]!r}, expected a whole number from {least} on"
            )
    arguments = shlex.split(str(pair.get("args", "")))
    sides = [
        {"script": str(script), "arguments": arguments, "environment": str(file)}
        for script, file in zip(scripts, files, strict=True)
    ]
    metric = str(pair.get("metric", "auto"))
    return {"first": sides[0], "second": sides[1], "metric": metric, **numbers}


def locate(name: str) -> Path:
    """Return the absolute path of a file that is named from the user's folder.

    Snakemake has gone into the folder of the results; the shell's folder is in PWD.
    """
    return Path(os.environ.get("PWD", "."), Path(name).expanduser()).resolve()


def known_environments(root: Path) -> str:
    """Return a clause with the names of the environments of the clone."""
    names = sorted(path.stem for path in (root / "envs").glob("tf*.yaml"))
    return f"there are {', '.join(names)}, or name an environment file"


def find_environment(name: str, root: Path) -> Path:
    """Return the file of an environment that is a name of the clone's or a path."""
    own = root / "envs" / f"{name}.yaml"
    file = own if own.is_file() and "/" not in name else locate(name)
    if not file.is_file():
        raise PairError(f"in: {name} is no framework version; {known_environments(root)}")
    return file


def exit_status(verdicts: list[dict]) -> int:
    """Return 0 where all pairs have a verdict, 3 where one is undecided."""
    return UNDECIDED if any(verdict["undecided"] for verdict in verdicts) else 0


def summarize(verdict: dict, folder: Path) -> str:
    """Return what the terminal shows of a pair."""
    lines = ["", verdict["sentence"]]
    if verdict["rows"]:
        width = max(len(row["label"]) for row in verdict["rows"])
        lines.append("")
        for row in verdict["rows"]:
            share = "" if row["share"] is None else f"{100 * row['share'] + 0.0:7.1f} %"
            lines.append(f"  {row['label']:{width}} {row['contribution']:+13.6g} {share}")
    lines += ["", *verdict["notes"]] if verdict["notes"] else []
    lines.append(f"The whole diagnosis: {folder}/diagnosis.html")
    return "\n".join(lines)
