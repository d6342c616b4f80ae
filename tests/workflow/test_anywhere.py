"""The workflow used from elsewhere: in an empty folder outside the clone, with a space in its path.

What it reads of its own is beside it, the user's files are beside the user's configuration, and
everything that it writes is in the folder that it is run in.
"""

import os
import re
import shutil
import subprocess

import pytest
from deploy.package_index import uv_environment
from judge.tables import read_table
from plan.documents import read_yaml
from repository import ROOT, ask_snakemake, copy_repository, run_driver, skip_or_fail, write_yaml
from waiting import HANGS

pytestmark = pytest.mark.slow

ENVIRONMENT = "tf1.14-keras2.2.4"
PAIR = "dropout_0_in_1_14"
SNAKEDEPLOY = "snakedeploy==0.17.1"
MODULES = """
configfile: "experiment.yaml"

module first:
    snakefile: {snakefile!r}
    config: config

module second:
    snakefile: {root!r}
    prefix: "second one"
    config: config

module page:
    snakefile: {snakefile!r}
    prefix: "page"
    config: {{"seeds": [3, 11]}}

use rule * from first as first_*
use rule * from second as second_*
use rule * from page as page_*

RESULTS, PROGRAM = "no name", "of this file is used"

rule both:
    default_target: True
    input: rules.first_collect_tables.output, rules.second_all.input
"""


@pytest.fixture
def clone(tmp_path):
    """A copy of the repository, not the one that the tests run in."""
    return copy_repository(tmp_path / "a clone")


@pytest.fixture
def mine(tmp_path):
    """An empty folder, but for an experiment of one's own: two variants, one job for both."""
    folder = tmp_path / "of my own"
    folder.mkdir()
    for name in ("experiment.py", "flowers.csv"):
        shutil.copy2(ROOT / "examples/classifier" / name, folder)
    config = read_yaml(ROOT / "examples/classifier/config.yaml")
    config |= {"results": "results", "variants_per_job": 2}
    config["experiment"] |= {
        "module": "experiment.py",
        "data": {"path": "flowers.csv"},
        "files": ["flowers.csv"],
    }
    config["environments"] = {ENVIRONMENT: config["environments"][ENVIRONMENT]}
    config["variants"] = {name: config["variants"][name] for name in ("none", "dropout_0")}
    config["protocols"]["fit"]["epochs"] = 2
    config["comparisons"] = {PAIR: config["comparisons"][PAIR]}
    config["figures"]["trajectories"]["comparisons"] = [PAIR]
    config["controls"] = read_yaml(ROOT / "tests/small.yaml")["controls"]
    write_yaml(config, folder / "experiment.yaml")
    return folder


def snakemake(*arguments, cwd, **options):
    """Run Snakemake with the environments that there are; return what it printed."""
    command = ["snakemake", "--use-conda", "--conda-prefix", ROOT / ".snakemake/conda", "-c2"]
    done = run_driver(*command, *arguments, cwd=cwd, timeout=HANGS, **options)
    assert done.returncode == 0, done.stdout
    return done.stdout


def files_in(folder):
    """Return the files in a folder, without the interpreter's caches."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def is_judged(results):
    """Tell whether the experiment has the verdict that it must have."""
    verdicts = read_table(results / "tables/verdicts.csv").set_index("comparison")
    return verdicts["causes"].to_dict() == {PAIR: "draws"}


def is_whole(results):
    """Tell whether the experiment has run to its end, with the verdict that it must have."""
    assert is_judged(results)
    assert (results / "figures/trajectories.png").stat().st_size > 1000
    return (results / "provenance/run.json").is_file()


def test_snakefile_directory_and_configfile(framework_pythons, clone, mine, tmp_path):
    def run(clone, mine, *options, snakefile="workflow/Snakefile"):
        folder = ["--directory", mine, "--configfile", mine / "experiment.yaml"]
        return snakemake("--snakefile", clone / snakefile, *folder, *options, cwd=tmp_path)

    before = files_in(clone)
    run(clone, mine)
    assert is_whole(mine / "results")
    assert files_in(clone) == before
    assert {path.name for path in tmp_path.iterdir()} == {"a clone", "of my own"}
    own = {"experiment.py", "experiment.yaml", "flowers.csv", "results", ".snakemake"}
    assert {path.name for path in mine.iterdir()} - {"__pycache__"} == own
    # From the other Snakefile, and after both have moved, only where files are is written again.
    clone = clone.rename(tmp_path / "moved clone")
    (tmp_path / "below").mkdir()
    mine = mine.rename(tmp_path / "below/moved folder")
    planned = run(clone, mine, "--dry-run", snakefile="Snakefile")
    planned_rules = set(re.findall(r"^(\w+) +\d+$", planned, re.MULTILINE))
    assert planned_rules == {"write_config", "write_provenance", "all", "total"}


def test_two_instances_as_modules(framework_pythons, clone, mine):
    snakefiles = {"snakefile": f"{clone}/workflow/Snakefile", "root": f"{clone}/Snakefile"}
    (mine / "Snakefile").write_text(MODULES.format(**snakefiles))
    printed = snakemake(cwd=mine)
    assert (mine / "results/tables/runs.csv").is_file()
    assert is_whole(mine / "second one/results")
    assert "page_" not in printed
    resources = read_table(mine / "second one/results/provenance/resources.csv")
    assert {rule.partition("_")[0] for rule in resources["rule"]} == {"second"}
    # A configuration without an experiment amends the page's, which names files of the workflow.
    (mine / "claims.yaml").write_text("claims: of something else\n")
    targets = ["page_report", "page_study", "page_set_paper", "page_write_crate"]
    asked = ask_snakemake(mine, *targets, "page_build_documentation")
    assert any(
        "keras/variants1-seed11.jsonl" in name for job in asked["jobs"] for name in job["output"]
    )
    effects = "page/results/tables/sensitivity_effects.csv --output page/results"
    assert any(effects in (job["shell"] or "") for job in asked["jobs"])
    rules = {rule["name"] for rule in asked["rules"]}
    assert {"first_all", "second_all", "page_study", "page_sweep", "both"} <= rules
    assert not {"all", "second_study"} & rules


def test_snakedeploy(framework_pythons, clone, mine, tmp_path):
    """The command of the workflow's catalog; git is told that github.com is a folder here."""
    served = tmp_path / "served/owner/bn-yes-or-no"
    served.parent.mkdir(parents=True)
    shutil.copytree(clone, served)
    person = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init"], ["add", "--all"], [*person, "commit", "-m", "One"], ["tag", "v1"]):
        subprocess.run(["git", *command], cwd=served, check=True, stdout=subprocess.DEVNULL)
    elsewhere = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{tmp_path}/served/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    deployed = tmp_path / "deployed here"
    deployed.mkdir()
    uv = [ROOT / ".driver/bin/uv", "tool", "run", "--quiet", "--from", SNAKEDEPLOY, "snakedeploy"]
    address = "https://github.com/owner/bn-yes-or-no"
    own_cache = {key: value for key, value in elsewhere.items() if key != "XDG_CACHE_HOME"}
    done = subprocess.run(
        [*uv, "deploy-workflow", address, ".", "--tag", "v1"],
        cwd=deployed,
        env=uv_environment(ROOT / ".driver/bin/python") | own_cache,
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    if "ailed to fetch" in done.stderr:
        skip_or_fail(f"there is no package index: {done.stderr}")
    assert done.returncode == 0, done.stderr
    # As it was deployed, it is the page's experiment.
    there = {"cwd": deployed, "env": os.environ | elsewhere}
    assert "Training variants1-seed3 in tf1.14-keras2.2.4" in snakemake("--dry-run", **there)
    for name in ("experiment.py", "flowers.csv"):
        shutil.copy2(mine / name, deployed / "config")
    config = read_yaml(mine / "experiment.yaml")
    del config["figures"]["trajectories"]  # programs are found alike for each job
    write_yaml(config, deployed / "config/config.yaml")
    snakemake(**there)
    assert is_judged(deployed / "results")
    # A repository on disk has an address for Snakemake, too.
    (mine / "Snakefile").write_text(
        'configfile: "experiment.yaml"\nmodule bn:\n    config: config\n'
        f'    snakefile: "git+file://{served}/workflow/Snakefile@v1"\nuse rule * from bn\n'
    )
    assert "Training variants1-seed7 in tf1.14-keras2.2.4" in snakemake("--dry-run", cwd=mine)
    commit = subprocess.run(["git", "rev-parse", "v1"], cwd=served, capture_output=True, text=True)
    assert commit.stdout.strip() in (deployed / "results/provenance/run.json").read_text()
