"""Statistics of the seed study: distributions, paired contrasts with intervals, yardsticks.

A contrast pairs two cells seed by seed and looks at second minus first; its interval is scipy's
bootstrap of the mean, with a seed from config.yaml.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pandas
from judge.tables import NEAR, SAME_STEPS, Row, make_frame, write_table
from scipy import stats

from page import chunks
from page.chunks import LOSSES, RUN, draw_rows

WITH_BN = {"plain": "bn", "activations": "bn_activations", "activation": "activation_bn"}
RANK = 8  # units of the hidden layer
# What tells cells apart in `read_kernels`, and what a training's length follows from.
KERNEL_KEY = [name for name in RUN if name not in ("question", "steps", "epoch")]
COMPARED_KEY = [name for name in RUN if name not in ("question", "epoch")]  # in `read_compared`
LENGTH = ("batch_size", "steps", "epochs", "epoch")
# What two cells of a contrast may differ in, and what they may not.
SHARED = [name for name in RUN if name not in ("variant", "start", "bn_momentum")]

Key = tuple  # the values of RUN
Cells = dict[Key, pandas.DataFrame]  # losses indexed by seed
Kernels = dict[tuple, dict[int, bytes]]


class Statistics:
    """Describes paired differences, every time with the same bootstrap settings."""

    def __init__(self, bootstrap: dict, published_seed: int, kernels: Kernels) -> None:
        """Take the section study/bootstrap of config.yaml and the graph-level seed of the page.

        `kernels` is what `read_kernels` gives.
        """
        self.bootstrap, self.published_seed, self.kernels = bootstrap, published_seed, kernels

    def interval(self, differences: numpy.ndarray) -> tuple[float, float]:
        """Return the bootstrap interval (low, high) of the mean of a 1-D array."""
        if numpy.ptp(differences) == 0:
            return differences.mean(), differences.mean()
        found = stats.bootstrap(
            (differences,),
            numpy.mean,
            n_resamples=self.bootstrap["resamples"],
            confidence_level=self.bootstrap["confidence"],
            batch=200,
            rng=numpy.random.default_rng(self.bootstrap["seed"]),
        )
        return found.confidence_interval

    def describe(
        self, first: pandas.Series, second: pandas.Series, published: float | None = None
    ) -> Row:
        """Return the numbers of a contrast of two Series of losses, indexed by seed.

        `published` is the difference to compare with, by default that of the published seed.
        """
        if published is None and self.published_seed in first.index:
            published = second[self.published_seed] - first[self.published_seed]
        pairs = pandas.DataFrame({"first": first, "second": second})
        finite, described = count_finite(pairs, published)
        if len(finite) < 2:
            return described
        differences = (finite["second"] - finite["first"]).to_numpy()
        low, high = self.interval(differences)
        return {
            **described,
            "mean_first": finite["first"].mean(),
            "mean_second": finite["second"].mean(),
            "mean_difference": differences.mean(),
            "low": low,
            "high": high,
            "share_second_lower": (differences < 0).mean(),
            "near_zero": share_near(differences, NEAR),
            **self.describe_spread(differences, published, independent=len(differences)),
        }

    def describe_chance(self, losses: pandas.Series, published: float | None) -> Row:
        """Return the numbers of kind chance: each seed and the next one, of a Series of losses.

        Their differences have mean zero whatever is true, so nothing is said of their mean, and no
        direction is better. Each seed is in two pairs: half of the pairs are independent.
        """
        finite, described = count_finite(losses.to_frame("first"), published)
        if len(finite) < 2:
            return described
        values = finite["first"].to_numpy()
        differences = numpy.roll(values, -1) - values
        spread = self.describe_spread(differences, published, independent=len(values) // 2)
        return {**described, "mean_first": values.mean(), **spread}

    def describe_spread(
        self, differences: numpy.ndarray, published: float | None, independent: int
    ) -> Row:
        """Return how far differences spread, and how often they are as large as the published one.

        In its direction, with a Wilson interval for so many `independent` differences.
        """
        found = {"standard_deviation": differences.std(ddof=1)}
        if published is None or not numpy.isfinite(published):
            return found
        sign = 1 if published >= 0 else -1
        share = (sign * differences >= sign * published).mean()
        counted = stats.binomtest(round(share * independent), independent)
        interval = counted.proportion_ci(self.bootstrap["confidence"], method="wilson")
        return {
            **found,
            "share_as_extreme": share,
            "share_low": interval.low,
            "share_high": interval.high,
            "near_published": share_near(differences - published, 2 * NEAR),  # both may move
        }

    def add_families(self, rows: list[Row]) -> None:
        """Give each row of effects.csv the interval that holds together with all of its family.

        A family is all contrasts of a kind on the same kind of rows; both kinds of comparison with
        batches of 32 rows are one, since one claim rests on them. Student's t with Bonferroni's
        correction: the bootstrap would need millions of resamples that far out. Of numbers that
        are all equal, the interval is a point.
        """
        confidence = self.bootstrap["family_confidence"]
        families: dict[tuple, list[Row]] = {}
        for row in rows:
            if row.get("low") is not None and numpy.isfinite(row["low"]):
                kind = row["kind"].partition("_32_")[0]
                families.setdefault((kind, row["rows"]), []).append(row)
        for family in families.values():
            each = 1 - (1 - confidence) / len(family)
            for row in family:
                error = row["standard_deviation"] / row["seeds"] ** 0.5
                half = stats.t.ppf((1 + each) / 2, row["seeds"] - 1) * error
                row["low_of_family"] = row["mean_difference"] - half
                row["high_of_family"] = row["mean_difference"] + half
                row["family"], row["family_confidence"] = len(family), confidence


def count_finite(losses: pandas.DataFrame, published: float | None) -> tuple[pandas.DataFrame, Row]:
    """Return (the rows of a data frame of losses that are all finite, how many they are)."""
    finite = losses[numpy.isfinite(losses).all(axis=1)]
    counts = {"seeds": len(finite), "diverged": len(losses) - len(finite)}
    return finite, {**counts, "published_difference": published}


def share_near(distances: Any, limit: float) -> float:
    """Return the share of distances from a threshold that are not zero and within a limit.

    Zero is left out: what two equal runs differ by is zero on every processor.
    """
    return ((distances != 0) & (numpy.abs(distances) <= limit)).mean()


def cells_of(table: pandas.DataFrame) -> Cells:
    """Return {the values of RUN: losses indexed by seed} in table order, duplicates once."""
    grouped = table.groupby(RUN, sort=False, observed=True)
    return {key: rows.drop_duplicates("seed").set_index("seed") for key, rows in grouped}


def summarize_cells(cells: Cells, compared: dict, published_seed: int) -> pandas.DataFrame:
    """Return one row per cell, noted epoch and kind of rows: its distribution over the seeds."""
    rows = []
    for key, losses in cells.items():
        trained = [value for name, value in zip(RUN, key, strict=True) if name in COMPARED_KEY]
        runs, largest = compared.get(tuple(trained), (0, None))
        runs = runs if is_last(key) else 0
        for kind in LOSSES:
            values = losses[kind]
            published = values.get(published_seed)
            percentile = near = None
            if published is not None:
                percentile = stats.percentileofscore(values, published, kind="mean")
                near = share_near(values - published, NEAR)
            rows.append(
                {
                    **dict(zip(RUN, key, strict=True)),
                    "rows": kind.removesuffix("_loss"),
                    "seeds": len(values),
                    "mean": values.mean(),
                    "standard_deviation": values.std(ddof=1),
                    "published_seed_loss": published,
                    "published_seed_percentile": percentile,
                    "near_published": near,
                    "compared_runs": runs,
                    "largest_difference_from_keras": largest if runs else None,
                }
            )
    return make_frame("study_cells", rows)


def is_last(key: Key) -> bool:
    """Tell whether a run is noted after its last epoch, where stock Keras was compared."""
    return key[RUN.index("epochs")] == key[RUN.index("epoch")]


def percentiles(cells: Cells, kernels: Kernels) -> pandas.DataFrame:
    """Return one row per whole percentile of each cell's losses and each contrast's differences."""
    rows: list[Row] = []
    for loss in LOSSES:
        kind_of_rows = loss.removesuffix("_loss")
        for key, losses in cells.items():
            described = {**dict(zip(RUN, key, strict=True)), "kind": "loss"}
            rows += percentile_rows({**described, "rows": kind_of_rows}, losses[loss])
        for kind, start, first, second in contrasts(cells, kernels):
            if kind == "chance":
                continue
            described = {**dict(zip(RUN, second, strict=True)), "kind": kind, "start": start}
            described["first"] = name_side(first, second, kind, 0)
            differences = cells[second][loss] - cells[first][loss]
            rows += percentile_rows({**described, "rows": kind_of_rows}, differences)
    return make_frame("percentiles", rows)


def percentile_rows(described: Row, values: pandas.Series) -> Iterator[Row]:
    """Yield a row for each whole percentile of some values."""
    for percentile, value in enumerate(numpy.percentile(values, range(101))):
        yield {**described, "percentile": percentile, "value": value}


def contrasts(cells: Cells, kernels: Kernels) -> Iterator[tuple[str, str, Key, Key]]:
    """Yield (kind, start, key of the first cell, key of the second) of every contrast.

    bn: without and with BN, from their own draws (start own) or from equal initial weights, as
    the hashes of `kernels` say (start equal);
    extra_activation: V1 and V2; chance: a cell without BN and itself, with the next seed;
    batch_size_32_*: batches of 32 rows and another size; linear_linear: that and another pair.
    """
    named = [(dict(zip(RUN, key, strict=True)), key) for key in cells]
    places: dict[tuple, Key] = {}
    for cell, key in named:
        shared = tuple(cell[name] for name in SHARED)
        places.setdefault((*shared, cell["variant"], cell["start"]), key)
    for cell, key in named:
        shared = tuple(cell[name] for name in SHARED)
        for without, with_bn in WITH_BN.items():
            if cell["variant"] == with_bn:
                for start, first in bn_counterparts(places, shared, without, cell):
                    if start == "own" or equal_kernels(kernels, first, key):
                        yield "bn", start, first, key
        plain = places.get((*shared, "plain", cell["start"]))
        if cell["variant"] == "activation" and plain:
            yield "extra_activation", cell["start"], plain, key
        if cell["variant"] in WITH_BN:
            yield "chance", cell["start"], key, key
        if cell["question"] == "batch_size" and cell["batch_size"] != 32:
            yield from batch_counterparts(named, cell, key)
        linear = dict.fromkeys(("hidden", "output"), "linear")
        first = tuple({**cell, **linear}[name] for name in RUN)
        if cell["question"] == "activations" and first != key and first in cells:
            yield "linear_linear", cell["start"], first, key


def bn_counterparts(
    places: dict[tuple, Key], shared: tuple, without: str, cell: Row
) -> Iterator[tuple[str, Key]]:
    """Yield (start, key) of the cells without BN that one with BN is compared with.

    Linear activations compute nothing: from the kernels of `plain`, `plain` stands for them all.
    """
    own = places.get((*shared, without, cell["start"]))
    if cell["start"] == "own" and own:
        yield "own", own
    if cell["start"] != "own":
        plain = places.get((*shared, "plain", cell["start"]))
        plain = plain or places.get((*shared, "plain", "own"))
        if plain:
            yield "equal", plain


def equal_kernels(kernels: Kernels, first: Key, second: Key) -> bool:
    """Tell whether two cells started from the same kernels, seed by seed, by their hashes."""
    found = [
        kernels[tuple(value for name, value in zip(RUN, key, strict=True) if name in KERNEL_KEY)]
        for key in (first, second)
    ]
    return found[0] == found[1]


def batch_counterparts(
    named: list[tuple[Row, Key]], cell: Row, key: Key
) -> Iterator[tuple[str, str, Key, Key]]:
    """Yield the contrasts with batches of 32 rows: after as many epochs, and as many steps.

    The two agree in every setting but the batch size and what follows from it.
    """
    for other, first in named:
        same = [name for name in RUN if name not in LENGTH]
        if other["batch_size"] == 32 and all(other[name] == cell[name] for name in same):
            if other["epoch"] == cell["epoch"]:
                yield "batch_size_32_epochs", cell["start"], first, key
            if abs(other["steps"] - cell["steps"]) <= SAME_STEPS * other["steps"]:
                yield "batch_size_32_steps", cell["start"], first, key


def measure_effects(cells: Cells, statistics: Statistics) -> pandas.DataFrame:
    """Return one row per contrast and kind of rows, with interval; see `contrasts`."""
    rows = []
    for kind, start, first, second in contrasts(cells, statistics.kernels):
        described = dict(zip(RUN, second, strict=True)) | {"start": start}
        for loss in LOSSES:
            a, b = cells[first][loss], cells[second][loss]
            equal_start = None
            if kind == "chance":
                published = published_gap(cells, second, loss, statistics.published_seed)
                found = statistics.describe_chance(a, published)
            else:
                equal_start = equal_kernels(statistics.kernels, first, second)
                found = statistics.describe(a, b)
            rows.append(
                {
                    **described,
                    "kind": kind,
                    "first": name_side(first, second, kind, 0),
                    "second": name_side(first, second, kind, 1),
                    "rows": loss.removesuffix("_loss"),
                    "equal_start": equal_start,
                    **found,
                }
            )
    rows += measure_pca(cells, statistics)
    rows += pool_data_seeds(rows, statistics)
    statistics.add_families(rows)
    return make_frame("effects", rows)


def measure_pca(cells: Cells, statistics: Statistics) -> list[Row]:
    """Return rows of kind pca: the loss of `plain` minus that of rank-8 PCA on the same rows."""
    lines = yardsticks(cells).set_index(["data_seed", "training_rows", "yardstick", "rows"])["loss"]
    rows = []
    for key, losses in cells.items():
        cell = dict(zip(RUN, key, strict=True))
        if cell["variant"] == "plain" and cell["question"] in ("page", "learning_rate"):
            for loss in LOSSES:
                kind = loss.removesuffix("_loss")
                line = lines[cell["data_seed"], cell["training_rows"], "pca", kind]
                first = pandas.Series(line, losses.index)
                named = {"kind": "pca", "first": "rank-8 PCA", "second": "plain", "rows": kind}
                rows.append({**cell, **named, **statistics.describe(first, losses[loss])})
    return rows


def name_side(first: Key, second: Key, kind: str, side: int) -> str:
    """Return what a side of a contrast is, in a word: its variant, batch size, pair or seed."""
    cell = dict(zip(RUN, (first, second)[side], strict=True))
    if kind == "chance":
        return ("a seed", "the next seed")[side]
    if kind.startswith("batch_size"):
        return f"{cell['variant']}, batches of {cell['batch_size']}"
    if kind == "linear_linear":
        return f"{cell['variant']}, {cell['hidden']}/{cell['output']}"
    return cell["variant"]


def published_gap(cells: Cells, without: Key, loss: str, seed: int) -> float | None:
    """Return the loss with BN minus that without, both as published, of one seed."""
    cell = dict(zip(RUN, without, strict=True))
    with_bn = tuple({**cell, "variant": WITH_BN[cell["variant"]]}[name] for name in RUN)
    if with_bn not in cells or seed not in cells[with_bn].index:
        return None
    return cells[with_bn][loss][seed] - cells[without][loss][seed]


def pool_data_seeds(rows: list[Row], statistics: Statistics) -> list[Row]:
    """Return rows of kind bn_over_data: the mean differences of all data seeds, taken as one.

    The cells agree in every setting but the seed of the data.
    """
    same = [name for name in (*RUN, "first", "rows") if name != "data_seed"]
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        if row["question"] == "data_seeds" and row["kind"] == "bn":
            groups.setdefault(tuple(row[name] for name in same), []).append(row)
    pooled = []
    for group in groups.values():
        means = [
            pandas.Series([row[name] for row in group], [row["data_seed"] for row in group])
            for name in ("mean_first", "mean_second")
        ]
        described = statistics.describe(*means)
        shares = ("share_as_extreme", "share_low", "share_high", "near_published")
        blank = dict.fromkeys(("data_seed", "published_difference", *shares))
        blank["equal_start"] = all(row["equal_start"] for row in group)
        pooled.append({**group[0], "kind": "bn_over_data", **described, **blank})
    return pooled


def yardsticks(cells: Cells) -> pandas.DataFrame:
    """Return one row per data set and yardstick: mean squared errors from closed form.

    rank-8 PCA (and mean) fitted on the training rows, predicting their mean, predicting zero.
    """
    rows = []
    named = [dict(zip(RUN, key, strict=True)) for key in cells]
    data_sets = {
        (cell["data_seed"], cell["training_rows"], cell["held_out_rows"]): cell for cell in named
    }
    for cell in data_sets.values():
        training, held_out = draw_rows(cell)
        mean = training.mean(axis=0)
        axes = numpy.linalg.svd(training - mean)[2][:RANK]
        predictions: dict[str, Callable] = {
            "pca": lambda x, mean=mean, axes=axes: mean + (x - mean) @ axes.T @ axes,
            "mean": lambda x, mean=mean: numpy.broadcast_to(mean, x.shape),
            "zero": numpy.zeros_like,
        }
        kinds = {"training": training, "answer_rows": training[-10:], "held_out": held_out}
        for yardstick, predict in predictions.items():
            for kind, x in kinds.items():
                loss = ((x - predict(x)) ** 2).mean()
                keys = ("data_seed", "training_rows", "held_out_rows")
                described = {key: cell[key] for key in keys}
                rows.append({**described, "yardstick": yardstick, "rows": kind, "loss": loss})
    return make_frame("yardsticks", rows)


def main() -> None:
    """Write the rows as Parquet and CSV, then what follows from them as CSV."""
    parser = argparse.ArgumentParser(description=main.__doc__, fromfile_prefix_chars="@")
    parser.add_argument("--config", type=Path, required=True, help="JSON, as in config.yaml")
    parser.add_argument("--chunks", nargs="+", required=True, help="NPZ files of train_study.py")
    parser.add_argument("--compared", nargs="+", required=True, help="of compare_with_stock.py")
    parser.add_argument("--name", required=True, help="study or sensitivity: name of the table")
    parser.add_argument("--output-folder", type=Path, required=True)
    options = parser.parse_args()
    config = json.loads(options.config.read_text(encoding="utf-8"))
    settings, name, folder = config["study"], options.name, options.output_folder
    table = chunks.read_chunks(options.chunks, settings["parts"], name)
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / f"{name}.parquet", index=False, compression="zstd")
    write_table(table, folder / f"{name}.csv")
    cells = cells_of(table)
    compared = chunks.read_compared(options.compared)
    kernels = chunks.read_kernels(options.chunks)
    statistics = Statistics(settings["bootstrap"], config["seed"], kernels)
    prefix = "" if name == "study" else f"{name}_"
    tables = {
        f"{name}_cells": summarize_cells(cells, compared, config["seed"]),
        f"{prefix}effects": measure_effects(cells, statistics),
        f"{prefix}yardsticks": yardsticks(cells),
    }
    if name == "study":
        tables["percentiles"] = percentiles(cells, kernels)
    for stem, made in tables.items():
        write_table(made, folder / f"{stem}.csv")
