"""The bisection of releases as a workflow, on planted records: nothing is trained."""

import itertools
import json

import numpy
import pytest
from diagnose import pairs
from repository import ROOT, run_driver
from test_ladder import a_run
from waiting import HANGS

pytestmark = pytest.mark.slow
CHANGED = "tf2.1"


def test_release_that_changed_a_number_is_found_and_diagnosed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("print('not run')\n")
    asked = {"name": "up", "script": str(script), "in": "tf1.13 tf2.3", "releases": 1}
    releases = pairs.read_pairs(asked, ROOT)[1]["up"]
    for one, other in itertools.pairwise(releases):
        for side, release in (("first", one), ("second", other)):
            new = releases.index(release) >= releases.index(CHANGED)
            folder = tmp_path / f"up/{one}-to-{other}/runs/{side}"
            folder.mkdir(parents=True)
            for repeat in (1, 2):
                run = a_run(1.5 if new else 1.0, plan={"script": "s", "arguments": []})
                (folder / f"as_is-{repeat}.json").write_text(json.dumps(run))
                (folder / f"as_is-{repeat}.out").write_text("")
                numpy.savez(folder / f"as_is-{repeat}.npz")
    done = run_driver(
        *("snakemake", "--snakefile", ROOT / "workflow/diagnose/Snakefile", "--cores", 1),
        *("--directory", tmp_path, "--quiet", "rules"),
        *("--config", *(f"{key}={value}" for key, value in asked.items())),
        cwd=tmp_path,
        timeout=HANGS,
    )
    assert done.returncode == 0, done.stdout
    assert (
        "The number changes by +0.5 from tf2.0-keras2.3.1 to tf2.1. Tried: tf1.13: 1; "
        in done.stdout
    )
    assert "The two runs are evaluated differently" in done.stdout
    assert [path.parent.name for path in tmp_path.rglob("diagnosis.html")] == [
        "tf2.0-keras2.3.1-to-tf2.1"
    ]
    assert len(list(tmp_path.glob("up/releases-*.json"))) <= 4
