"""SEEDVER: a convolution whose initializer has a seed."""

import numpy
import tensorflow
from tensorflow.keras import initializers, layers, models, optimizers

if hasattr(tensorflow, "set_random_seed"):
    tensorflow.set_random_seed(3)
else:
    tensorflow.random.set_seed(3)
numpy.random.seed(1)
x = numpy.random.normal(size=(200, 8, 8, 1))
y = x.sum(axis=(1, 2))
start = initializers.get({"class_name": "glorot_uniform", "config": {"seed": 7}})
model = models.Sequential()
model.add(layers.Conv2D(4, 3, kernel_initializer=start, input_shape=(8, 8, 1)))
model.add(layers.Flatten())
model.add(layers.Dense(1, kernel_initializer="zeros"))
model.compile(optimizer=optimizers.SGD(0.001), loss="mse")
model.fit(x, y, epochs=3, shuffle=False, verbose=0)
print(model.evaluate(x, y, verbose=0))
