"""An ordinary script and one change of it that somebody may make: what is said is true."""

import json

import pytest

SCRIPT = """import random
import numpy
import tensorflow
from tensorflow.keras import callbacks, layers, models, optimizers

random.seed(2)
numpy.random.seed(1)
(getattr(tensorflow, "set_random_seed", None) or tensorflow.random.set_seed)(3)
x = numpy.random.normal(size=(240, 10))
y = (x[:, 0] + x[:, 1] ** 2 > 0.8).astype("int")
rows, labels, held_out = x[:160], y[:160], (x[160:], y[160:])
model = models.Sequential()
model.add(layers.Dense(16, activation="relu", input_shape=(10,)))
# here
model.add(layers.Dense(1, activation="sigmoid"))
model.compile(optimizer=optimizers.SGD(0.1), loss="binary_crossentropy")
model.fit(rows, labels, batch_size=32, epochs=4, shuffle=False, verbose=0)
print(model.evaluate(*held_out, verbose=0))
"""
OLD, NEW = "tf1.14-keras2.2.4", "tf2.0-keras2.3.1"
FIT = "model.fit(rows, labels, batch_size=32, epochs=4, shuffle=False, verbose=0)"
LOOP = """for start in 4 * list(range(0, 160, 32)):
    model.train_on_batch(rows[start : start + 32], labels[start : start + 32])"""
GENERATOR = """def batches():
    for start in 4 * list(range(0, 160, 32)):
        yield rows[start : start + 32], labels[start : start + 32]
model.fit_generator(batches(), steps_per_epoch=5, epochs=4, verbose=0)"""
BEST = ("epochs=4,", "epochs=9, validation_data=(rows[:9], labels[:9]), callbacks=[callbacks."
        "EarlyStopping(monitor='loss', min_delta=9.0, patience=3)],")  # fmt: skip
OBJECT = ('"binary_crossentropy"', "tensorflow.keras.losses.BinaryCrossentropy()")
# The order of a set of texts is another one in each process.
SET = ("y = (x", 'x = x[:, [int(key) for key in set("0123456789")]]\ny = (x')
DATASET = """dataset = tensorflow.data.Dataset.from_tensor_slices((rows, labels)).batch(32)
model.fit(dataset.repeat(), steps_per_epoch=5, epochs=4, verbose=0)"""
CLONE = """weights, model = model.get_weights(), models.clone_model(model)
model.compile(optimizer=optimizers.Adam(0.01), loss="binary_crossentropy")
model.set_weights(weights)"""
SEQUENCE = """class Rows(tensorflow.keras.utils.Sequence):
    def __len__(self):
        return 5

    def __getitem__(self, place):
        return rows[32 * place : 32 * place + 32] * 1.0, labels[32 * place : 32 * place + 32]


model.fit(Rows(), epochs=4, verbose=0)"""
SHUFFLED = DATASET.replace(".batch", ".shuffle(160, seed=1).batch")
EAGER = """for start in 4 * list(range(0, 160, 32)):
    with tensorflow.GradientTape() as tape:
        errors = model(rows[start : start + 32])[:, 0] - labels[start : start + 32]
        loss = tensorflow.reduce_mean(errors**2)
    gradients = tape.gradient(loss, model.trainable_variables)
    model.optimizer.apply_gradients(zip(gradients, model.trainable_variables))"""
OWN_STEP = """class Sequential(models.Sequential):
    def train_step(self, data):
        with tensorflow.GradientTape() as tape:
            errors = self(data[0])[:, 0] - tensorflow.cast(data[1], "float32")
            loss = tensorflow.reduce_mean(errors**2) * 1.0
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        return {"loss": loss}


model = Sequential()"""
SHOWN = ("print(model.evaluate(*held_out, verbose=0))",
         "print((model.predict(held_out[0]) > 0.5).mean())")  # fmt: skip
SMALL = """draw = numpy.random.RandomState(0).normal
model.set_weights([0.02 * draw(size=part.shape) for part in model.get_weights()])
"""
FADING = "SGD(optimizers.schedules.ExponentialDecay(0.1, 4, 0.9))"
EMPTIED = "model.set_weights([0 * part for part in model.get_weights()])\nprint("
# name: (environment, changes of both scripts, change of the second, causes, in the sentence)
CHANGES = {
    "class_weight": ("tf2.6", [], ("epochs=4", "epochs=4, class_weight={0: 1.0, 1: 4.0}"),
                     ["data"], "(class_weight)"),
    "bias": ("tf2.11", [], (", input_shape", ", bias_initializer='ones', input_shape"),
             ["initial draws"], "Dense.bias_initializer: Zeros() → Ones()"),
    "dropout": (NEW, [], ("# here", "model.add(layers.Dropout(0.3))"),
                ["draws during training"], "Dropout is made in the second script only"),
    "shuffle": ("tf2.6", [], ("shuffle=False, ", ""), ["draws during training"], "100 % of"),
    "restored": ("tf2.11", [BEST], ("patience=3", "patience=3, restore_best_weights=True"),
                 ["evaluation"], "with weights restored from step"),
    "generator": (OLD, [], (FIT, GENERATOR), [], "all 20 steps agree to the bit"),
    "loop": ("tf2.6", [], (FIT, LOOP), [], "all 20 steps agree to the bit"),
    "loss_object": ("tf2.11", [OBJECT], ("SGD(0.1)", "SGD(0.2)"), ["computation"],
                    "compute differently (SGD.learning_rate: 0.1 → 0.2): 100 %"),
    "compiled_again": ("tf2.6", [("SGD(0.1)", "Adam(0.01)"), (FIT, f"{FIT}\n# again\n{FIT}")],
                       ("# again", "model.compile('adam', 'binary_crossentropy')"),
                       ["computation"], "the second script makes one more Adam"),
    "clone": ("tf2.6", [("SGD(0.1)", "Adam(0.01)"), (FIT, f"{FIT}\n# again\n{FIT}")],
              ("# again", CLONE), ["computation"], "the second script makes one more Adam"),
    "set": ("tf2.6", [SET], ("epochs=4", "epochs=4, initial_epoch=0"), ["not reproducible"],
            "the training data differ from run to run"),
    "steps": ("tf2.6", [(FIT, DATASET)], ("epoch=5", "epoch=8"), ["training length"],
              "in the 20 steps that both make"),
    "order": ("tf2.6", [(FIT, SHUFFLED)], ("seed=1)", "seed=1, reshuffle_each_iteration=False)"),
              ["data"], "(the same rows in another order, from batch 1 on): 100 %"),
    "sequence": (NEW, [(FIT, SEQUENCE)], ("* 1.0", "* 1.2"), ["data"], "(x, from batch 1 on)"),
    "dataset": (OLD, [(FIT, SHUFFLED)], ("seed=1", "seed=2"), ["data"], "another order, from"),
    "eager_loop": ("tf2.6", [(FIT, EAGER)], ("SGD(0.1)", "SGD(0.2)"), ["computation"],
                   "SGD.learning_rate: 0.1 → 0.2"),
    "own_step": ("tf2.11", [("model = models.Sequential()", OWN_STEP)], (" * 1.0", " * 1.5"),
                 ["computation"], "compute differently: 100 %"),
    "printed": (NEW, [("epochs=4,", "epochs=4, validation_data=held_out,"), SHOWN],
                ("> 0.5).mean", "> 0.4).mean"), ["evaluation"], "from the same predictions"),
    "policy": ("tf2.11", [], ("# here", "tensorflow.keras.mixed_precision.set_global_policy("
                              "'mixed_float16')"), ["computation"], "mixed_float16"),
    "schedule": ("tf2.11", [], ("SGD(0.1)", FADING), ["computation"],
                 "SGD.learning_rate: 0.1 → ExponentialDecay("),
    "other_weights": ("tf2.6", [], ("print(", EMPTIED), ["evaluation"],
                      "the second with other weights than after its last step"),
    "no_bias": ("tf2.6", [], (", input_shape", ", use_bias=False, input_shape"), ["computation"],
                "compute differently (Dense.use_bias: True → False): 100 %"),
    "seed_of_dropout": ("tf2.6", [("# here", "model.add(layers.Dropout(0.3))")],
                        ("Dropout(0.3", "Dropout(0.3, seed=7"), ["draws during training"],
                        "Dropout.seed: None → 7"),
    # In 2.11 epsilon stands inside of the root.
    "rmsprop": ("tf2.6 tf2.11", [("SGD(0.1)", "RMSprop(0.001)"), (FIT, SMALL + FIT)],
                ("# here", "# the same"), ["computation"], "compute differently: 100 %"),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("name", CHANGES)
def test_change_is_named_as_what_it_is(diagnose, tmp_path, name):
    environment, common, change, causes, text = CHANGES[name]
    script = SCRIPT
    pair = {"in": environment}
    for side, changes in (("first", common), ("second", [change])):
        for old, new in changes:
            assert old in script
            script = script.replace(old, new, 1)
        path = tmp_path / f"{side}.py"
        path.write_text(script)
        pair[side] = str(path)
    folder, _ = diagnose({name: pair})
    verdict = json.loads((folder / name / "verdict.json").read_text())
    assert verdict["causes"] == causes, verdict["sentence"]
    assert text in verdict["sentence"]
