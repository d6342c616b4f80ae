"""What makes two numbers differ: names, sizes, and how far two numbers lie apart without a cause.

The controls of a comparison (judge.compare) and the diagnosis of two scripts take them from here.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

import numpy


class Cause(StrEnum):
    """What may make two numbers differ."""

    COMPUTATION = "computation"
    DRAWS = "draws"  # of the initial weights, where no draws during training are told apart
    EVALUATION = "evaluation"
    DATA = "data"
    INITIAL_DRAWS = "initial draws"
    DRAWS_DURING_TRAINING = "draws during training"
    CHANGED_DEFAULT = "changed default"
    LENGTH = "training length"
    NOT_REPRODUCIBLE = "not reproducible"


class NoCause(StrEnum):
    """What else may make two numbers differ, so that no cause is named."""

    ROUNDING = "rounding"
    SPREAD = "spread of repeats"


HYPOTHESES = (Cause.COMPUTATION, Cause.DRAWS, Cause.EVALUATION)  # what the controls predict


def last_places(loss: float, steps: int) -> float:
    """Return what independent roundings of this many steps add up to in a float32 loss.

    One unit in the last place per step: roundings of n steps add up as a random walk does, to the
    square root of n (Higham and Mary, 2019, doi:10.1137/18M1226312).
    """
    return float(numpy.spacing(numpy.float32(abs(loss)))) * steps**0.5


def limit_of(rounding: float, spread: float) -> float:
    """Return how far two numbers may lie apart without a cause.

    `rounding` is what rounding makes of their difference; each of the two may be off by `spread`.
    """
    return max(rounding, 2 * spread)


def exceeds(parts: Iterable[float], limit: float) -> bool:
    """Tell whether a cause has a size: more than the limit in one of the orders at least.

    What one order gives and the other takes back is a cause, too.
    """
    return any(abs(part) > limit for part in parts)


def mean_of_orders(parts: Sequence[float]) -> float:
    """Return what a cause adds to a difference, from what each order of the causes gives it.

    The mean does not depend on the order (Shapley's value), and the means of all causes sum up to
    the difference.
    """
    return float(numpy.mean(parts))


def share_of(part: float, total: float) -> float | None:
    """Return the share of a part in the whole difference; None where there is no difference."""
    return part / total if total else None
