"""Configured values of layers, optimizers and calls, as JSON can hold them.

Runs under Python 3.7.
"""

import contextlib
import inspect
import os
import re

import numpy

from diagnose.data import digest

ALIASES = {"lr": "learning_rate", "acc": "accuracy", "val_acc": "val_accuracy"}
DROPS = ("dropout", "recurrent_dropout")  # arguments of recurrent layers
FRAMEWORKS = ("tensorflow", "tensorflow_core", "keras")
NOISE = re.compile("Dropout|GaussianNoise")


def plain(value):
    """Return a configured value as JSON can hold it; numbers keep their value.

    An object is its class, with its configuration unless it is a layer; a function is its name.
    """
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, numpy.generic):
        return value.item()
    if isinstance(value, numpy.ndarray):
        return "array %s %s" % (value.shape, digest([value]))
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return "tensor"  # as each release writes it in another way
    if hasattr(value, "get_config") and not hasattr(value, "add_weight"):
        with contextlib.suppress(Exception):  # a class of the script's own need not have one
            return {"class_name": class_name(value), "config": plain(value.get_config())}
    if hasattr(value, "__name__"):
        return value.__name__
    return class_name(value) if " object at 0x" in str(value) else str(value)


def class_name(thing):
    """Return the name of an object's class; `BatchNormalizationV2` is `BatchNormalization`."""
    return re.sub(r"V[123]$", "", type(thing).__name__)


class Configured:
    """What a script configures: layers, losses, optimizers, and who writes each argument."""

    def noted(self, cls, kind, original, instance, *args, **kwargs):
        """Note which arguments are written by whoever makes an object; give other defaults."""
        # The class that is made may have no __init__ of its own.
        if next(part for part in type(instance).__mro__ if "__init__" in vars(part)) is cls:
            parameters = inspect.signature(original).parameters
            names = list(parameters)[1:]
            open_ended = any(part.kind == part.VAR_KEYWORD for part in parameters.values())
            given = {**dict(zip(names, args)), **kwargs}
            written = {ALIASES.get(name, name): plain(value) for name, value in given.items()}
            for name, key, value in self.defaults:
                spelled = {key} | {short for short, full in ALIASES.items() if full == key}
                spelled = [word for word in names if word in spelled] or [key] * open_ended
                if name == class_name(instance) and key not in written and spelled:
                    kwargs[spelled[0]] = value
                    self.did("default %s.%s" % (name, key))
            if self.plan.get("draws"):
                for key in set(DROPS) & set(names):
                    position = names.index(key)
                    if position < len(args):
                        args = (*args[:position], 0.0, *args[position + 1 :])
                    elif kwargs.get(key):
                        kwargs[key] = 0.0
            if type(instance).__module__.split(".")[0] == "diagnose":
                return original(instance, *args, **kwargs)  # a callback of the recorder's own
            self.made.append((instance, written, self.here() if self.by_script() else None, kind))
        return original(instance, *args, **kwargs)

    def by_script(self):
        """Say whether what is patched has been called by the script, or by a module of its own."""
        return not any(os.sep + name + os.sep in self.caller() for name in FRAMEWORKS)

    def penalized(self, original, *args, **kwargs):
        """Count the penalties that a script adds to the losses of its models."""
        self.record["penalties"] += self.by_script()
        return original(*args, **kwargs)

    def compiled(self, original, model, *args, **kwargs):
        """Note how a script weighs the losses of a model."""
        signature = inspect.signature(original)
        arguments = signature.bind(model, *args, **kwargs).arguments
        self.weighing[id(model)] = plain(arguments.get("loss_weights"))
        return original(model, *args, **kwargs)

    def config_of(self, instance):
        """Return the configuration of a layer or an optimizer."""
        try:
            return plain(instance.get_config())
        except Exception:  # a class of the script's own need not have one
            return {}
