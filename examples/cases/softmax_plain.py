"""SOFTMAXID: a softmax classifier."""

import numpy
import tensorflow
from tensorflow.keras import layers, models, optimizers

if hasattr(tensorflow, "set_random_seed"):
    tensorflow.set_random_seed(3)
else:
    tensorflow.random.set_seed(3)
numpy.random.seed(1)
x = numpy.random.uniform(0, 255, (512, 64))
y = numpy.random.randint(0, 10, 512)
model = models.Sequential()
model.add(layers.Dense(10, activation="softmax", input_shape=(64,)))
model.compile(optimizer=optimizers.SGD(0.01), loss="sparse_categorical_crossentropy")
model.fit(x, y, batch_size=32, epochs=3, shuffle=False, verbose=0)
print(model.evaluate(x, y, verbose=0))
