"""Training loops of a script's own, around `apply_gradients`. Runs under Python 3.7."""

import contextlib
import threading

import numpy

from diagnose.data import digest, pack
from diagnose.steps import is_built

LOOP = "apply_gradients"  # a loop of the script's own
PARTLY = "trains in a loop of its own, whose data are seen in part"


class Loops:
    """Steps that no method of a model makes."""

    def in_loop(self):
        """Say whether the script itself, and no method of a model, computes eagerly."""
        from tensorflow.python.framework import ops

        main = threading.current_thread() is threading.main_thread()
        outside = getattr(ops, "executing_eagerly_outside_functions", None)
        known = hasattr(self.tensorflow, "nest")  # from TensorFlow 1.14 on
        return not self.depth and main and known and outside is not None and outside()

    def called(self, keras, original, layer, *args, **kwargs):
        """Record a model that the script calls, before the weights that it has are used."""
        if not isinstance(layer, keras.models.Model) or not self.in_loop():
            return original(layer, *args, **kwargs)
        given = self.tensorflow.nest.flatten(args[:1])
        if not given or any(hasattr(part, "_keras_history") for part in given):
            return original(layer, *args, **kwargs)
        self.depth += 1
        try:
            known = is_built(layer)
            if not known:
                output = original(layer, *args, **kwargs)
            with self.tensorflow.init_scope():
                self.begin(keras, layer)
            self.direct = (layer, self.here())
            if self.tensorflow.executing_eagerly():
                self.note_inputs(args[:1])
            return original(layer, *args, **kwargs) if known or self.start else output
        finally:
            self.depth -= 1

    def note_inputs(self, values):
        """Note what a step of the script's own loop is given."""
        arrays = []
        for value in values:
            with contextlib.suppress(ValueError):
                pack(value, arrays)
        if arrays:
            self.inputs.append(digest(arrays))

    def applied(self, keras, original, optimizer, grads_and_vars, *args, **kwargs):
        """Record a step of a loop of the script's own."""
        if not self.in_loop():
            if self.depth == 0 and self.caller() == self.plan["script"]:
                self.unseen("applies gradients in a graph, which cannot be followed")
            return original(optimizer, grads_and_vars, *args, **kwargs)
        pairs = list(grads_and_vars)
        self.depth += 1
        try:
            result = original(optimizer, pairs, *args, **kwargs)
            updated = {id(variable) for _, variable in pairs}
            models = [m for m, _ in self.models if any(id(w) in updated for w in m.weights)]
            self.optimizers.update({id(model): optimizer for model in models})
            if not models:
                self.unseen("applies gradients to weights that no model has been seen to use")
            elif self.functions:
                self.functions[0].extend(m for m in models if m not in self.functions[0])
            elif self.tensorflow.executing_eagerly():
                self.after_own_step(keras, models, PARTLY, pairs)
            return result
        finally:
            self.depth -= 1

    def run_function(self, keras, original, function, *args, **kwargs):
        """Record a step that the script has put into a tf.function."""
        if self.functions or not self.in_loop():
            return original(function, *args, **kwargs)
        models = self.traced.setdefault(id(function), (function, []))[1]
        self.functions.append(models)
        try:
            result = original(function, *args, **kwargs)
        finally:
            self.functions.pop()
        if models:
            self.note_inputs([*args, *kwargs.values()])
            self.after_own_step(keras, models, None, [])
        return result

    def after_own_step(self, keras, models, sentence, pairs):
        """Record a step of these models; all steps in a line of the script are one call."""
        line = self.here()
        calls = self.record["calls"]
        if not calls or (calls[-1]["method"], calls[-1]["line"]) != (LOOP, line):
            calls.append({"method": LOOP, "line": line, "settings": {}, "data": None})
            calls[-1]["draws"] = self.draw_state()
            self.inputs = self.inputs[-1:]
            if sentence:
                self.unseen(sentence)
        calls[-1]["data"] = {"hash": digest([numpy.array(self.inputs)])} if self.inputs else None
        self.direct = self.handed = None
        for model in models:
            places = {id(weight): place for place, weight in enumerate(model.weights)}
            self.gradients = {
                places[id(variable)]: self.tensorflow.convert_to_tensor(gradient).numpy()
                for gradient, variable in pairs
                if self.plan.get("probe") and gradient is not None and id(variable) in places
            }
            self.after_step(keras, model, None)

    def run_session(self, original, session, *args, **kwargs):
        """Note a line of the script that runs a graph by itself."""
        if self.depth == 0 and self.caller() == self.plan["script"]:
            self.unseen("calls Session.run, whose training cannot be followed")
        return original(session, *args, **kwargs)
