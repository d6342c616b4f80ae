"""Configured values of layers, optimizers and calls, as JSON can hold them.

Runs under Python 3.7.
"""

import contextlib
import functools
import inspect
import os
import re
import sys

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

    def patch_init(self, cls, kind):
        """Note which arguments are written by whoever makes an object; give other defaults."""
        original = cls.__init__
        try:
            signature = inspect.signature(original)
        except (TypeError, ValueError):
            return
        names = list(signature.parameters)
        open_ended = any(part.kind == part.VAR_KEYWORD for part in signature.parameters.values())

        @functools.wraps(original)
        def init(instance, *args, **kwargs):
            # The class that is made may have no __init__ of its own.
            if next(part for part in type(instance).__mro__ if "__init__" in vars(part)) is cls:
                given = {**dict(zip(names[1:], args)), **kwargs}
                written = {ALIASES.get(name, name): plain(value) for name, value in given.items()}
                for name, key, value in self.defaults:
                    spelled = {key} | {short for short, full in ALIASES.items() if full == key}
                    spelled = [word for word in names if word in spelled] or [key] * open_ended
                    if name == class_name(instance) and key not in written and spelled:
                        kwargs[spelled[0]] = value
                        self.did("default %s.%s" % (name, key))
                if self.plan.get("draws"):
                    for key in set(DROPS) & set(names):
                        position = names.index(key) - 1
                        if position < len(args):
                            args = (*args[:position], 0.0, *args[position + 1 :])
                        elif kwargs.get(key):
                            kwargs[key] = 0.0
                caller = sys._getframe(1).f_code.co_filename
                library = any(os.sep + name + os.sep in caller for name in FRAMEWORKS)
                line = None if library else self.here()
                self.made.append((instance, written, line, kind))
            return original(instance, *args, **kwargs)

        init.__signature__ = signature  # frameworks ask for the names of arguments
        init.recorded = True
        cls.__init__ = init

    def compiled(self, original):
        """Note how a script weighs the losses of a model."""
        signature = inspect.signature(original)

        @functools.wraps(original)
        def compile(model, *args, **kwargs):
            arguments = signature.bind(model, *args, **kwargs).arguments
            self.weighing[id(model)] = plain(arguments.get("loss_weights"))
            return original(model, *args, **kwargs)

        compile.recorded = True
        return compile

    def config_of(self, instance):
        """Return the configuration of a layer or an optimizer."""
        try:
            return plain(instance.get_config())
        except Exception:  # a class of the script's own need not have one
            return {}
