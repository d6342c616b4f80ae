"""The page's scripts and twelve public reports: what is said of them, and that it is true.

Each truth is shown twice: by the diagnosis, and by hand, with bare scripts in which one thing is
set back.
"""

import csv
import json
import os
import re
import subprocess

import pytest
from public_reports import CASES, EXAMPLES, NEW, OLD, identifier, row_of


def check(case, folder):
    """Compare the verdict in a folder with what is right, and the files with each other."""
    verdict = json.loads((folder / "verdict.json").read_text())
    said = " ".join([verdict["sentence"], *verdict["notes"]])
    assert not verdict["undecided"], said
    named = {row["label"]: row["share"] for row in verdict["rows"] if row["named"]}
    assert set(named) == set(case.shares), said
    for label, (least, most) in case.shares.items():
        assert least <= named[label] <= most, (label, named[label])
    assert case.says in said, said
    place = verdict["place"] and (verdict["place"]["step"][1], loss_differs(verdict))
    assert place is None or case.place in (None, place), place
    assert bool(case.place) <= bool(place), said
    if case.unrepeatable is not None:
        assert ("not reproducible" in verdict["causes"]) == case.unrepeatable, said
    with (folder / "ladder.csv").open() as file:
        sizes = [float(row["contribution"]) for row in csv.DictReader(file)]
    assert sum(sizes) == pytest.approx(verdict["total"], abs=1e-9, rel=1e-6)
    if case.comparison:
        check_workflow(verdict, case.comparison)
    page = (folder / "diagnosis.html").read_text()
    assert "<svg" in page
    assert "http" not in page


def check_workflow(verdict, comparison):
    """Compare a verdict with that of the workflow on the same pair, to the digits of the page."""
    with (EXAMPLES.parent / "results/tables/verdicts.csv").open() as file:
        row = next(row for row in csv.DictReader(file) if row["comparison"] == comparison)
    sizes = {part["label"]: part["contribution"] for part in verdict["rows"]}
    measured = [verdict["first"]["values"][0], verdict["second"]["values"][0]]
    measured += [sizes["initial draws"], sizes.get("computation", 0.0), sizes["evaluation"]]
    names = ("first_loss", "second_loss", "draws_part", "computation_part", "evaluation_part")
    assert measured == pytest.approx([float(row[name]) for name in names], abs=1e-6)
    named = {"initial draws": "draws"}
    causes = {named.get(cause, cause) for cause in verdict["causes"]}
    assert causes == set(row["causes"].split(" and "))


def loss_differs(verdict):
    """Say whether the loss differs in the step in which the runs part."""
    rows = verdict["place"].get("arrays", [])
    return any(row["part"] == "loss" and row["largest_difference"] for row in rows)


def test_scripts_are_short():
    scripts = [*(EXAMPLES / "cases").glob("*"), *(EXAMPLES / "page").glob("*")]
    assert {path.suffix for path in scripts} == {".py"}
    for path in scripts:
        assert len(path.read_text().splitlines()) <= 40, path


def test_page_of_the_reports_tells_what_is_right():
    """Each case has a row with the lines of its scripts as they are, and the causes that it has."""
    page = (EXAMPLES.parent / "docs/reports.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    told = rows[-len(CASES) :]
    for row, (name, case) in zip(told, CASES.items(), strict=True):
        assert row[:4] == row_of(name, case)
        shares = dict(re.findall(r"(?:^|, )([^,]+) (-?[\d.]+) %", row[6]))
        assert set(shares) == set(case.shares), name
        for label, (least, most) in case.shares.items():
            assert least <= float(shares[label]) / 100 <= most, (name, label)


# A run of continuous integration has the time for the first of them.
ONE, *FURTHER = CASES


@pytest.mark.slow
@pytest.mark.parametrize("name", [ONE, *(pytest.param(n, marks=pytest.mark.long) for n in FURTHER)])
def test_report_has_its_causes_and_recorded_runs_have_the_bits_of_bare_scripts(
    diagnose, framework_pythons, name
):
    before, case = sorted(EXAMPLES.rglob("*")), CASES[name]
    folder = diagnose({identifier(name): case.pair()})[0] / identifier(name)
    check(case, folder)
    assert sorted(EXAMPLES.rglob("*")) == before
    if name.startswith("answer"):  # standalone keras need not repeat itself
        for side, script in zip(("first", "second"), case.scripts.split(), strict=True):
            printed = json.loads((folder / f"runs/{side}/as_is-1.json").read_text())["printed"]
            assert printed == run_bare(framework_pythons[case.environments], script)


# --- the truths by hand --------------------------------------------------------------------------


def run_bare(python, script, *changes):
    """Return what a script prints, with some text of it replaced: [(old, new), ...]."""
    text = (EXAMPLES / f"{script}.py").read_text()
    for old, new in changes:
        assert old in text, (script, old)
        text = text.replace(old, new)
    done = subprocess.run(
        [python, "-s", "-c", text],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# One start for both: every weight is set from numpy before the training begins.
DRAW = """draw = numpy.random.RandomState(0).normal
model.set_weights([0.3 * draw(size=w.shape) for w in model.get_weights()])
"""
START, LOOP_START = ("model.fit(", DRAW + "model.fit("), ("for _ in", DRAW + "for _ in")
UNTRAINED = ("model.fit(", DRAW + "(lambda *rows, **settings: None)(")
LSTM_GATE = ("LSTM(8, ", 'LSTM(8, recurrent_activation="hard_sigmoid", ')
GRU_OLD = ("GRU(5, ", 'GRU(5, reset_after=False, recurrent_activation="hard_sigmoid", ')
WEIGHTS = ("model.evaluate(x, y, verbose=0)", "model.layers[0].count_params()")
RATE = ('optimizer="adadelta"', "optimizer=tensorflow.keras.optimizers.Adadelta(1.0)")
WHOLE_SET = ("verbose=0)\n", "verbose=0)\nprint(model.evaluate(x, y, verbose=0))\n")
GENERATED = ("**held_out)\n", "**held_out)\nprint(model.evaluate(x, y, verbose=0))\n")
LAST_BATCH = (WHOLE_SET[0], WHOLE_SET[1].replace("(x, y,", "(x[-32:], y[-32:],"))
OF_GENERATOR = ("**held_out)", '**held_out)\nprint(model.history.history["val_loss"][-1])')
VAL_LOSS = ("verbose=0)\n", OF_GENERATOR[1].replace("**held_out", "verbose=0") + "\n")
BY_HAND = ("validation_split=0.2", "validation_data=(x[240:], y[240:])")
FIRST_ROWS = ("model.fit(x, y", "model.fit(x[:240], y[:240]")
COMPILED = ("load_model(path)\n", "load_model(path)\n    model.compile(loss=words['loss'], "
            "metrics=['sparse_categorical_accuracy'])\n")  # fmt: skip
PENALTY = ("print(model.evaluate(x, y, verbose=0))", "weights = model.get_weights()[0]\n"
           "print(model.evaluate(x, y, verbose=0) - 0.01 * float((weights**2).sum()))")  # fmt: skip
UNSHUFFLED = ("shuffle=True", "shuffle=False")
SEEDED = "cases/seeded_convolution"
SPLIT, SOFTMAX = "cases/validation_split", ("cases/softmax_plain", "cases/softmax_identity")
ARRAYS, GENERATOR = "cases/validation_arrays", "cases/validation_generator"
UNUSED = ("cases/unused_none", "cases/unused_layer")
# (environment, script, changes...) twice, and how what is printed compares: `equal`, to the bit;
# `close`, to five digits; `apart`, in the third digit or before; or what both print.
TRUTHS = [
    ((OLD, "page/answer_v1", LOOP_START), (OLD, "page/answer_v2", LOOP_START), "equal"),
    ((OLD, SOFTMAX[0], UNTRAINED), (OLD, SOFTMAX[1], UNTRAINED), "apart"),
    ((NEW, SOFTMAX[0], UNTRAINED), (NEW, SOFTMAX[1], UNTRAINED), "equal"),
    ((OLD, "cases/recurrent_lstm", START), (NEW, "cases/recurrent_lstm", START), "apart"),
    ((OLD, "cases/recurrent_lstm", START), (NEW, "cases/recurrent_lstm", START, LSTM_GATE),
     "close"),
    ((OLD, "cases/recurrent_keras"), (NEW, "cases/recurrent_keras"), "apart"),
    ((OLD, "cases/recurrent_keras"), (NEW, "cases/recurrent_keras", LSTM_GATE), "close"),
    ((OLD, "cases/recurrent_written", START), (NEW, "cases/recurrent_written", START), "close"),
    ((OLD, "cases/recurrent_gru", WEIGHTS), (NEW, "cases/recurrent_gru", WEIGHTS), "150 165"),
    ((OLD, "cases/recurrent_gru", START), (NEW, "cases/recurrent_gru", START, GRU_OLD), "close"),
    (("tf1.13", "cases/adadelta_tf_keras"), (OLD, "cases/adadelta_tf_keras"), "apart"),
    (("tf1.13", "cases/adadelta_tf_keras"), (OLD, "cases/adadelta_tf_keras", RATE), "close"),
    ((NEW, SPLIT, VAL_LOSS), (NEW, SPLIT, VAL_LOSS, FIRST_ROWS, BY_HAND), "equal"),
    ((NEW, SPLIT, VAL_LOSS), (NEW, "cases/validation_hand", VAL_LOSS), "apart"),
    (("tf2.3", "cases/accuracy_saved"), ("tf2.3", "cases/accuracy_loaded"), "apart"),
    (("tf2.3", "cases/accuracy_saved"), ("tf2.3", "cases/accuracy_loaded", COMPILED), "equal"),
    ((NEW, UNUSED[0]), (NEW, UNUSED[1]), "apart"),
    ((NEW, UNUSED[0], START), (NEW, UNUSED[1], START), "equal"),
    (("tf2.6", UNUSED[0]), ("tf2.6", UNUSED[1]), "apart"),
    (("tf2.6", UNUSED[0], START), ("tf2.6", UNUSED[1], START), "equal"),
    ((NEW, ARRAYS, LAST_BATCH), (NEW, GENERATOR, OF_GENERATOR), "close"),
    ((NEW, ARRAYS, WHOLE_SET), (NEW, GENERATOR, GENERATED), "equal"),
    ((OLD, "cases/fit_once"), (OLD, "cases/fit_often"), "equal"),
    ((NEW, "cases/fit_once"), (NEW, "cases/fit_often"), "equal"),
    ((OLD, "cases/fit_once_shuffled"), (OLD, "cases/fit_often_shuffled"), "equal"),
    ((NEW, "cases/fit_once_shuffled"), (NEW, "cases/fit_often_shuffled"), "apart"),
    ((NEW, "cases/fit_once_shuffled", UNSHUFFLED), (NEW, "cases/fit_often_shuffled", UNSHUFFLED),
     "equal"),
    (("tf1.15", SEEDED), ("tf2.2", SEEDED), "apart"),
    (("tf1.15", SEEDED, START), ("tf2.2", SEEDED, START), "close"),
    (("tf2.2", SEEDED), ("tf2.11", SEEDED), "close"),
    (("tf2.11", SEEDED), ("tf-current-keras3", SEEDED), "close"),
    ((NEW, "cases/penalty_evaluate"), (NEW, "cases/penalty_predict"), "apart"),
    ((NEW, "cases/penalty_evaluate", PENALTY), (NEW, "cases/penalty_predict"), "close"),
]  # fmt: skip


@pytest.fixture(scope="module")
def pythons(pythons_of):
    return pythons_of({side[0] for truth in TRUTHS for side in truth[:2]})


@pytest.mark.long
@pytest.mark.parametrize(
    ("first", "second", "relation"),
    TRUTHS,
    ids=lambda part: part if isinstance(part, str) else " ".join(part[:2]),
)
def test_truth_by_hand(pythons, first, second, relation):
    printed = [run_bare(pythons[side[0]], *side[1:]) for side in (first, second)]
    if relation == "equal":
        assert printed[0] == printed[1]
        return
    numbers = [[float(word) for word in re.findall(r"-?\d+\.?[\de-]*", text)] for text in printed]
    if relation not in ("close", "apart"):
        assert [part[-1] for part in numbers] == [float(word) for word in relation.split()]
        return
    gaps = [abs(a - b) / max(abs(a), abs(b), 1e-30) for a, b in zip(*numbers, strict=True)]
    assert max(gaps) < 1e-5 if relation == "close" else max(gaps) > 1e-3, gaps
