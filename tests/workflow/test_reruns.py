"""What runs again after an edit: every rule whose script imports an edited module, and no other.

Snakemake says what each job depends on; Python says what each script imports. Nothing is run.
"""

import json
import re
import subprocess
import sys
from collections import defaultdict

import pytest
from plan.runs import chunk_files, study_parts, study_trainings
from repository import ROOT, copy_repository, copy_results, list_jobs, read_yaml, write_yaml

EVERYTHING = [
    *("all", "study", "sweep", "report", "set_paper", "validate_crate"),
    *("build_documentation", "write_bills", "audit_locks"),
]
PACKER = "workflow/publish/write_crate.py"  # takes every file of the workflow as data
# Imports a script with everything but our own modules and the standard library replaced.
IMPORT = """
import json, os, runpy, sys
from importlib.machinery import ModuleSpec
from unittest.mock import MagicMock

class Replaced(MagicMock):
    __path__ = []

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in sys.stdlib_module_names:
            return ModuleSpec(name, self, is_package=True)
    def create_module(self, spec):
        return Replaced()
    def exec_module(self, module):
        pass

sys.path[:] = [path for path in sys.path if "site-packages" not in path] + ["workflow"]
sys.meta_path.append(Finder())
runpy.run_path(sys.argv[1], run_name="imported")
files = [getattr(module, "__file__", None) for module in sys.modules.values()]
inside = [os.path.relpath(file) for file in files if isinstance(file, str)]
print(json.dumps([file for file in inside if file.startswith("workflow/")]))
"""


def imported_by(script):
    """Return the files under workflow that a script imports, by importing them."""
    command = [sys.executable, "-c", IMPORT, script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1])) - {script}


def scripts_of(jobs):
    """Return {script: [its jobs]}; the script of the documentation is a plug-in of MkDocs."""
    scripts = defaultdict(list)
    for job in jobs:
        if called := re.search(r"python -s workflow/__main__.py (\S+)", job["shell"] or ""):
            scripts[f"workflow/{called[1].replace('.', '/')}.py"].append(job)
        if job["rule"] == "build_documentation":
            scripts["workflow/publish/documentation.py"].append(job)
    return scripts


def test_every_job_depends_on_what_its_script_imports():
    scripts = scripts_of(list_jobs(ROOT, *EVERYTHING))
    assert len(scripts) > 20
    started = {"workflow/page/compare_with_stock.py": {"workflow/page/train_stock.py"}}
    for script, jobs in scripts.items():
        wanted = imported_by(script) | started.get(script, set()) | {script}
        if script != "workflow/publish/documentation.py":
            wanted |= {"workflow/__main__.py"}
        for job in jobs if script != PACKER else []:
            code = {path for path in job["input"] if path.endswith(".py")}
            assert code - {"workflow/page/autoencoder.py"} == wanted, job["rule"]


@pytest.fixture
def changed(tmp_path):
    """Return the scripts whose commands differ after a change of the configuration."""
    folder = copy_repository(tmp_path / "copy")

    def changed(change):
        before = {job["shell"] for job in list_jobs(folder, *EVERYTHING)}
        config = read_yaml(folder / "config.yaml")
        change(config)
        write_yaml(config, folder / "config.yaml")
        differing = [job for job in list_jobs(folder, *EVERYTHING) if job["shell"] not in before]
        return {script.removeprefix("workflow/") for script in scripts_of(differing)}

    return changed


def test_a_label_is_of_the_figures_alone(changed):
    def rename(config):
        config["variants"]["bn"]["label"] = "with BN"

    rules = changed(rename)
    assert "draw/val_loss.py" in rules
    assert all("figures.main(" in (ROOT / "workflow" / rule).read_text() for rule in rules)


def test_a_resample_is_of_the_effects_alone(changed):
    def resample(config):
        config["study"]["bootstrap"]["resamples"] += 1

    assert changed(resample) == {"page/collect_study.py"}


def test_claims_take_the_effects_of_the_study_from_this_run_only(tmp_path):
    """The committed table is of another run; the first `make study` judges its own at once."""
    folder = copy_results(copy_repository(tmp_path / "copy"))
    effects = "results/tables/sensitivity_effects.csv"
    assert (folder / effects).is_file()

    def taken(target):
        judging = [job for job in list_jobs(folder, target) if job["rule"] == "judge_claims"]
        return [(effects in job["input"], effects in job["shell"]) for job in judging]

    assert taken("all") == [(False, False)]
    assert taken("study") == [(True, True)]
    config = read_yaml(folder / "config.yaml")
    for chunk in chunk_files(config, **study_trainings(config, study_parts(config)[1])):
        (folder / chunk).parent.mkdir(parents=True, exist_ok=True)
        (folder / chunk).touch()
    assert taken("all") == [(True, True)]
