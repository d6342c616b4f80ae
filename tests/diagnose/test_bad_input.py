"""Scripts that fail, train nothing or do not end: each gets a sentence, nothing is lost."""

import json

import pytest

ENVIRONMENT = "tf2.0-keras2.3.1"
MODEL = """import numpy
import tensorflow as tf
x = numpy.random.RandomState(0).normal(size=(40, 3))
def train(rate=0.1, size=1.0):
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(3,))])
    model.compile(optimizer=tf.keras.optimizers.SGD(rate), loss="mse")
    model.fit(size * x, size * x[:, :1], epochs=2, shuffle=False, verbose=0)
    print(model.evaluate(size * x, size * x[:, :1], verbose=0))
"""
SEEDED = MODEL + "tf.random.set_seed(1)\n"
# what is wrong: (script, what is said, whether there is no verdict)
SCRIPTS = {
    "python2": ("print 1\n", "line 1 is not Python 3", True),
    "raises": ("import tensorflow\nraise ValueError('no')\n", "line 2 raises ValueError: no", True),
    "raises_late": (SEEDED + "train()\nprint(undefined)\n", "line 11 raises NameError", True),
    "exits": ("import sys\nsys.exit(4)\n", "the script ends itself with exit status 4", True),
    "killed": ("import os\nos._exit(0)\n", "was killed, or has ended itself", True),
    "lacks_a_file": ("open('nowhere.csv')\n", "line 1 raises FileNotFoundError", True),
    "lacks_a_package": ("import no_such_package\n", "No module named 'no_such_package'", True),
    "trains_nothing": ("print(1)\n", "the script trains no Keras model", True),
    "processes": ("import multiprocessing\n", "line 1 imports multiprocessing", True),
    "never_ends": ("while True:\n    pass\n", "did not end within its limit of 60 s", True),
    "prints_much": ("print('x' * 10**8)\n", "the script trains no Keras model", True),
    "diverges": (SEEDED + "train(rate=1e30)\n", "nan in the first run, whose loss is", True),
    "two_models": (SEEDED + "train()\ntrain()\n", "The first script trains 2 models.", False),
    "no_seed": (MODEL + "train()\n", "the framework has no seed.", False),
    "writes": (SEEDED + "train()\nopen('written.txt', 'a').write('1')\n", "written.txt", False),
}  # fmt: skip


@pytest.mark.long
def test_script_that_fails_is_told_in_a_sentence(diagnose, tmp_path):
    pairs = {}
    for name, (script, _, _) in SCRIPTS.items():
        (tmp_path / name).mkdir()
        path = tmp_path / name / "script.py"
        path.write_text(script)
        pairs[name] = {"first": str(path), "second": str(path), "in": ENVIRONMENT, "limit": 60}
    folder, printed = diagnose(pairs, status=3)
    assert "Traceback" not in printed
    for name, (_, sentence, undecided) in SCRIPTS.items():
        verdict = json.loads((folder / name / "verdict.json").read_text())
        assert bool(verdict["undecided"]) == undecided, (name, verdict["sentence"])
        assert sentence in " ".join([verdict["sentence"], *verdict["notes"]]), name
        assert (folder / name / "diagnosis.html").is_file()
    assert (folder / "prints_much/runs/first/as_is-1.out").stat().st_size == 10**8 + 1
