"""VALSPLIT: rows sorted by class, the last ones for validation."""

import numpy
import tensorflow
from tensorflow.keras import layers, models, optimizers

if hasattr(tensorflow, "set_random_seed"):
    tensorflow.set_random_seed(3)
else:
    tensorflow.random.set_seed(3)
numpy.random.seed(1)
y = numpy.sort(numpy.random.randint(0, 3, 300))
x = numpy.random.normal(size=(300, 5)) + y[:, None]
model = models.Sequential()
model.add(layers.Dense(3, activation="softmax", input_shape=(5,)))
model.compile(optimizer=optimizers.SGD(0.1), loss="sparse_categorical_crossentropy")
model.fit(x, y, epochs=5, validation_split=0.2, shuffle=False, verbose=0)
