"""L2LOSS: the error of a penalized model, from evaluate."""

import numpy
import tensorflow
from tensorflow.keras import layers, models, optimizers, regularizers

if hasattr(tensorflow, "set_random_seed"):
    tensorflow.set_random_seed(3)
else:
    tensorflow.random.set_seed(3)
numpy.random.seed(1)
x = numpy.random.normal(size=(200, 6))
y = x.sum(axis=1, keepdims=True)
model = models.Sequential()
model.add(layers.Dense(8, kernel_regularizer=regularizers.l2(0.01), input_shape=(6,)))
model.add(layers.Dense(1))
model.compile(optimizer=optimizers.SGD(0.01), loss="mse")
model.fit(x, y, epochs=5, shuffle=False, verbose=0)
print(model.evaluate(x, y, verbose=0))
