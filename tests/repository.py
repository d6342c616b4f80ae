"""What tests and the benchmark share: this repository, copies of it, and smaller experiments."""

import json
import os
import re
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


def messages_of(printed):
    """Return the messages of the jobs in what Snakemake has printed."""
    return set(re.findall(r"^ *(?:local)?job \d+: (.+)$", printed, re.MULTILINE | re.I))


def write_yaml(document, path):
    """Write a document as YAML, keys in their order; a file with the same content is left alone."""
    path = Path(path)
    text = yaml.safe_dump(document, sort_keys=False, width=1000)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


# The targets that need all jobs together.
EVERYTHING = (
    *("all", "study", "sweep", "report", "set_paper", "write_crate"),
    *("build_documentation", "check"),
)


def list_jobs(folder, *targets):
    """Return the jobs that these targets need, as Snakemake has them: rule, input, shell, ..."""
    return ask_snakemake(folder, *targets)["jobs"]


def ask_snakemake(folder, *targets):
    """Return {"rules": all rules, "jobs": those that these targets need}, as Snakemake has them."""
    done = run_driver("python", ROOT / "tests/list_jobs.py", *targets, cwd=folder)
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout.splitlines()[-1])


def run_make(target, folder, *settings):
    """Run a target of the Makefile in a copy, with the driver and environments of this one."""
    driver = f'driver=. "{ROOT}/.driver/bin/activate" &&'
    return subprocess.run(
        ["make", "--assume-old=setup", target, driver, *settings],
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


def copy_small(target):
    """Copy the repository with tests/small.yaml for its experiment; return the copy's path."""
    copy_repository(target)
    return shutil.copy2(ROOT / "tests/small.yaml", target / "config.yaml").parent
