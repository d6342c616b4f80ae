"""The recorder in real frameworks: own loops, datasets, and the parts of one step."""

import json
import os
import subprocess

import numpy
import pytest
from repository import ROOT

pytestmark = pytest.mark.slow
OLD, NEW = "tf1.14-keras2.2.4", "tf2.0-keras2.3.1"
HEAD = """
import numpy, tensorflow
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
SCRIPTS = {
    "loop": HEAD + LOOP,
    "function": HEAD + LOOP.replace("def step", "@tensorflow.function\ndef step"),
    "dataset": HEAD + FIT + """
data = tensorflow.data.Dataset.from_tensor_slices((x, y)).shuffle(48).batch(12)
model.fit(data, epochs=1, verbose=0)
print(model.get_weights())
""",
    "state": HEAD + """
for shape in ({"input_shape": (6,)}, {}):
    for optimizer in ("adam", tensorflow.keras.optimizers.SGD(0.05, momentum=0.9), "rmsprop"):
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
    "arrays": HEAD + FIT + "model.fit(x, y, batch_size=12, shuffle=False, verbose=0)\n",
}  # fmt: skip


@pytest.fixture
def record(tmp_path, framework_pythons):
    """Return a function that records a script: record(environment, name, **plan)."""

    def record(environment, name, **plan):
        script = tmp_path / f"{name}.py"
        script.write_text(SCRIPTS[name])
        plan = {"script": str(script), "arguments": [], "limit": 600, **plan}
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        python, workflow = framework_pythons[environment], ROOT / "workflow"
        paths = [tmp_path / part for part in ("plan.json", "record.json", "arrays.npz", "printed")]
        run = {"env": os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}, "check": True}
        subprocess.run([python, "-s", workflow, "diagnose.record", *paths], **run)
        found = json.loads(paths[1].read_text())
        assert found["error"] is None
        return found, dict(numpy.load(paths[2])), paths[3].read_text(), [python, "-s", script]

    return record


@pytest.mark.parametrize("name", ["loop", "function", "dataset"])
def test_loops_and_datasets_are_followed_and_not_disturbed(record, name):
    found, _, printed, bare = record(NEW, name)
    assert printed == subprocess.run(bare, capture_output=True, text=True, check=True).stdout
    assert len(found["models"][0]["hashes"]) == 4
    (call,) = (call for call in found["calls"] if call["steps"] == 4)
    assert call["data"]
    assert bool(found["unseen"]) == (name == "loop")


@pytest.mark.parametrize("environment", [OLD, NEW])
def test_state_of_the_optimizer_is_recorded_and_not_disturbed(record, environment):
    found, _, printed, bare = record(environment, "state")
    assert printed == subprocess.run(bare, capture_output=True, text=True, check=True).stdout
    for model, slots in zip(found["models"], 2 * [13, 7, 7], strict=True):
        assert len(model["hashes"]) == len(model["states"]) == 4
        assert {len(state) for state in model["states"]} == {len(model["slots"])} == {slots}
        assert len({tuple(state) for state in model["states"]}) == 4


@pytest.mark.parametrize("environment", [OLD, NEW])
def test_parts_of_a_step_are_those_of_the_step(record, environment):
    found, arrays, _, _ = record(environment, "arrays", probe=[0, 2])
    (model,) = found["models"]
    assert [kind for _, kind in model["looked"]] == ["Dense", "BatchNormalization", "Dense"]
    assert len(model["hashes"]) == 2
    before = record(environment, "arrays", probe=[0, 1])[1]
    for place, trained in enumerate(model["trained"]):
        if trained:  # plain gradient descent: the update is the gradient
            step = before[f"final/0/{place}"] - arrays[f"final/0/{place}"]
            gradient = arrays[f"gradient/0/{place}"]
            numpy.testing.assert_allclose(step, 0.01 * gradient, rtol=1e-4, atol=1e-6)
    assert float(arrays["loss/0/0"]) == pytest.approx(model["losses"][1], rel=1e-5)


@pytest.mark.parametrize("environment", [OLD, NEW])
def test_loss_of_a_step_is_that_of_the_step_where_probabilities_are_zero(record, environment):
    found, arrays, _, _ = record(environment, "saturated", probe=[0, 1])
    (model,) = found["models"]
    assert float(arrays["loss/0/0"]) == pytest.approx(model["losses"][0], rel=1e-5)
