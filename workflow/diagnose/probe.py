"""One step, looked at part by part. Runs under Python 3.7."""

import contextlib

import numpy

from diagnose.configured import FRAMEWORKS, class_name
from diagnose.data import unpack


class Probe:
    """Outputs of layers, the loss and the gradients of one batch."""

    def look(self, keras, model, entry, number, step):
        """Keep the outputs of all layers, the loss and the gradients of one batch.

        Everything is computed once more, outside of the step, from the weights before it.
        """
        for place, gradient in self.gradients.items():
            self.arrays["gradient/%d/%d" % (number, place)] = gradient
        optimizer = getattr(model, "optimizer", None)
        with contextlib.suppress(Exception):  # a schedule, or a class of the script's own
            rate = getattr(optimizer, "learning_rate", None)
            rate = optimizer.lr if rate is None else rate
            entry["rate"] = float(self.values(keras, [rate])[0])
        if self.handed is None:
            entry["not_looked"] = "the script has a loop of its own"
            return
        own = getattr(getattr(model, "train_step", None), "__module__", FRAMEWORKS[0])
        if own.split(".")[0] not in FRAMEWORKS:
            entry["not_looked"] = "the model has a train_step of its own"
            return
        feed, packed, rows = self.handed
        if feed is not None:
            batch = feed.notes[step - 1][-1]
        else:
            parts, arrays, _ = packed
            rows = rows or len(arrays[0])
            start = (step - 1) % -(-len(arrays[0]) // rows) * rows
            arrays = [array[start : start + rows] for array in arrays]
            batch = [unpack(part, arrays) for part in parts]
        x, y, weights = [*batch, None, None][:3]
        eager = self.tensorflow.executing_eagerly() and not self.is_alone(keras)
        seen = self.look_eagerly if eager else self.look_in_graph
        layers, loss, gradients = seen(keras, model, x, y, weights)
        entry["looked"] = [[layer.name, class_name(layer)] for layer, _ in layers]
        self.keep("forward", number, [numpy.asarray(output) for _, output in layers])
        self.keep("loss", number, [numpy.asarray(loss)])
        places = {id(weight): place for place, weight in enumerate(model.weights)}
        for weight, gradient in zip(model.trainable_weights, gradients):
            if gradient is not None:
                key = "gradient/%d/%d" % (number, places[id(weight)])
                self.arrays[key] = numpy.asarray(gradient)

    def look_in_graph(self, keras, model, x, y, weights):
        """Return [layer, output] of each layer, the loss, and a gradient for each weight."""
        backend = keras.backend
        values = model._standardize_user_data(x, y, sample_weight=weights)[:3]
        values = [value for part in values for value in part or [] if value is not None]
        inputs = [*model._feed_inputs, *model._feed_targets, *model._feed_sample_weights]
        values += [numpy.ones(len(values[0]), "float32")] * (len(inputs) - len(values))
        phase = backend.learning_phase()
        if hasattr(phase, "dtype"):
            inputs, values = [*inputs, phase], [*values, 1]
        layers = [layer for layer in self.leaves(model) if class_name(layer) != "InputLayer"]
        outputs = [layer.get_output_at(len(layer._inbound_nodes) - 1) for layer in layers]
        outputs = [part[0] if isinstance(part, list) else part for part in outputs]
        gradients = backend.gradients(model.total_loss, model.trainable_weights)
        known = [part is not None for part in gradients]
        dense = [self.tensorflow.convert_to_tensor(part) for part in gradients if part is not None]
        found = backend.function(inputs, [*outputs, model.total_loss, *dense])(values)
        rest = iter(found[len(layers) + 1 :])
        gradients = [next(rest) if there else None for there in known]
        return list(zip(layers, found)), found[len(layers)], gradients

    def look_eagerly(self, keras, model, x, y, weights):
        """Return [layer, output] of each layer, the loss, and a gradient for each weight."""
        flatten = self.tensorflow.nest.flatten
        single = self.tensorflow.nest.map_structure
        floating = keras.backend.floatx()
        x, y, weights = (
            single(
                lambda array: self.tensorflow.constant(
                    array, floating if numpy.asarray(array).dtype.kind == "f" else None
                ),
                part,
            )
            if part is not None
            else None
            for part in (x, y, weights)
        )
        own = {id(layer) for layer in self.leaves(model)}
        layers = []
        base = keras.layers.Layer
        original = base.__call__

        def noted(layer, *args, **kwargs):
            output = original(layer, *args, **kwargs)
            if id(layer) in own and class_name(layer) != "InputLayer":
                layers.append((layer, flatten(output)[0]))
            return output

        def step():
            del layers[:]
            with self.tensorflow.GradientTape() as tape:
                if hasattr(model, "compiled_loss") or hasattr(model, "compute_loss"):
                    outputs = model(x, training=True)
                    if hasattr(model, "compute_loss"):
                        loss = model.compute_loss(x, y, outputs, weights)
                    else:
                        more = {"regularization_losses": model.losses}
                        loss = model.compiled_loss(y, outputs, weights, **more)
                else:  # TensorFlow 2.0 and 2.1
                    from tensorflow.python.keras.engine import training_eager

                    words = {"sample_weights": given[2], "training": True}
                    words["output_loss_metrics"] = model._output_loss_metrics
                    loss = training_eager._model_loss(model, *given[:2], **words)[1]
            gradients = [
                None if part is None else self.tensorflow.convert_to_tensor(part)
                for part in tape.gradient(loss, list(model.trainable_weights))
            ]
            return [output for _, output in layers], loss, gradients

        if not (hasattr(model, "compiled_loss") or hasattr(model, "compute_loss")):
            given = model._standardize_user_data(x, y, sample_weight=weights)[:3]
        if not getattr(model, "run_eagerly", False):  # some losses have another formula in a graph
            step = self.tensorflow.function(step, autograph=False)
        base.__call__ = noted
        try:
            outputs, loss, gradients = step()
        finally:
            base.__call__ = original
        found = [(layer, output) for (layer, _), output in zip(layers, outputs)]
        if class_name(model) in ("Functional", "Model"):
            # As in a graph: the layers in their order in the model, not in that of their calls.
            order = [id(layer) for layer in self.leaves(model)]
            found.sort(key=lambda pair: order.index(id(pair[0])))
        return found, loss, gradients
