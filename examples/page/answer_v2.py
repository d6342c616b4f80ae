"""The answer's loop with a linear Activation; the loss on its last ten rows."""

import random

import numpy
import tensorflow
from tensorflow.keras.layers import Activation, BatchNormalization, Dense
from tensorflow.keras.models import Sequential

numpy.random.seed(1)
random.seed(2)
if hasattr(tensorflow, "set_random_seed"):
    tensorflow.set_random_seed(3)
else:
    tensorflow.random.set_seed(3)

data = numpy.random.normal(0, 1, (100, 12))
model = Sequential()
model.add(Dense(8, input_shape=(12,)))
model.add(BatchNormalization())
model.add(Activation("linear"))
model.add(Dense(12))
model.compile(optimizer="adam", loss="mean_squared_error")
for _ in range(20):
    for number in range(9):
        batch = data[10 * number : 10 * number + 10]
        model.train_on_batch(batch, batch)
print(model.evaluate(batch, batch, verbose=0))
