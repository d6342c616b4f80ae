"""What runs again after an edit: every rule whose script imports an edited module, and no other.

Snakemake says what each job depends on. Nothing is run.
"""

import re
from pathlib import Path

import pytest
from plan.claims import TESTS
from plan.dependencies import code_of
from plan.documents import read_yaml
from repository import EVERYTHING, ROOT, copy_repository, copy_results, list_jobs, write_yaml

from page.plans import chunk_files, effects_of_this_run, study_parts, study_trainings

FIGURES = read_yaml(ROOT / "workflow/schemas/figures.yaml")


def modules_of(job):
    """Return the modules that a job starts or is told to import, those of other programs too."""
    if job["rule"] == "build_documentation":  # docs/generate.py imports it, a plug-in of MkDocs
        return ("publish.write_claims",)
    called = re.search(r"__main__\.py (\S+)(?: --module (\S+))?", job["shell"] or "")
    modules = [*filter(None, called.groups())] if called else []
    if modules == ["judge.claims"]:  # imports those that decide the claims at hand
        modules += [test.module for test in TESTS.values()]
    return tuple(dict.fromkeys(modules))


def test_every_job_depends_on_what_its_script_imports(asked):
    """By `code_of`, of which plan/test_dependencies holds that it finds what Python imports."""
    jobs = {modules_of(job): job for job in asked["jobs"]}
    assert len(jobs) > 20
    for modules, job in jobs.items():
        if not modules:
            continue
        assert job["code"] == code_of(*modules), job["rule"]
        assert ("workflow/__main__.py" in job["input"]) == (job["rule"] != "build_documentation")


@pytest.fixture
def folder(tmp_path):
    """A copy of the repository with its results."""
    return copy_results(copy_repository(tmp_path / "copy"))


@pytest.fixture
def changed(asked, folder, config):
    """Return the modules whose commands differ after a change of the configuration."""
    before = {job["shell"] for job in asked["jobs"]}

    def changed(change):
        change(config)
        write_yaml(config, folder / "config.yaml")
        jobs = list_jobs(folder, *EVERYTHING)
        for job in jobs:
            job["shell"] = job["shell"] and job["shell"].replace(str(folder), asked["folder"])
        return {modules_of(job)[-1] for job in jobs if job["shell"] not in before}

    return changed


def test_a_label_is_of_the_figures_alone(changed):
    def rename(config):
        config["variants"]["bn"]["label"] = "with BN"

    modules = changed(rename)
    assert "plot.val_loss" in modules
    drawn_by = {figure["module"] for figure in FIGURES.values()}
    assert modules <= drawn_by | {"publish.write_claims"}  # which shows labels, too


def test_a_resample_is_of_the_effects_alone(changed):
    def resample(config):
        config["study"]["bootstrap"]["resamples"] += 1

    assert changed(resample) == {"page.effects"}


def test_claims_take_the_effects_of_the_study_from_this_run_only(
    asked, folder, config, monkeypatch
):
    """The committed table is of another run; the first `make study` judges its own at once."""
    effects = "results/tables/sensitivity_effects.csv"
    assert (folder / effects).is_file()

    def taken(jobs):
        judging = [job for job in jobs if job["rule"] == "judge_claims"]
        return [(effects in job["input"], effects in job["shell"]) for job in judging]

    assert taken(list_jobs(folder)) == [(False, False)]
    assert taken(asked["jobs"]) == [(True, True)]  # the study among others
    monkeypatch.chdir(folder)
    chunks = chunk_files(config, **study_trainings(config, study_parts(config)[1]))
    for chunk in chunks:
        assert effects_of_this_run(config, asked=False) == []
        Path(chunk).parent.mkdir(parents=True, exist_ok=True)
        Path(chunk).touch()
    assert effects_of_this_run(config, asked=False) == [effects]
