"""LSTMACT: a recurrent layer without arguments, in standalone keras."""

import numpy
import tensorflow
from keras import layers, models, optimizers

if hasattr(tensorflow, "set_random_seed"):
    tensorflow.set_random_seed(3)
else:
    tensorflow.random.set_seed(3)
numpy.random.seed(1)
x = numpy.random.normal(size=(300, 10, 4))
y = x[:, -3:, 0].sum(axis=1)
model = models.Sequential()
model.add(layers.LSTM(8, input_shape=(10, 4)))
model.add(layers.Dense(1))
model.compile(optimizer=optimizers.SGD(0.05), loss="mse")
model.fit(x, y, epochs=5, shuffle=False, verbose=0)
print(model.evaluate(x, y, verbose=0))
