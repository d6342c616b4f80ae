"""What the tests of whole diagnoses share: one Snakemake call, from outside of the clone."""

import json

import pytest
from repository import ROOT, run_driver
from waiting import HANGS


@pytest.fixture(scope="session")
def diagnose(tmp_path_factory):
    """Return a function that diagnoses pairs: diagnose(pairs) -> folder, printed."""

    def diagnose(pairs, status=0, folder=None):
        folder = folder or tmp_path_factory.mktemp("diagnosis")
        (folder / "pairs.json").write_text(json.dumps({"pairs": pairs}))
        done = run_driver(
            *("snakemake", "--snakefile", ROOT / "workflow/diagnose/Snakefile", "--cores", 2),
            *("--software-deployment-method", "conda", "--directory", folder, "--quiet", "rules"),
            *("--conda-prefix", ROOT / ".snakemake/conda", "--configfile", folder / "pairs.json"),
            cwd=folder,
            timeout=HANGS * len(pairs),
        )
        assert done.returncode == status, done.stdout
        return folder, done.stdout

    return diagnose


@pytest.fixture(scope="session")
def pythons_of(tmp_path_factory):
    """Return a function that builds environments: pythons_of(names) -> {name: interpreter}."""

    def pythons_of(names):
        folder = tmp_path_factory.mktemp("environments")
        (folder / "Snakefile").write_text(SNAKEFILE)
        options = ("--sdm", "conda", "--conda-prefix", ROOT / ".snakemake/conda", "--cores", 1)
        given = [f"envs={ROOT / 'envs'}", f"names={' '.join(sorted(names))}"]
        done = run_driver("snakemake", *options, "--quiet", "--config", *given, cwd=folder)
        assert done.returncode == 0, done.stdout
        return {name: (folder / name).read_text().strip() for name in names}

    return pythons_of


SNAKEFILE = """
rule all:
    input: config["names"].split()

rule locate:
    output: "{name}"
    conda: lambda wildcards: f"{config['envs']}/{wildcards.name}.yaml"
    shell: "command -v python > {output}"
"""
