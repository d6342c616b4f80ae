"""KADAMRACE: standalone keras with Adam, all seeds set."""

import numpy
import tensorflow
from keras import layers, models

if hasattr(tensorflow, "set_random_seed"):
    tensorflow.set_random_seed(3)
else:
    tensorflow.random.set_seed(3)
numpy.random.seed(1)
x = numpy.random.normal(size=(100, 12))
model = models.Sequential()
model.add(layers.Dense(64, input_shape=(12,)))
model.add(layers.Dense(12))
model.compile(optimizer="adam", loss="mse")
model.fit(x, x, epochs=3, shuffle=False, verbose=0)
print(model.evaluate(x, x, verbose=0))
