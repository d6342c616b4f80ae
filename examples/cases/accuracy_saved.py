"""ACCLOAD: the accuracy of a classifier, evaluated as trained."""

import numpy
import tensorflow
from tensorflow.keras import layers, models, optimizers

if hasattr(tensorflow, "set_random_seed"):
    tensorflow.set_random_seed(3)
else:
    tensorflow.random.set_seed(3)
numpy.random.seed(1)
x = numpy.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = numpy.array([0, 1, 1, 1])
model = models.Sequential()
model.add(layers.Dense(2, activation="softmax", input_shape=(2,)))
words = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
model.compile(optimizer=optimizers.SGD(1.0), **words)
model.fit(x, y, epochs=20, shuffle=False, verbose=0)
print(model.evaluate(x, y, verbose=0))
