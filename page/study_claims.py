"""Deciding the claims of the page that need the seed study, from its effects.

Each function takes a claim and the tables, and returns (measured, verdict, reason), as in
judge/claims.py. A claim over many cells is decided by intervals that hold together
(`low_of_family`). Cells whose losses have diverged decide nothing; a reason counts them. All is
about this network and data, which every reason says.
"""

from typing import Any

import pandas
from judge.claims import (
    NOT_REPRODUCED,
    REFUTED,
    REPRODUCED,
    CellNotRun,
    Decision,
    NoStatement,
    Tables,
    Verdict,
    find_rows,
    find_table,
)
from judge.tables import SAME_STEPS, rows_where
from plan.claims import Claim

EFFECTS = "sensitivity_effects"
LIMIT = "this network and data only"
SETTINGS = ("learning_rate", "batch_size", "momentum", "rows")  # questions about one setting


def the_effect(tables: Tables, **values: Any) -> pandas.Series:
    """Return the one row of sensitivity_effects.csv with these values.

    Raises CellNotRun if there is none, NoStatement if there are several or it has diverged.
    """
    chosen = find_rows(tables, EFFECTS, **values)
    if len(chosen) > 1:
        raise NoStatement(f"{len(chosen)} cells are {'/'.join(map(str, values.values()))}")
    return usable(chosen)[0].iloc[0]


def usable(effects: pandas.DataFrame) -> tuple[pandas.DataFrame, str]:
    """Return (the effects all of whose pairs are finite, the others in words).

    Raises NoStatement where none is left.
    """
    finite = effects[effects["diverged"] == 0]
    if finite.empty:
        raise NoStatement(f"in all {len(effects)} cells a training has diverged")
    lost = len(effects) - len(finite)
    return finite, f"; {lost} cells are left out, since a training has diverged" if lost else ""


def decide(effects: pandas.DataFrame, complete: bool) -> Verdict:
    """Return the verdict on "always higher": each interval above zero, or any below it.

    An effect that was left out (not `complete`) may have been a counterexample.
    """
    if (effects["high_of_family"] < 0).any():
        return REFUTED
    return REPRODUCED if complete and (effects["low_of_family"] > 0).all() else NOT_REPRODUCED


def show(effect: pandas.Series) -> str:
    """Return an effect as text: the mean difference and its interval."""
    low, high = effect["low_of_family"], effect["high_of_family"]
    return f"{effect['mean_difference']:+.4f} [{low:+.4f}, {high:+.4f}]"


def together(effects: pandas.DataFrame) -> str:
    """Return in words how sure the intervals are."""
    row = effects.iloc[0]
    return f"intervals hold together with {row['family_confidence']:.0%}"


def small_batches_are_worse(claim: Claim, tables: Tables) -> Decision:
    """With BN, is the held-out loss higher for every batch size under 32 than for 32?"""
    lines, found, lost = [], [], ""
    for kind, words in (("epochs", "after as many epochs"), ("steps", "after as many steps")):
        chosen = find_rows(
            tables, EFFECTS, kind=f"batch_size_32_{kind}", variant="bn", rows=claim["rows"]
        )
        chosen, left_out = usable(chosen[chosen["batch_size"] < 32])
        lost += left_out
        found.append(chosen)
        worse, better = (chosen["low_of_family"] > 0).sum(), (chosen["high_of_family"] < 0).sum()
        best = chosen.loc[chosen["mean_difference"].idxmin()]
        worst = chosen.loc[chosen["mean_difference"].idxmax()]
        lines.append(
            f"{words} worse than 32 in {worse}, better in {better} of {len(chosen)} cases, "
            f"from {show(best)} (batch {best['batch_size']}, epoch {best['epoch']}) "
            f"to {show(worst)} (batch {worst['batch_size']}, epoch {worst['epoch']})"
        )
    found = pandas.concat(found)
    reason = f"BN's loss {'; '.join(lines)}; {bn_by_batch_size(tables)}{lost}; {together(found)}"
    return lines[1], decide(found, complete=not lost), f"{reason}; {LIMIT}"


def bn_by_batch_size(tables: Tables) -> str:
    """Return in words with which batch sizes under 32 BN helps, and with which it hurts."""
    effects = find_table(tables, EFFECTS)
    chosen = rows_where(effects, question="batch_size", kind="bn", rows="held_out")
    chosen = chosen[chosen["batch_size"] < 32]
    helps, hurts = (
        ", ".join(map(str, sorted(set(rows["batch_size"])))) or "none"
        for rows in (chosen[chosen["high_of_family"] < 0], chosen[chosen["low_of_family"] > 0])
    )
    return f"against no BN it helps somewhere with batches of {helps}, hurts somewhere with {hurts}"


def bn_needs_rows(claim: Claim, tables: Tables) -> Decision:
    """At equal steps, is BN's effect worse with the fewest training rows than with the most?"""
    chosen = find_rows(tables, EFFECTS, question="rows", kind="bn", rows=claim["rows"])
    chosen = chosen[(chosen["steps"] - claim["steps"]).abs() <= SAME_STEPS * claim["steps"]]
    if chosen["training_rows"].nunique() < 2:
        raise CellNotRun(f"question rows, two numbers of training rows at {claim['steps']} steps")
    few, many = (
        the_effect(
            tables,
            question="rows",
            kind="bn",
            rows=claim["rows"],
            **{name: chosen.loc[row, name] for name in ("training_rows", "steps")},
        )
        for row in (chosen["training_rows"].idxmin(), chosen["training_rows"].idxmax())
    )
    measured = (
        f"BN - no BN {show(few)} with {few['training_rows']} training rows, "
        f"{show(many)} with {many['training_rows']}"
    )
    if few["low_of_family"] > many["high_of_family"]:
        verdict = REPRODUCED
    else:
        worse = few["high_of_family"] < many["low_of_family"]
        verdict = REFUTED if worse else NOT_REPRODUCED
    reason = f"after {few['steps']} and {many['steps']} steps: {measured}; {together(chosen)}"
    return measured, verdict, f"{reason}; {LIMIT}"


def linear_pair_is_best(claim: Claim, tables: Tables) -> Decision:
    """Is the held-out loss of every other pair higher than that of linear/linear?"""
    chosen = find_rows(
        tables,
        EFFECTS,
        kind="linear_linear",
        question="activations",
        variant="activations",
        rows=claim["rows"],
    )
    chosen, lost = usable(chosen)
    lines = []
    for epoch, pairs in chosen.groupby("epoch"):
        best = pairs.loc[pairs["mean_difference"].idxmin()]
        worse, better = (pairs["low_of_family"] > 0).sum(), (pairs["high_of_family"] < 0).sum()
        lines.append(
            f"after {epoch} epochs {worse} of {len(pairs)} pairs are worse, {better} better; the "
            f"best other, {best['hidden']}/{best['output']}, by {show(best)}"
        )
    reason = f"without BN, {'; '.join(lines)}{lost}; {together(chosen)}; {LIMIT}"
    return lines[-1], decide(chosen, complete=not lost), reason


def near_pca(claim: Claim, tables: Tables) -> Decision:
    """Does the linear network come within a share of PCA's training loss, in the end?"""
    chosen = find_rows(tables, EFFECTS, kind="pca", question="learning_rate", rows="training")
    last, lost = usable(chosen[chosen["epoch"] == chosen["epoch"].max()])
    relative = last["mean_difference"] / last["mean_first"]
    best = last.loc[relative.idxmin()]
    early = the_effect(
        tables, kind="pca", question="learning_rate", rows="training", **claim["as_on_the_page"]
    )
    upper = best["high_of_family"] / best["mean_first"]
    measured = f"training loss {relative.min():+.2%} from rank-8 PCA after {best['epoch']} epochs"
    reason = (
        f"{show(best)} above PCA's {best['mean_first']:.4f} at learning rate "
        f"{best['learning_rate']:g}, {best['epoch']} epochs{lost}; after the page's "
        f"{early['epoch']} epochs still {show(early)} above it, so far from PCA; {together(last)}"
    )
    if upper <= claim["within"]:
        return measured, REPRODUCED, f"{reason}; {LIMIT}"
    beyond = (last["low_of_family"] / last["mean_first"] > claim["within"]).all() and not lost
    return measured, REFUTED if beyond else NOT_REPRODUCED, f"{reason}; {LIMIT}"


def some_setting_helps(claim: Claim, tables: Tables) -> Decision:
    """Is there a setting, the activations left alone, for which BN lowers the held-out loss?"""
    chosen = find_rows(tables, EFFECTS, kind="bn", rows=claim["rows"], equal_start=True)
    chosen, lost = usable(chosen[chosen["question"].isin(SETTINGS)])
    helps = chosen[chosen["high_of_family"] < 0]
    hurts = chosen[chosen["low_of_family"] > 0]
    parts = ", ".join(
        f"{question.replace('_', ' ')} {(helps['question'] == question).sum()} of "
        f"{(chosen['question'] == question).sum()}"
        for question in SETTINGS
    )
    best = chosen.loc[chosen["mean_difference"].idxmin()]
    page = the_effect(
        tables,
        kind="bn",
        question="learning_rate",
        rows=claim["rows"],
        equal_start=True,
        **claim["as_on_the_page"],
    )
    measured = (
        f"BN helps in {len(helps)}, hurts in {len(hurts)} of {len(chosen)} settings; "
        f"as on the page {show(page)}"
    )
    reason = (
        f"from equal initial weights, number of settings that help: {parts}; most at learning "
        f"rate {best['learning_rate']:g}, batch {best['batch_size']}, {best['epoch']} epochs, "
        f"{best['training_rows']} rows, BN momentum {best['bn_momentum']:g}: {show(best)}; "
        f"already as on the page {show(page)}{lost}; {together(chosen)}; {LIMIT}"
    )
    if len(helps):
        return measured, REPRODUCED, reason
    return measured, REFUTED if len(hurts) == len(chosen) and not lost else NOT_REPRODUCED, reason
