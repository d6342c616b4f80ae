"""Configured values of layers, optimizers and calls, as JSON can hold them.

Runs under Python 3.7.
"""

import contextlib
import re

import numpy

from diagnose.data import digest


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
