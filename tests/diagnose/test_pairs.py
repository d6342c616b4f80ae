"""Plain scripts, diagnosed: the page's, public reports, and scripts that cannot be followed."""

import csv
import json
import os
import subprocess

import pytest
from planted_scripts import combinations, plant
from repository import ROOT, run_driver
from waiting import HANGS

pytestmark = pytest.mark.slow
EXAMPLES = ROOT / "examples"
OLD, NEW = "tf1.14-keras2.2.4", "tf2.0-keras2.3.1"
UPGRADE = f"{OLD} {NEW}"
# name: scripts, environments, causes, what the sentences say among more
QUICK = {
    "page_1_14": (("page/answer_v1", "page/answer_v2"), OLD, ["initial draws"],
                  "100 % of +0.3"),
    "page_2_0": (("page/answer_v1", "page/answer_v2"), NEW, [], "all 180 steps agree to the bit"),
    "penalty": (("cases/penalty_evaluate", "cases/penalty_predict"), NEW, ["evaluation"],
                "evaluate against predict"),
}  # fmt: skip
LONG = {
    "question_1_14": (("page/question_plain", "page/question_bn"), OLD,
                      ["initial draws", "computation"], "0.7751016616821289 and 1.12298"),
    "softmax_identity": (("cases/softmax_plain", "cases/softmax_identity"), OLD, ["computation"],
                         "part in step 1, in the loss"),
    "recurrent": (("cases/recurrent_lstm",), UPGRADE, ["initial draws", "changed default"],
                  "LSTM.recurrent_activation: hard_sigmoid → sigmoid"),
    "recurrent_keras": (("cases/recurrent_keras",), UPGRADE, ["changed default"], "100 % of"),
    "recurrent_written": (("cases/recurrent_written",), UPGRADE, ["initial draws"],
                          "is rounding"),
    "softmax_2_0": (("cases/softmax_plain", "cases/softmax_identity"), NEW, [],
                    "all 48 steps agree to the bit"),
    "reset": (("cases/recurrent_gru",), UPGRADE, ["initial draws", "changed default"],
              "GRU.reset_after: False → True"),
    "adadelta": (("cases/adadelta_keras", "cases/adadelta_tf_keras"), OLD,
                 ["not reproducible", "initial draws", "changed default"],
                 "Adadelta.learning_rate: 1 → 0.001"),
    "validation_split": (("cases/validation_split", "cases/validation_hand"), NEW,
                         ["data", "evaluation"], "on other rows"),
    "accuracy_loaded": (("cases/accuracy_saved", "cases/accuracy_loaded"), "tf2.3",
                        ["evaluation"], "100 % of -0.75"),
    "unused_layer": (("cases/unused_none", "cases/unused_layer"), NEW, ["initial draws"],
                     "from equal weights all 35 steps agree to the bit"),
    "validation_generator": (("cases/validation_arrays", "cases/validation_generator"), NEW,
                             ["evaluation"], "all 30 steps agree to the bit"),
    "fit_once": (("cases/fit_once", "cases/fit_often"), NEW, [], "all 70 steps agree"),
    "fit_shuffled": (("cases/fit_once_shuffled", "cases/fit_often_shuffled"), NEW,
                     ["draws during training"], "100 % of"),
    "seeded": (("cases/seeded_convolution",), "tf1.15 tf2.11", ["initial draws"], "rounding"),
}  # fmt: skip


@pytest.fixture(scope="module")
def diagnose(tmp_path_factory, framework_pythons):
    """Return a function that diagnoses pairs in one Snakemake call, from outside of the clone."""

    def diagnose(pairs, status=0):
        folder = tmp_path_factory.mktemp("diagnosis")
        (folder / "pairs.json").write_text(json.dumps({"pairs": pairs}))
        done = run_driver(
            *("snakemake", "--snakefile", ROOT / "workflow/diagnose/Snakefile", "--cores", 2),
            *("--software-deployment-method", "conda", "--directory", folder, "--quiet", "rules"),
            *("--conda-prefix", ROOT / ".snakemake/conda", "--configfile", folder / "pairs.json"),
            cwd=folder,
            timeout=HANGS,
        )
        assert done.returncode == status, done.stdout
        return folder, done.stdout

    return diagnose


def as_pairs(cases):
    """Return cases as the configuration has them."""
    pairs = {}
    for name, (scripts, environments, _, _) in cases.items():
        paths = [str(EXAMPLES / f"{script}.py") for script in scripts]
        keys = ("first", "second") if len(paths) == 2 else ("script",)
        pairs[name] = dict(zip(keys, paths, strict=True)) | {"in": environments}
    return pairs


def check(folder, cases):
    """Compare the verdicts of a folder with what is expected, and its files with each other."""
    wrong = {}
    for name, (_, _, causes, text) in cases.items():
        verdict = json.loads((folder / name / "verdict.json").read_text())
        said = " ".join([verdict["sentence"], *verdict["notes"]])
        if verdict["causes"] != causes or text not in said:
            wrong[name] = said
        with (folder / name / "ladder.csv").open() as file:
            rows = list(csv.DictReader(file))
        contributions = sum(float(row["contribution"]) for row in rows)
        assert contributions == pytest.approx(verdict["total"], abs=1e-9, rel=1e-6), name
        page = (folder / name / "diagnosis.html").read_text()
        assert "<svg" in page
        assert "http" not in page
    assert not wrong


@pytest.fixture(scope="module")
def quick(diagnose):
    """The folder of the quick cases, diagnosed, and what was printed."""
    before = sorted(EXAMPLES.rglob("*"))
    folder, printed = diagnose(as_pairs(QUICK))
    assert sorted(EXAMPLES.rglob("*")) == before
    return folder, printed


def test_causes_are_named(quick):
    check(quick[0], QUICK)
    assert "initial draws" in quick[1]


@pytest.mark.parametrize(("name", "environment"), [("page_1_14", OLD), ("page_2_0", NEW)])
@pytest.mark.parametrize("side", ["first", "second"])
def test_recorded_run_has_the_bits_of_the_bare_script(
    quick, framework_pythons, name, environment, side
):
    record = json.loads((quick[0] / name / f"runs/{side}/as_is-1.json").read_text())
    bare = subprocess.run(
        [framework_pythons[environment], "-s", record["plan"]["script"]],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert record["printed"] == bare


@pytest.mark.long
def test_public_reports_have_the_causes_that_are_known(diagnose):
    folder, _ = diagnose(as_pairs(LONG))
    check(folder, LONG)


@pytest.mark.long
def test_standalone_keras_with_adam_is_never_called_computation(diagnose):
    case = {"race": (("cases/keras_adam", "cases/keras_adam"), OLD, None, "")}
    folder, _ = diagnose(as_pairs(case))
    verdict = json.loads((folder / "race/verdict.json").read_text())
    assert verdict["causes"] in ([], ["not reproducible"])


@pytest.mark.long
@pytest.mark.parametrize("environment", [OLD, NEW])
def test_planted_causes_are_named_and_no_others(diagnose, tmp_path, environment):
    pairs = plant(tmp_path / "scripts", environment)
    folder, _ = diagnose(pairs)
    named = {name: json.loads((folder / name / "verdict.json").read_text()) for name in pairs}
    wrong = {
        name: verdict["sentence"]
        for causes, (name, verdict) in zip(combinations(), named.items(), strict=True)
        if set(verdict["causes"]) != set(causes)
    }
    assert not wrong


SENTENCES = {
    "python2": ("print 1\n", "line 1 is not Python 3"),
    "raises": ("import tensorflow\nraise ValueError('no')\n", "line 2 raises ValueError: no"),
    "exits": ("import sys\nsys.exit(4)\n", "the script ends itself with exit status 4"),
    "killed": ("import os\nos._exit(0)\n", "was killed, or has ended itself"),
    "lacks_a_file": ("open('nowhere.csv')\n", "line 1 raises FileNotFoundError"),
    "lacks_a_package": ("import no_such_package\n", "No module named 'no_such_package'"),
    "trains_nothing": ("print(1)\n", "the script trains no Keras model"),
    "processes": ("import multiprocessing\n", "line 1 imports multiprocessing"),
    "never_ends": ("while True:\n    pass\n", "did not end within its limit of 20 s"),
    "prints_much": ("print('x' * 10**8)\n", "the script trains no Keras model"),
}  # fmt: skip


@pytest.mark.long
def test_script_that_cannot_be_followed_is_told_in_a_sentence(diagnose, tmp_path):
    pairs = {}
    for name, (script, _) in SENTENCES.items():
        (tmp_path / f"{name}.py").write_text(script)
        path = str(tmp_path / f"{name}.py")
        pairs[name] = {"first": path, "second": path, "in": NEW, "limit": 20}
    folder, _ = diagnose(pairs, status=3)
    for name, (_, sentence) in SENTENCES.items():
        assert sentence in json.loads((folder / name / "verdict.json").read_text())["sentence"]
    assert (folder / "prints_much/runs/first/as_is-1.out").stat().st_size == 10**8 + 1
