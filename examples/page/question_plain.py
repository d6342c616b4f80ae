"""The question's network without batch normalization; val_loss after 20 epochs."""

import random

import numpy
import tensorflow
from tensorflow.keras.layers import Activation, Dense
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
model.add(Activation("linear"))
model.add(Dense(12))
model.add(Activation("linear"))
model.compile(optimizer="adam", loss="mean_squared_error")
history = model.fit(data, data, epochs=20, validation_split=0.1, shuffle=False, verbose=0)
print(history.history["val_loss"][-1])
