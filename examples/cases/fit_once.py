"""FITTWICE: ten epochs, one call of fit."""

import numpy
import tensorflow
from tensorflow.keras import layers, models, optimizers

if hasattr(tensorflow, "set_random_seed"):
    tensorflow.set_random_seed(3)
else:
    tensorflow.random.set_seed(3)
numpy.random.seed(1)
x = numpy.random.normal(size=(200, 8))
model = models.Sequential()
model.add(layers.Dense(4, input_shape=(8,)))
model.add(layers.Dense(8))
model.compile(optimizer=optimizers.SGD(0.05), loss="mse")
model.fit(x, x, epochs=10, shuffle=False, verbose=0)
print(model.evaluate(x, x, verbose=0))
