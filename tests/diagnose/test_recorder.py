"""The recorder in real frameworks: own loops, datasets, and the parts of one step."""

import json
import os
import subprocess

import numpy
import pytest
from repository import ROOT
from waiting import HANGS

pytestmark = pytest.mark.slow
OLD, NEW, NOW = "tf1.14-keras2.2.4", "tf2.0-keras2.3.1", "tf-current-keras3"
OTHERS = ["tf1.13", "tf1.15", "tf2.1", "tf2.2", "tf2.3", "tf2.6", "tf2.11", NOW]
HEAD = """
import random, numpy, tensorflow
random.seed(2)  # from TensorFlow 2.11 on, layers draw their seeds from here
from tensorflow.keras import layers, models
set_seed = getattr(tensorflow, "set_random_seed", None) or tensorflow.random.set_seed
set_seed(3)
numpy.random.seed(1)
x = numpy.random.normal(size=(48, 6)).astype("float32")
y = numpy.sin(x.sum(axis=1, keepdims=True))
"""
FIT = """
model = models.Sequential([layers.Dense(8, input_shape=(6,)), layers.BatchNormalization()])
model.add(layers.Dense(1))
model.compile("sgd", "mse")
"""
LOOP = """
model = models.Sequential([layers.Dense(8, input_shape=(6,)), layers.Dense(1)])
optimizer = tensorflow.keras.optimizers.SGD(0.05)
def step(a, b):
    with tensorflow.GradientTape() as tape:
        loss = tensorflow.reduce_mean((model(a) - b) ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
for n in range(4):
    step(tensorflow.constant(x), tensorflow.constant(y))
print(model.get_weights())
"""
BUILD = """
import sys
api, seed, sources = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
if api == "keras":
    from keras import layers, models, utils
else:
    from tensorflow.keras import utils
def build():
    model = models.Sequential([layers.Dense(8, input_shape=(6,)), layers.Dropout(0.2)])
    model.add(layers.Dense(1))
    model.compile("sgd", "mse")
    return model
"""
FEEDS = """
class Rows(getattr(utils, "PyDataset", utils.Sequence)):
    def __len__(self):
        return 3
    def __getitem__(self, n):
        return x[16 * n : 16 * n + 16] * seed, y[16 * n : 16 * n + 16]
def batches():
    while True:
        rows = numpy.random.RandomState(seed).permutation(48)
        for part in (rows[:16], rows[16:32], rows[32:]):
            yield x[part], y[part]
# In a graph, the operations of a dataset would change what is drawn after them.
for source, model in zip(sources, [build() for source in sources]):
    fit = model.fit_generator if api == "keras" else model.fit
    if source == "sequence":
        fit(Rows(), epochs=2, verbose=0, shuffle=False)
    elif source == "generator":
        fit(batches(), steps_per_epoch=3, epochs=2, verbose=0)
    elif source == "dataset":
        dataset = tensorflow.data.Dataset.from_tensor_slices((x, y)).shuffle(48, seed=seed)
        fit(dataset.batch(16).repeat(), steps_per_epoch=3, epochs=2, verbose=0)
    else:
        fit(seed * x, y, batch_size=16, epochs=2, verbose=0, shuffle=False)
    print([array.tobytes().hex() for array in model.get_weights()])
"""
EVALUATED = """
def feed(source, a, b):
    if source == "sequence":
        return Rows(a, b)
    if source == "generator":
        return batches(a, b)
    return tensorflow.data.Dataset.from_tensor_slices((a, b)).batch(8).repeat()
class Rows(getattr(utils, "PyDataset", utils.Sequence)):
    def __init__(self, *arrays):
        super().__init__()
        self.arrays = arrays
    def __len__(self):
        return len(self.arrays[0]) // 8
    def __getitem__(self, n):
        return tuple(array[8 * n : 8 * n + 8] for array in self.arrays)
def batches(*arrays):
    while True:
        for n in range(len(arrays[0]) // 8):
            yield tuple(array[8 * n : 8 * n + 8] for array in arrays)
held = seed * x[32:], y[32:]
for source, model in zip(sources, [build() for source in sources]):
    if source == "arrays":
        model.fit(x[:32], y[:32], batch_size=8, epochs=2, validation_data=held, verbose=0)
        print(model.evaluate(*held, batch_size=8, verbose=0))
        continue
    fit = model.fit_generator if api == "keras" else model.fit
    fit(feed(source, x[:32], y[:32]), steps_per_epoch=4, epochs=2,
        validation_data=feed(source, *held), validation_steps=2, verbose=0)
    old = hasattr(model, "evaluate_generator") and source != "dataset"
    evaluate = model.evaluate_generator if old else model.evaluate
    print(evaluate(feed(source, *held), steps=2, verbose=0))
    print([array.tobytes().hex() for array in model.get_weights()])
"""
SCRIPTS = {
    "feeds": HEAD + BUILD + FEEDS,
    "evaluated": HEAD + BUILD + EVALUATED,
    "loops": HEAD + LOOP + LOOP.replace("def step", "@tensorflow.function\ndef step") + FIT + """
data = tensorflow.data.Dataset.from_tensor_slices((x, y)).shuffle(48).batch(12)
model.fit(data, epochs=1, verbose=0)
print(model.get_weights())
""",
    "state": HEAD + """
import sys
at_once, later = {"input_shape": (6,)}, {}  # when the first layer has its weights
forms = [("adam", later), ("momentum", at_once), ("rmsprop", later)]
if "every form" in sys.argv:
    forms += [("adam", at_once), ("momentum", later), ("rmsprop", at_once)]
for optimizer, shape in forms:
    if optimizer == "momentum":
        optimizer = tensorflow.keras.optimizers.SGD(0.05, momentum=0.9)
    model = models.Sequential([layers.Dense(8, activation="relu", **shape)])
    for layer in (layers.Dropout(0.3), layers.BatchNormalization(), layers.Dense(1)):
        model.add(layer)
    model.compile(optimizer, "mse")
    model.fit(x, y, batch_size=16, validation_split=0.25, verbose=0)
    print(model.train_on_batch(x, y), model.evaluate(x, y, verbose=0))
    print([array.tobytes().hex() for array in model.get_weights()])
""",
    "saturated": HEAD + """
y = (y > 0).astype("float32")
model = models.Sequential([layers.Dense(1, activation="sigmoid", input_shape=(6,))])
model.compile("sgd", "binary_crossentropy")
model.fit(500 * x, y, batch_size=12, shuffle=False, verbose=0)
""",
    "arrays": HEAD + FIT + """
tell = tensorflow.keras.callbacks.LambdaCallback(
    on_batch_end=lambda batch, logs: print([array.tolist() for array in model.get_weights()]))
model.fit(x, y, batch_size=12, shuffle=False, verbose=0, callbacks=[tell])
""",
}  # fmt: skip


@pytest.fixture(scope="module")
def record(tmp_path_factory, framework_pythons, pythons_of):
    """Return a function that records a script, once: record(environment, name, **plan)."""
    done = {}

    def record(*script, **plan):
        run = json.dumps([script, plan])
        if run not in done:
            done[run] = record_anew(*script, **plan)
        return done[run]

    def record_anew(environment, name, **plan):
        folder = tmp_path_factory.mktemp(name)
        script = folder / f"{name}.py"
        script.write_text(SCRIPTS[name])
        plan = {"script": str(script), "arguments": [], "limit": 600, **plan}
        (folder / "plan.json").write_text(json.dumps(plan))
        known = framework_pythons if environment in (OLD, NEW) else pythons_of([environment])
        python, workflow = known[environment], ROOT / "workflow"
        paths = [folder / part for part in ("plan.json", "record.json", "arrays.npz", "printed")]
        run = {"env": os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}, "check": True}
        subprocess.run([python, "-s", workflow, "diagnose.record", *paths], **run)
        found = json.loads(paths[1].read_text()) | {"paths": [str(path) for path in paths[1:3]]}
        assert found["error"] is None
        bare = [python, "-s", script, *plan["arguments"]]
        return found, dict(numpy.load(paths[2])), paths[3].read_text(), bare

    return record


def test_loops_and_datasets_are_followed_and_not_disturbed(record):
    found, _, printed, bare = record(NEW, "loops")
    assert printed == subprocess.run(bare, capture_output=True, text=True, check=True).stdout
    assert [len(model["hashes"]) for model in found["models"]] == [4, 4, 4]
    calls = [call for call in found["calls"] if call["steps"] == 4]
    assert len(calls) == 3 and all(call["data"] for call in calls)
    (said,) = found["unseen"]
    assert said.startswith("line 17 trains in a loop of its own, ")


LONG = [pytest.param(name, marks=pytest.mark.long) for name in OTHERS]
OLD_TOO = [pytest.param(OLD, marks=pytest.mark.long), *LONG]


@pytest.mark.parametrize("more", [[], pytest.param(["every form"], marks=pytest.mark.long)])
@pytest.mark.parametrize("environment", [OLD, NEW, *LONG])
def test_state_of_the_optimizer_is_recorded_and_not_disturbed(record, environment, more):
    found, _, printed, bare = record(environment, "state", arguments=more)
    assert printed == subprocess.run(bare, capture_output=True, text=True, check=True).stdout
    # 1.13 keeps what AMSGrad would need, Keras 3 the learning rate.
    numbers = {"tf1.13": [19, 7, 6], NOW: [14, 8, 8]}.get(environment, [13, 7, 7])
    numbers *= 1 + len(more)
    for model, slots in zip(found["models"], numbers, strict=True):
        assert len(model["hashes"]) == len(model["states"]) == 4
        assert {len(state) for state in model["states"]} == {len(model["slots"])} == {slots}
        assert len({tuple(state) for state in model["states"]}) == 4


@pytest.mark.parametrize("environment", [OLD, NEW])
def test_parts_of_a_step_are_those_of_the_step(record, environment):
    found, arrays, printed, _ = record(environment, "arrays", probe=[0, 2])
    (model,) = found["models"]
    assert [kind for _, kind in model["looked"]] == ["Dense", "BatchNormalization", "Dense"]
    assert len(model["hashes"]) == 2
    before = json.loads(printed.splitlines()[0])  # what the script says of the step before
    for place, trained in enumerate(model["trained"]):
        if trained:  # plain gradient descent: the update is the gradient
            step = numpy.array(before[place]) - arrays[f"final/0/{place}"]
            gradient = arrays[f"gradient/0/{place}"]
            numpy.testing.assert_allclose(step, 0.01 * gradient, rtol=1e-4, atol=1e-6)
    assert float(arrays["loss/0/0"]) == pytest.approx(model["losses"][1], rel=1e-5)


@pytest.mark.parametrize("environment", [OLD, NEW])
def test_loss_of_a_step_is_that_of_the_step_where_probabilities_are_zero(record, environment):
    found, arrays, _, _ = record(environment, "saturated", probe=[0, 1])
    (model,) = found["models"]
    assert float(arrays["loss/0/0"]) == pytest.approx(model["losses"][0], rel=1e-5)


def check_feeds(record, environment, api, one, other):
    """Train on other batches, then on those of the first run: all steps have the same bits."""
    first, _, printed, bare = record(environment, "feeds", arguments=[api, "1", *one], whole=True)
    assert printed == subprocess.run(bare, capture_output=True, text=True, check=True).stdout
    words = [api, "2", *other]
    second = record(environment, "feeds", arguments=words)[0]
    exchanged = record(environment, "feeds", arguments=words, data=first["paths"])[0]
    assert exchanged["done"]["data"] == len(one) == len(first["calls"])
    for number, call in enumerate(first["calls"]):
        assert call["kept"] and call["data"] and call["steps"] == 6, one[number]
        hashes = [run["models"][number]["hashes"] for run in (first, second, exchanged)]
        assert hashes[0] == hashes[2] != hashes[1], (one[number], other[number])
        batches = [run["calls"][number].get("batches") for run in (first, second, exchanged)]
        assert batches[0] == batches[2] and (batches[1] is None or batches[0] != batches[1])
    assert not first["unseen"] + second["unseen"] + exchanged["unseen"]


def check_evaluated(record, environment, api, sources, seeds="112"):
    """Evaluate the same rows or others, from each source: what is recorded says which."""
    runs = []
    for seed in seeds:
        found, _, printed, bare = record(environment, "evaluated", arguments=[api, seed, *sources])
        numbers = [n for n in found["numbers"] if n["name"] == "val_loss" or "eval" in n["method"]]
        assert {number["batch_size"] for number in numbers} == {8}
        while_trained, after = numbers[::2], numbers[1::2]
        assert len(while_trained) == len(after) == len(sources)
        for one, other in zip(while_trained, after, strict=True):
            # TensorFlow 2.0 has read ahead by then, and a generator goes on where it is.
            equal = one["values"][-1] == pytest.approx(other["values"][-1], rel=1e-5)
            assert one["data"] and (one["each"]["rows"] == other["each"]["rows"]) == equal
        assert len({number["each"]["rows"] for number in after}) == 1  # whatever they come from
        runs.append(after)
    output = subprocess.run(bare, capture_output=True, text=True, check=True).stdout
    said = [
        [line for line in text.splitlines() if "/step" not in line]  # a time, in TensorFlow 1.13
        for text in (printed, output)
    ]
    assert said[0] == said[1] != []
    hashes = [[number["data"] for number in run] for run in runs]
    assert hashes[0] == hashes[-2] and not {*hashes[0]} & {*hashes[-1]}
    assert runs[0][0]["each"]["rows"] != runs[-1][0]["each"]["rows"]


SOURCES = ["generator", "sequence", "dataset", "arrays"]


def test_batches_of_any_source_are_followed_and_exchanged(record):
    check_feeds(record, NEW, "tensorflow", SOURCES, [*SOURCES[1:], SOURCES[0]])


@pytest.mark.parametrize("environment", OLD_TOO)
def test_batches_are_followed_and_exchanged_in_every_release(record, environment):
    check_feeds(record, environment, "tensorflow", SOURCES, SOURCES)
    check_feeds(record, environment, "tensorflow", SOURCES, [*SOURCES[1:], SOURCES[0]])


@pytest.mark.long
def test_batches_are_followed_and_exchanged_in_standalone_keras(record):
    check_feeds(record, NEW, "keras", SOURCES[:2], SOURCES[:2])  # keras 2.2.4 may race


@pytest.mark.parametrize("environment", [NEW, *OLD_TOO])
def test_light_run_notes_the_last_step_of_each_epoch_alone(record, environment):
    given = ["tensorflow", "1", *SOURCES]
    full, arrays, printed, _ = record(environment, "feeds", arguments=given, whole=True)
    light, kept, same, _ = record(environment, "feeds", arguments=given, keep=True, light=True)
    assert same == printed
    assert light["numbers"] == full["numbers"]
    assert kept.keys() == {key for key in arrays if key.startswith(("final/", "state/"))}
    assert all(numpy.array_equal(arrays[key], kept[key]) for key in kept)
    for one, other in zip(full["models"], light["models"], strict=True):
        assert one["losses"] == other["losses"]
        assert None not in one["hashes"]
        unseen = [None, None]
        assert other["hashes"] == [*unseen, one["hashes"][2], *unseen, one["hashes"][5]]


@pytest.mark.parametrize("written", ["", "open('notes.txt', 'a').write(sys.argv[1])\n"])
def test_run_that_writes_beside_its_script_is_run_again_alone(tmp_path, framework_pythons, written):
    script = tmp_path / "scripts/train.py"
    script.parent.mkdir()
    (tmp_path / "plans").mkdir()
    script.write_text("import sys\n" + written)
    runs = []
    for number in ("1", "2"):
        plan = {"script": str(script), "arguments": [number], "limit": 600}
        plan["lock"] = str(tmp_path / "lock")
        (tmp_path / f"plans/{number}").write_text(json.dumps(plan))
        paths = [tmp_path / f"{number}.{kind}" for kind in ("json", "npz", "out")]
        command = [framework_pythons[NEW], "-s", ROOT / "workflow", "diagnose.record"]
        runs.append(subprocess.Popen([*command, tmp_path / f"plans/{number}", *paths]))
    assert [run.wait(timeout=HANGS) for run in runs] == [0, 0]
    records = [json.loads((tmp_path / f"{number}.json").read_text()) for number in ("1", "2")]
    assert {record["error"] for record in records} == {"the script trains no Keras model"}
    if not written:
        assert [record["writes"] for record in records] == [[], []]
        assert (tmp_path / "lock").read_text() == ""
        return
    assert [record["writes"] for record in records] == [["notes.txt"], ["notes.txt"]]
    # The last two characters come from runs that were alone, those before from first attempts.
    notes = (script.parent / "notes.txt").read_text()
    assert len(notes) > 2 and sorted(notes[-2:]) == ["1", "2"]


def test_what_is_evaluated_is_followed_from_any_source(record):
    check_evaluated(record, NEW, "tensorflow", SOURCES, seeds="12")


@pytest.mark.parametrize("environment", [pytest.param(NEW, marks=pytest.mark.long), *OLD_TOO])
def test_what_is_evaluated_is_followed_in_every_release(record, environment):
    check_evaluated(record, environment, "tensorflow", SOURCES)


@pytest.mark.long
def test_what_is_evaluated_is_followed_in_standalone_keras(record):
    check_evaluated(record, NEW, "keras", [*SOURCES[:2], "arrays"])  # keras 2.2.4 may race
