"""ADADELTA: an optimizer without arguments, in standalone keras."""

import numpy
import tensorflow
from keras import layers, models

if hasattr(tensorflow, "set_random_seed"):
    tensorflow.set_random_seed(3)
else:
    tensorflow.random.set_seed(3)
numpy.random.seed(1)
y = numpy.random.randint(0, 10, 1000)
patterns = numpy.random.normal(size=(10, 12, 12, 1))
x = patterns[y] + numpy.random.normal(size=(1000, 12, 12, 1))
model = models.Sequential()
model.add(layers.Conv2D(8, 3, activation="relu", input_shape=(12, 12, 1)))
model.add(layers.Flatten())
model.add(layers.Dense(10, activation="softmax"))
model.compile(optimizer="adadelta", loss="sparse_categorical_crossentropy")
model.fit(x, y, epochs=6, shuffle=False, verbose=0)
print(model.evaluate(x, y, verbose=0))
