"""The pairs of runs that a configuration names, and what is said of them at the end.

`make diagnose`, with its options in the environment: python -s workflow diagnose.pairs --cores 2
"""

import argparse
import itertools
import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

from plan.configuration import ConfigurationError, check_schema
from plan.documents import read_schema, read_yaml

UNDECIDED = 3  # exit status
LIMIT = 3600  # seconds for one run
SCRIPTS, NUMBERS = ("first", "second", "script"), ("releases", "repeats", "limit")
OPTIONS = (*SCRIPTS, "in", "args", "metric", *NUMBERS)
Pair = dict[str, Any]


def read_pairs(config: dict[str, Any], root: Path) -> tuple[dict[str, Pair], dict[str, list[str]]]:
    """Return the pairs of a configuration, and the releases among which a change is looked for.

    A pair has absolute paths: {name: `first` and `second`, `metric`, `repeats`, `limit`}. Where
    releases are asked for, every two of them are a pair, NAME/ONE-to-OTHER; few of them are run.

    Args:
        config: the configuration: the keys of one pair, or `pairs`, {name: keys of a pair}.
        root: the clone, whose environments have names.

    Raises:
        ConfigurationError: a key, a script or an environment that there is not.
    """
    config = {key: value for key, value in config.items() if value not in (None, "")}
    check_schema(config, read_schema("pairs.schema.yaml"), "config")
    several = config.pop("pairs", None)
    if several and config:
        raise ConfigurationError(
            f"config: found {', '.join(config)} beside pairs, expected these keys in each pair"
        )
    found: dict[str, Pair] = {}
    releases = {}
    for name, pair in (several or {config.get("name", ""): config}).items():
        asked = {key: value for key, value in pair.items() if value not in (None, "")}
        try:
            checked = read_pair(asked, root)
            tried = between(asked, root) if asked.get("releases") else []
        except ConfigurationError as error:
            where = f"config: pairs/{name}:" if several else "config:"
            raise ConfigurationError(re.sub("(?m)^config:", where, str(error))) from None
        name = str(name) or Path(checked["second"]["script"]).stem
        if not tried:
            found[name] = checked
            continue
        releases[name] = tried
        for one, other in itertools.combinations(tried, 2):
            versions = asked | {"in": f"{one} {other}"}
            found[f"{name}/{one}-to-{other}"] = read_pair(versions, root)
    return found, releases


def read_pair(pair: dict[str, Any], root: Path) -> Pair:
    """Return one pair, checked."""
    check_schema(pair, read_schema("pairs.schema.yaml"), "config")
    if "in" not in pair:
        raise ConfigurationError(
            f"config: in: found nothing, expected a framework version; {known_environments(root)}"
        )
    keys = ("script", "script") if "script" in pair else ("first", "second")
    if not {*keys} <= {*pair}:
        raise ConfigurationError("config: name two scripts, `first` and `second`, or one, `script`")
    scripts = [locate(pair[key]) for key in keys]
    for script in scripts:
        if not script.is_file():
            raise ConfigurationError(f"config: {script}: there is no such script")
    names = split(pair["in"], "in")
    least = 2 if "script" in pair else 1
    if not least <= len(set(names)) <= 2 or len(names) > 2:
        raise ConfigurationError(
            f"config: in: found {pair['in']}, expected {'two' if least > 1 else 'one or two'} "
            f"framework versions; {known_environments(root)}"
        )
    files = [find_environment(name, root) for name in (names * 2)[:2]]
    arguments = split(str(pair.get("args", "")), "args")
    sides = [
        {"script": str(script), "arguments": arguments, "environment": str(file)}
        for script, file in zip(scripts, files, strict=True)
    ]
    numbers = {"repeats": pair.get("repeats", 0), "limit": pair.get("limit", LIMIT)}
    return {"first": sides[0], "second": sides[1], "metric": pair.get("metric", "auto"), **numbers}


def split(words: str, key: str) -> list[str]:
    """Return words as a shell does; quotes keep spaces."""
    try:
        return shlex.split(words)
    except ValueError as error:
        raise ConfigurationError(f"config: {key}: found {words}: {error}") from None


def between(pair: dict[str, Any], root: Path) -> list[str]:
    """Return the names of the releases from one to another, in the order of config.yaml."""
    known = list(read_yaml(root / "config.yaml")["sweep"]["releases"])
    names = split(pair["in"], "in")
    for name in names:
        if name not in known or "script" not in pair:
            raise ConfigurationError(
                f"config: releases: found {name}, expected one script and two of {', '.join(known)}"
            )
    start, end = (known.index(name) for name in names)
    step = 1 if start < end else -1
    return [known[place] for place in range(start, end + step, step)]


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
        raise ConfigurationError(
            f"config: in: {name} is no framework version; {known_environments(root)}"
        )
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
            share = "" if row["share"] is None else f"{round(100 * row['share'], 1) + 0.0:7.1f} %"
            lines.append(f"  {row['label']:{width}} {row['contribution']:+13.6g} {share}")
    lines += ["", *verdict["notes"]] if verdict["notes"] else []
    lines.append(f"The whole diagnosis: {folder}/diagnosis.html")
    return "\n".join(lines)


def tell_releases(state: dict, names: list[str]) -> str:
    """Return sentences on the releases that changed a number; `state` is of `ladder.narrow`."""
    values = {int(place): number for place, number in state["values"].items()}
    tried = [
        f"{names[place]}: {'fails' if number is None else f'{number:.9g}'}"
        for place, number in sorted(values.items())
    ]
    said = []
    for low, high in state["changes"]:
        between = ", ".join(names[low + 1 : high])
        more = f" ({between} in between cannot be told)" if between else ""
        change = values[high] - values[low]
        said.append(
            f"The number changes by {change:+.6g} from {names[low]} to {names[high]}{more}."
        )
    same = f"No change of the number is found between {names[0]} and {names[-1]}."
    return f"{' '.join(said) or same} Tried: {'; '.join(tried)}."


def main() -> None:
    """Write the configuration of the pair that `make diagnose` asks for, and call Snakemake."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cores", required=True)
    cores = parser.parse_args().cores
    root = Path(__file__).resolve().parents[2]
    asked: Pair = {key: os.environ[key.upper()] for key in OPTIONS if os.environ.get(key.upper())}
    asked |= {key: int(asked[key]) for key in NUMBERS if asked.get(key, "").isdecimal()}
    asked |= {key: str(locate(asked[key])) for key in SCRIPTS if key in asked}
    try:
        read_pairs(asked, root)
    except ConfigurationError as error:
        sys.exit(str(error))
    files = [find_environment(name, root) for name in split(asked["in"], "in")]
    if not asked.get("releases"):
        asked["in"] = shlex.join(map(str, files))
    name = Path(asked.get("second") or asked["script"]).stem
    folder = locate(os.environ.get("OUT") or f"diagnosis/{name}")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "pair.json"
    file.write_text(json.dumps({"name": folder.name, **asked}, indent=1) + "\n", encoding="utf-8")
    prefix = os.environ.get("SNAKEMAKE_CONDA_PREFIX") or root / ".snakemake/conda"
    call = ["snakemake", "--snakefile", str(root / "workflow/diagnose/Snakefile")]
    call += ["--directory", str(folder.parent), "--software-deployment-method", "conda"]
    call += ["--conda-prefix", str(prefix), "--cores", cores, "--quiet", "host", "reason"]
    call += ["--configfile", str(file)]
    print(shlex.join(call), flush=True)
    os.execvp(call[0], call)
