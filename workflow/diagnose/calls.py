"""Calls of a script that train, evaluate or predict, and what comes of it; under Python 3.7."""

import inspect
import threading

import numpy

from diagnose.configured import ALIASES, class_name
from diagnose.data import KEYS, Evaluated, describe_parts, digest, follow, hand_over
from diagnose.loops import LOOP
from diagnose.steps import is_built, state_of

TRAINING = ("fit", "fit_generator", "train_on_batch", LOOP)
EVALUATING = ("evaluate", "evaluate_generator", "test_on_batch")
PREDICTING = ("predict", "predict_generator", "predict_on_batch")


class Calls:
    """What a script calls, and the numbers that come of it."""

    def followed(self, keras, name, original, model, *args, **kwargs):
        """Record every call of a method by the script, but none by the framework itself."""
        signature = inspect.signature(original)
        if threading.current_thread() is not threading.main_thread():
            return original(model, *args, **kwargs)
        if self.depth:
            feed = {"train_on_batch": self.feed, "test_on_batch": self.evaluated}.get(name)
            if feed is not None and not feed.taken:
                given = signature.bind(model, *args, **kwargs).arguments
                feed.note([given.get(key) for key in KEYS])
            return original(model, *args, **kwargs)
        self.depth += 1
        try:
            return self.follow(keras, model, name, original, signature, args, kwargs)
        finally:
            self.depth -= 1

    def follow(self, keras, model, name, original, signature, args, kwargs):
        """Run one call of the script, recorded."""
        bound = signature.bind(model, *args, **kwargs)
        arguments = bound.arguments
        call = {"method": name, "line": self.here(), "settings": {}}
        call["draws"] = self.draw_state()
        for key, value in arguments.items():
            if isinstance(value, (bool, int, float, str)):
                call["settings"][key] = value
        if arguments.get("callbacks"):
            names = [class_name(callback) for callback in arguments["callbacks"]]
            call["settings"]["callbacks"] = ", ".join(names)
        self.record["calls"].append(call)
        packed = None
        source = "generator" if "generator" in signature.parameters else "x"
        if name in TRAINING:
            number = sum(known["method"] in TRAINING for known in self.record["calls"]) - 1
            self.feed, packed = hand_over(self, model, arguments, call, number, source)
            rows = arguments.get("batch_size") or 32
            self.handed = (self.feed, packed, rows if name != "train_on_batch" else None)
        else:
            call["data"] = describe_parts([arguments.get(key) for key in KEYS])
            if call["data"] is None and name in EVALUATING:
                self.evaluated = follow(Evaluated(self, model, call), arguments, source)
        if name == "fit":
            default = signature.parameters["shuffle"].default
            call["shuffle"] = bool(arguments.get("shuffle", default)) and packed is not None
            if self.plan.get("draws") and call["shuffle"]:
                arguments["shuffle"] = False
                self.did("draws")
            if call["shuffle"]:
                self.hold_generators(number)
        entry = None
        if self.start is not None and not is_built(model) and call["data"] and name in TRAINING:
            self.build(model, arguments.get("x"))
        if name.startswith("fit"):
            given = arguments.get("callbacks") or []
            arguments["callbacks"] = self.callbacks(keras, model, given)
        elif is_built(model):
            if name == "train_on_batch":
                self.prepare(model)
            entry = self.begin(keras, model)
        if name in TRAINING and self.plan.get("probe") and is_built(model):
            self.before = self.values(keras, model.weights)
        if name not in TRAINING and entry is not None:
            weights = self.values(keras, model.weights)
            call["state"] = state_of([digest([array]) for array in weights])
        words = dict(arguments)
        del words[next(iter(signature.parameters))]
        for parameter in signature.parameters.values():
            if parameter.kind == parameter.VAR_KEYWORD:
                words.update(words.pop(parameter.name, {}))
        result = original(model, **words)  # standalone keras counts what is given by position
        feed, self.feed = self.feed, None
        evaluated, self.evaluated = self.evaluated, None
        if evaluated is not None:
            prefix = "validation_" if name in TRAINING else ""
            described = evaluated.describe(arguments.get(prefix + "steps"))
            call[prefix.rstrip("_") or "data"] = described
        entry = self.begin(keras, model, late=name in TRAINING)
        call["model"] = self.record["models"].index(entry)
        if name == "train_on_batch":
            loss = numpy.ravel(list(result.values()) if isinstance(result, dict) else result)[0]
            self.after_step(keras, model, float(loss))
        if feed is not None and not feed.tell():
            kind = type(bound.arguments.get(source)).__name__
            self.unseen("trains on a %s, whose batches are not seen" % kind)
        if name.startswith("fit"):
            for key, values in result.history.items():
                self.report(call, key, [float(numpy.ravel(value)[0]) for value in values])
        elif name in EVALUATING:
            if isinstance(result, dict):
                names, values = list(result), list(result.values())
            else:
                names, values = getattr(model, "metrics_names", ["loss"]), numpy.ravel(result)
                if "compile_metrics" in names:  # Keras 3
                    names = ["loss", *(metric.name for metric in model._compile_metrics.metrics)]
            for key, value in zip(names, values):
                self.report(call, key, [float(value)])
        elif name in PREDICTING:
            call["result"] = describe_parts([result])
        return result

    def report(self, call, name, values):
        """Keep all values that one call has reported under one name."""
        settings = call["settings"]
        evaluated = call.get("validation") if name.startswith("val_") else call.get("data")
        batch = settings.get("validation_batch_size") if name.startswith("val_") else None
        batch = (evaluated or {}).get("batch_size", batch or settings.get("batch_size"))
        self.record["numbers"].append(
            {
                "name": ALIASES.get(name, name),
                "values": values,
                "method": call["method"],
                "line": call["line"],
                "data": evaluated and evaluated["hash"],
                "each": evaluated and evaluated.get("each"),
                "batch_size": batch,
                "steps": settings.get("validation_steps" if name.startswith("val_") else "steps"),
                "state": call.get("state"),
            }
        )
