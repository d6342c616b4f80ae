"""KERAS231VAL: validation on a generator, in standalone keras."""

import numpy
import tensorflow
from keras import layers, models, optimizers

if hasattr(tensorflow, "set_random_seed"):
    tensorflow.set_random_seed(3)
else:
    tensorflow.random.set_seed(3)
numpy.random.seed(1)
x = numpy.random.normal(size=(320, 5))
y = x.sum(axis=1, keepdims=True)


def batches():
    """Yield the rows in batches of 32, for ever."""
    while True:
        for start in range(0, 320, 32):
            yield x[start : start + 32], y[start : start + 32]


model = models.Sequential()
model.add(layers.Dense(16, activation="relu", input_shape=(5,)))
model.add(layers.Dense(1))
model.compile(optimizer=optimizers.SGD(0.01), loss="mse")
held_out = {"validation_data": batches(), "validation_steps": 10}
model.fit_generator(batches(), steps_per_epoch=10, epochs=3, verbose=0, **held_out)
