"""Deciding the claims of the page that need the seed study, from its effects.

Each function takes a claim and the tables, and returns (measured, verdict, reason), as in
bnyesno/claims.py. An effect counts where its bootstrap interval excludes zero. All is about
this network and data, which every reason says.
"""

import pandas

from bnyesno.claims import NOT_REPRODUCED, REFUTED, REPRODUCED, CellNotRun, find_table

LIMIT = "this network and data only"
SETTINGS = ("learning_rate", "batch_size", "momentum", "rows")  # parts that change one setting


def effects_of(tables, **values):
    """Return the rows of sensitivity_effects.csv with these values; raise CellNotRun if none."""
    chosen = find_table(tables, "sensitivity_effects")
    for column, value in values.items():
        chosen = chosen[chosen[column] == value]
    if chosen.empty:
        raise CellNotRun("/".join(map(str, values.values())))
    return chosen


def decide(effects):
    """Return the verdict on "always higher": each interval above zero, or any below it."""
    if (effects["low"] > 0).all():
        return REPRODUCED
    return REFUTED if (effects["high"] < 0).any() else NOT_REPRODUCED


def show(effect):
    """Return an effect as text: the mean difference and its interval."""
    return f"{effect['mean_difference']:+.4f} [{effect['low']:+.4f}, {effect['high']:+.4f}]"


def small_batches_are_worse(claim, tables):
    """With BN, is the held-out loss higher for every batch size under 32 than for 32?"""
    lines, found = [], []
    for kind, words in (("epochs", "after as many epochs"), ("steps", "after as many steps")):
        chosen = effects_of(tables, kind=f"batch_size_32_{kind}", variant="bn", rows=claim["rows"])
        chosen = chosen[chosen["batch_size"] < 32]
        found.append(chosen)
        worse, better = (chosen["low"] > 0).sum(), (chosen["high"] < 0).sum()
        best = chosen.loc[chosen["mean_difference"].idxmin()]
        worst = chosen.loc[chosen["mean_difference"].idxmax()]
        lines.append(
            f"{words} worse than 32 in {worse}, better in {better} of {len(chosen)} cases, "
            f"from {show(best)} (batch {best['batch_size']}, epoch {best['epoch']}) "
            f"to {show(worst)} (batch {worst['batch_size']}, epoch {worst['epoch']})"
        )
    verdict = decide(pandas.concat(found))
    return lines[1], verdict, f"BN's loss {'; '.join(lines)}; {bn_by_batch_size(tables)}; {LIMIT}"


def bn_by_batch_size(tables):
    """Return in words with which batch sizes under 32 BN helps, and with which it hurts."""
    effects = find_table(tables, "sensitivity_effects")
    chosen = effects[
        (effects["part"] == "batch_size")
        & (effects["kind"] == "bn")
        & (effects["rows"] == "held_out")
        & (effects["batch_size"] < 32)
    ]
    helps, hurts = (
        ", ".join(map(str, sorted(set(rows["batch_size"])))) or "none"
        for rows in (chosen[chosen["high"] < 0], chosen[chosen["low"] > 0])
    )
    return f"against no BN it helps somewhere with batches of {helps}, hurts somewhere with {hurts}"


def bn_needs_rows(claim, tables):
    """At equal steps, is BN's effect worse with the fewest training rows than with the most?"""
    chosen = effects_of(tables, part="rows", kind="bn", rows=claim["rows"])
    steps = chosen["steps"].value_counts()
    chosen = chosen[(chosen["steps"] - steps.index[0]).abs() <= 0.03 * steps.index[0]]
    few, many = (chosen.loc[chosen["training_rows"].agg(end)] for end in ("idxmin", "idxmax"))
    measured = (
        f"BN - no BN {show(few)} with {few['training_rows']} training rows, "
        f"{show(many)} with {many['training_rows']}"
    )
    if few["low"] > many["high"]:
        verdict = REPRODUCED
    else:
        verdict = REFUTED if few["high"] < many["low"] else NOT_REPRODUCED
    reason = f"after {few['steps']} and {many['steps']} steps: {measured}; {LIMIT}"
    return measured, verdict, reason


def linear_pair_is_best(claim, tables):
    """Is the held-out loss of every other pair higher than that of linear/linear?"""
    chosen = effects_of(tables, kind="linear_linear", variant="activations", rows=claim["rows"])
    lines = []
    for epoch, pairs in chosen.groupby("epoch"):
        best = pairs.loc[pairs["mean_difference"].idxmin()]
        worse, better = (pairs["low"] > 0).sum(), (pairs["high"] < 0).sum()
        lines.append(
            f"after {epoch} epochs {worse} of {len(pairs)} pairs are worse, {better} better; the "
            f"best other, {best['hidden']}/{best['output']}, by {show(best)}"
        )
    return lines[-1], decide(chosen), f"without BN, {'; '.join(lines)}; {LIMIT}"


def near_pca(claim, tables):
    """Does the linear network come within a share of PCA's training loss, in the end?"""
    chosen = effects_of(tables, kind="pca", rows="training")
    last = chosen[chosen["epoch"] == chosen["epoch"].max()]
    relative = last["mean_difference"] / last["mean_first"]
    best = last.loc[relative.idxmin()]
    early = effects_of(
        tables, kind="pca", rows="training", epoch=20, learning_rate=chosen["learning_rate"].min()
    ).iloc[0]
    share = relative.min()
    upper = best["high"] / best["mean_first"]
    measured = f"training loss {share:+.2%} from rank-8 PCA after {best['epoch']} epochs"
    reason = (
        f"{show(best)} above PCA's {best['mean_first']:.4f} at learning rate "
        f"{best['learning_rate']:g}, {best['epoch']} epochs; after the page's 20 epochs still "
        f"{show(early)} above it, so far from PCA; {LIMIT}"
    )
    return measured, REPRODUCED if upper <= claim["within"] else REFUTED, reason


def some_setting_helps(claim, tables):
    """Is there a setting, the activations left alone, for which BN lowers the held-out loss?"""
    chosen = effects_of(tables, kind="bn", rows=claim["rows"])
    chosen = chosen[chosen["part"].isin(SETTINGS)]
    helps, hurts = chosen[chosen["high"] < 0], chosen[chosen["low"] > 0]
    parts = ", ".join(
        f"{part.replace('_', ' ')} {(chosen.loc[chosen['part'] == part, 'high'] < 0).sum()} of "
        f"{(chosen['part'] == part).sum()}"
        for part in SETTINGS
    )
    best = chosen.loc[chosen["mean_difference"].idxmin()]
    page = effects_of(
        tables, kind="bn", part="learning_rate", rows=claim["rows"], epoch=20, learning_rate=0.001
    ).iloc[0]
    measured = (
        f"BN helps in {len(helps)}, hurts in {len(hurts)} of {len(chosen)} settings; "
        f"as on the page {show(page)}"
    )
    reason = (
        f"from equal initial weights, number of settings that help: {parts}; most at learning "
        f"rate {best['learning_rate']:g}, batch {best['batch_size']}, {best['epoch']} epochs, "
        f"{best['training_rows']} rows, BN momentum {best['bn_momentum']:g}: {show(best)}; "
        f"already as on the page {show(page)}; {LIMIT}"
    )
    return measured, REPRODUCED if len(helps) else REFUTED, reason


TESTS = {
    test.__name__: test
    for test in (
        small_batches_are_worse,
        bn_needs_rows,
        linear_pair_is_best,
        near_pca,
        some_setting_helps,
    )
}
