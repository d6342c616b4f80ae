"""KERAS231VAL: validation on arrays, in standalone keras."""

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
model = models.Sequential()
model.add(layers.Dense(16, activation="relu", input_shape=(5,)))
model.add(layers.Dense(1))
model.compile(optimizer=optimizers.SGD(0.01), loss="mse")
model.fit(x, y, batch_size=32, epochs=3, validation_data=(x, y), shuffle=False, verbose=0)
