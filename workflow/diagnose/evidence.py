"""What the records of a pair say: each number that a verdict rests on, by its name."""

import itertools
from functools import cached_property

from judge.causes import last_places, limit_of

from diagnose.differences import evaluate_alike, losses_differ, settings
from diagnose.ladder import NEGLIGIBLE
from diagnose.loops import PARTLY
from diagnose.place import BEYOND, look_closer
from diagnose.records import Runs, data_of, reported, trained_models
from diagnose.rungs import (
    climb,
    ends,
    label,
    lie_apart,
    not_done,
    real_causes,
    rungs_apart,
    swapped,
    theirs,
)

SIDES = ("first", "second")
AS_IS = ("first/as_is", "second/as_is")


class Evidence:
    """A pair whose runs have all ended well; every size is in units of the compared number.

    `first` and `other` are the two runs without any of the causes, at the ends of the ladder.
    """

    def __init__(self, runs: Runs, ladder: dict, place: dict):
        """Take the records, what the ladder asked for, and where the runs part."""
        self.runs, self.ladder, self.place = runs, ladder, place["place"]
        self.causes = real_causes(runs, ladder)
        self.first, self.other = ends(runs, self.causes)
        self.numbers = [reported(run, runs.metric) for run in runs.pair()]
        self.level = runs.value("first/as_is")
        self.total = runs.value("second/as_is") - self.level
        self.steps = sum(len(entry["hashes"]) for entry in runs.one(self.first)["models"])
        self.closer = look_closer(runs, place["probes"]) if "probes" in place else {}
        # --- between the ends: do all steps agree, do repeats scatter, do the data
        self.agree = runs.agree(self.first, self.other)
        self.scattered = not (runs.repeat(self.first) and runs.repeat(self.other))
        self.varied = runs.vary(data_of)
        self.parted = [side for side in SIDES if not runs.repeat(f"{side}/as_is")]

    # --- how large a number has to be

    @cached_property
    def spread(self) -> float:
        """How far the repeats of a run lie apart."""
        names = [n for n in self.runs.records if n.split("/")[1].startswith(("as_is", "same"))]
        values = map(self.runs.values, names)
        return max(max(each) - min(each) for each in values)

    @cached_property
    def yardstick(self) -> float:
        """How far rounding moves the number."""
        return max(0.0 if self.agree else last_places(self.level, self.steps), self.moved)

    @cached_property
    def moved(self) -> float:
        """How far rounding moves the number of the first run, beyond what a race does."""
        runs, first = self.runs, self.first
        races = not (runs.repeat("first/as_is") and runs.repeat(first))
        yards = [name for name in ("first/ulp_1", "first/ulp_2", "first/portable") if name in runs]
        # A perturbed run may be equal by chance.
        moved = [abs(runs.value(name) - runs.value(first)) for name in yards]
        return max([0.0, *moved]) - (self.spread if races else 0.0)

    @cached_property
    def limit(self) -> float:
        """The size beyond which a number is more than rounding and races."""
        return limit_of(BEYOND * self.yardstick, self.spread)

    # --- the rungs, and what remains without any cause

    @cached_property
    def climbed(self) -> tuple[list[list], float, float | None]:
        """What `climb` finds: the rows of the causes, the rest, and the evaluation taken first."""
        plain = self.first == "first/as_is" and all(isinstance(one, str) for one in self.causes)
        found = climb(self.runs, self.causes, self.agree and plain and not self.scattered)
        return ([], self.total, found[2]) if self.varied else found

    @property
    def rest(self) -> float:
        """What remains without any cause."""
        return self.climbed[1]

    @cached_property
    def last(self) -> float | None:
        """The first run's number of the second run's final weights."""
        return swapped(self.runs, self.causes, list(range(len(self.causes))))

    @cached_property
    def evaluated_alike(self) -> bool:
        """Whether the compared numbers are evaluated in the same way, as far as can be seen."""
        of_training = all(number.get("through") == "training" for number in self.numbers)
        alike = self.runs.metric == "training loss" or of_training
        return bool(alike or evaluate_alike(*self.numbers))

    @cached_property
    def rounded(self) -> bool:
        """Whether what remains is the last place of a number that both compute from equal bits."""
        largest = max(abs(self.rest), abs(self.climbed[2] or 0.0))
        return self.agree and largest <= BEYOND * last_places(self.level, 1)

    @cached_property
    def evaluation(self) -> float:
        """What the evaluation contributes to the rest."""
        if self.varied:
            return 0.0
        if self.agree:
            nothing = self.rounded or (self.scattered and abs(self.rest) <= self.limit)
            return 0.0 if nothing else self.rest
        if self.last is None:
            return 0.0
        # The loss that is trained with is evaluated with: one formula, not two causes, if it is
        # not written. Where repeats scatter, no step is looked at: the network may differ.
        one_formula = "loss" in self.computed_apart or self.scattered
        if self.evaluated_alike and one_formula and not self.formulas_differ:
            return 0.0
        apart = self.runs.value(self.other) - self.last
        return apart if abs(apart) > self.limit else 0.0

    @cached_property
    def formulas_differ(self) -> bool:
        """Whether the scripts write another loss, metric or penalty."""
        return bool(losses_differ(*self.runs.pair())) or any(
            entry["kind"] in ("loss", "metric") or (entry["key"] or "").endswith("regularizer")
            for entry in settings(*self.runs.pair())
        )

    @property
    def computation(self) -> float:
        """What remains when the evaluation is taken from the rest."""
        return self.rest - self.evaluation

    # --- is it computed differently

    @cached_property
    def computed_apart(self) -> list[str]:
        """The parts of the step in which the runs part that differ by more than rounding."""
        arrays = self.closer.get("arrays", [])
        return [row["part"] for row in arrays if row["beyond"] > BEYOND]

    @property
    def formula(self) -> bool:
        """Whether a step is computed differently, by more than rounding."""
        return bool(self.computed_apart) or (self.place is not None and not self.closer)

    @cached_property
    def rounding(self) -> float:
        """How far rounding alone may carry two single runs apart."""
        return BEYOND * last_places(self.level, self.steps)

    @cached_property
    def apart(self) -> bool:
        """Whether the repeats lie apart, though by less than two single runs may."""
        repeats = map(self.runs.values, AS_IS)
        return self.scattered and lie_apart(*repeats, rounding=self.rounding)

    @cached_property
    def far(self) -> bool:
        """Whether they do so without any cause, too."""
        if not self.apart or self.varied or self.evaluation:
            return False
        repeats = map(self.runs.values, (self.first, self.other))
        return lie_apart(*repeats, rounding=self.rounding)

    @cached_property
    def counted(self) -> list[bool]:
        """Of each cause, whether repeats with and without it lie apart."""
        plain = self.apart and self.first == "first/as_is" and not self.varied
        return rungs_apart(self.runs, self.causes, self.rounding) if plain else []

    @property
    def small(self) -> bool:
        """Whether the computation is no more than rounding and races make of it."""
        return abs(self.computation) <= self.limit and not self.far

    @property
    def elsewhere(self) -> bool:
        """Whether a step is computed differently, and the number does not show it."""
        return self.formula and self.small and not self.scattered and not self.agree

    @cached_property
    def kind(self) -> str:
        """What the computation that remains is called."""
        if self.place and not self.scattered:
            number, step = self.place
            models = [trained_models(self.runs.one(name)) for name in (self.first, self.other)]
            ended = min(len(part[number]["hashes"]) for part in models)
            if len(models[0]) == len(models[1]) and step > ended:
                return "length"
        if not self.small and (self.formula or self.scattered):
            return "computation"
        return "spread" if self.scattered else "rounding"

    @cached_property
    def rows(self) -> list[list]:
        """[cause, its size in the one order, in the other] of everything that contributes."""
        rows, rest, early = self.climbed
        first = self.evaluation if early is None else early
        rows = [list(row) for row in rows]
        last = [["evaluation", self.evaluation, first], [self.kind, *[self.computation] * 2]]
        if self.kind == "computation" and (levels := theirs(self.runs, self.causes)):
            # The other order takes the computation away first, then the causes, the last one first.
            for row, (before, after) in zip(rows, itertools.pairwise(levels), strict=False):
                row[2] = after - before
            last[1][2] = self.runs.value("second/as_is") - levels[-1] - self.evaluation
        if self.rounded:
            last = [["evaluation", 0.0, 0.0], ["rounding", rest, rest if early is None else early]]
        return rows + last

    # --- what forbids a verdict

    def objections(self, named: list[dict]) -> list[tuple]:
        """Return (whether it holds, reason, what remains or None) of all that forbid a verdict.

        Args:
            named: the rows of the verdict whose cause is named.
        """
        tiny = NEGLIGIBLE * abs(self.level)
        gradients = [row for row in self.closer.get("arrays", []) if row["part"] == "gradient"]
        alike_learnt = gradients and not any(row["largest_difference"] for row in gradients)
        # From equal weights, equal gradients come from equal labels, though these were not seen.
        blocked = [said for said in self.ladder["blocked"] if not (alike_learnt and PARTLY in said)]
        large = not self.agree and abs(self.rest) > self.limit
        done = not_done(self.runs.one(self.other), self.causes) if self.causes else []
        total, rest = abs(self.total), self.rest
        return [
            (done, f"{label(done[0])} could not be taken away from the second run" if done else "",
             None),
            (self.varied and total > self.limit,
             "the training data differ from run to run, so that no cause can be measured", None),
            (blocked and large, "; ".join(blocked), rest),
            ("error" in self.closer,
             f"the first difference cannot be looked at: {self.closer.get('error')}", None),
            (not (self.agree or self.small or self.formula or self.scattered),
             "the runs part by no more than rounding, but what remains is beyond its yardstick",
             rest),
            (self.elsewhere and abs(self.computation) > tiny,
             "one step is computed differently, but rounding moves the number as far", rest),
            (self.causes and not (named or self.agree or self.parted)
             and total > max(tiny, self.limit / BEYOND),
             f"rounding moves the number by {self.yardstick:.2g}, too far to tell causes apart",
             None),
            (large and self.last is None and not self.evaluated_alike and not self.varied,
             "computation and evaluation cannot be told apart", rest),
        ]  # fmt: skip
