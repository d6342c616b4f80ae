"""What tests and the benchmark share: this repository, copies of it, and smaller experiments."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from waiting import HANGS

ROOT = Path(__file__).resolve().parents[1]
ACTIVATE = '. "$0/.driver/bin/activate" && exec "$@"'


def run_driver(*command, cwd=ROOT, **options):
    """Run a command with the driver environment active; return it finished, output as text."""
    return subprocess.run(
        ["bash", "-c", ACTIVATE, str(ROOT), *map(str, command)],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def list_jobs(folder, *targets):
    """Return the jobs that these targets need, as Snakemake has them: rule, input, shell, ..."""
    return ask_snakemake(folder, *targets)["jobs"]


def ask_snakemake(folder, *targets):
    """Return {"rules": all rules, "jobs": those that these targets need}, as Snakemake has them."""
    done = run_driver("python", ROOT / "tests/list_jobs.py", *targets, cwd=folder)
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout.splitlines()[-1])


def run_make(target, folder):
    """Run a target of the Makefile in a copy, with the driver and environments of this one."""
    return subprocess.run(
        ["make", "--assume-old=setup", target, f'driver=. "{ROOT}/.driver/bin/activate" &&'],
        cwd=folder,
        env=os.environ | {"SNAKEMAKE_CONDA_PREFIX": str(ROOT / ".snakemake/conda")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=HANGS,
    )


def skip_or_fail(reason):
    """Skip a test for want of something; in continuous integration, which must have it, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; in continuous integration it must be there")
    pytest.skip(reason)


def copy_results(target):
    """Copy the tables and figures under results/ into a copy of the repository; return it."""
    for part in ("results/tables", "results/figures"):
        shutil.copytree(ROOT / part, target / part, copy_function=shutil.copy2)
    return target


def copy_repository(target):
    """Copy what git tracks or would track, without committed results; return the copy's path."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in listed.rstrip("\0").split("\0"):
        if (ROOT / name).is_file() and not name.startswith("results/"):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def clone_repository(target):
    """Clone this repository as it is in the working tree, committed results included."""
    subprocess.run(["git", "clone", "--quiet", ROOT, target], check=True)
    copy_repository(target)
    for folder in ("tables", "figures"):
        shutil.copytree(ROOT / "results" / folder, target / "results" / folder, dirs_exist_ok=True)
    return target


def read_yaml(path):
    """Return the document in a YAML file."""
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def write_yaml(document, path):
    """Write a document as YAML, keys in their order."""
    Path(path).write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def keep_only(folder, environments=(), apis=(), variants=()):
    """Make a copy's experiment smaller: keep these, and what is about them alone.

    An empty selection keeps everything of that kind.
    """
    config = read_yaml(folder / "config.yaml")
    for key, wanted in (("environments", environments), ("variants", variants)):
        config[key] = {name: entry for name, entry in config[key].items() if kept(name, wanted)}
    for entry in config["environments"].values():
        entry["apis"] = [api for api in entry["apis"] if kept(api, apis)]
    keep_controls(config)
    write_yaml(config, folder / "config.yaml")
    document = read_yaml(folder / "claims.yaml")
    document["claims"] = [claim for claim in document["claims"] if is_about(config, claim)]
    write_yaml(document, folder / "claims.yaml")


def keep_controls(config):
    """Drop from comparisons, controls and figures what the rest of a configuration lacks."""
    variants = [*config["variants"], *config["control_runs"]["variants"]]
    comparisons = {
        name: pair
        for name, pair in config["comparisons"].items()
        if all(is_trained(config, pair[side]) for side in ("first", "second"))
    }
    config["comparisons"] = comparisons
    for name, control in list(config["controls"].items()):
        if "comparisons" in control:
            control["comparisons"] = [one for one in control["comparisons"] if one in comparisons]
            if not control["comparisons"]:
                del config["controls"][name]
    figures, runs = config["figures"], config["control_runs"]
    config.pop("study", None)  # it is about the page's variants in both environments
    figures.pop("seeds", None)
    for entry, key, known in (
        (figures["weight_sums"], "variants", config["variants"]),
        (figures["initial_kernels"], "comparisons", comparisons),
        (figures["trajectories"], "comparisons", comparisons),
        (figures["trajectories"], "controls", config["controls"]),
        (runs["identity_layers"], "variants", variants),
        (runs["crossed"], "architectures", variants),
        (runs["crossed"], "starts_of", variants),
        (runs["spread"], "variants", variants),
        (runs["processor"], "variants", variants),
    ):
        entry[key] = [name for name in entry[key] if name in known] or list(known)[:1]
    runs["evaluation_swap"]["pairs"] = [
        pair for pair in runs["evaluation_swap"]["pairs"] if set(pair) <= set(config["variants"])
    ]


def is_about(config, claim):
    """Tell whether a claim is about nothing but what a configuration has."""
    return (
        all(is_trained(config, cell) for cell in claim.get("cells", []))
        and claim.get("comparison", next(iter(config["comparisons"]))) in config["comparisons"]
        and claim.get("environment", next(iter(config["environments"]))) in config["environments"]
        and claim.get("architecture", next(iter(config["variants"]))) in config["variants"]
    )


def is_trained(config, cell):
    """Tell whether a configuration trains a cell, as a run or for a control."""
    environment = config["environments"].get(cell["environment"], {"apis": []})
    variants = config["variants"].keys() | config["control_runs"]["variants"].keys()
    return cell["api"] in environment["apis"] and cell["variant"] in variants


def kept(name, wanted):
    """Tell whether a selection keeps a name."""
    return not wanted or name in wanted
