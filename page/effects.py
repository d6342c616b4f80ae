"""Statistics of the seed study: distributions, paired contrasts with intervals, yardsticks.

A contrast pairs two cells seed by seed and looks at second minus first; its interval is scipy's
bootstrap of the mean, with a seed from config.yaml.
"""

import argparse
import json
from collections import namedtuple
from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy
import pandas
from judge.tables import NEAR, SAME_STEPS, Row, make_frame, write_table
from scipy import stats

from page import chunks
from page.chunks import LOSSES, PLACE, draw_rows
from page.study import UNITS

WITH_BN = {"plain": "bn", "activations": "bn_activations", "activation": "activation_bn"}
ROWS = {loss: loss.removesuffix("_loss") for loss in LOSSES}

make_cell = namedtuple("make_cell", PLACE)  # type: ignore[misc]
Cell = Any  # what `make_cell` makes: a cell of the study, after one of its epochs
Cells = dict[Cell, pandas.DataFrame]  # losses indexed by seed, a column for each of ROWS
Kernels = dict[tuple, dict[int, bytes]]


def all_but(*names: str) -> Callable[[Cell], tuple]:
    """Return a function that gives the parts of a cell, without these."""
    return attrgetter(*(name for name in PLACE if name not in names))


kernel_key = all_but("question", "steps", "epoch")  # as in `read_kernels`
compared_key = all_but("question", "epoch")  # as in `read_compared`
but_for_bn = all_but("variant", "start", "bn_momentum")
but_for_batches = all_but("batch_size", "steps", "epochs", "epoch")  # and what follows from it
data_of = attrgetter("data_seed", "training_rows", "held_out_rows")


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
    """Return {cell: losses indexed by seed} in table order, duplicates once."""
    grouped = table.rename(columns=ROWS).groupby(list(PLACE), sort=False, observed=True)
    return {
        make_cell(*key): rows.drop_duplicates("seed").set_index("seed") for key, rows in grouped
    }


def summarize_cells(cells: Cells, compared: dict, published_seed: int) -> pandas.DataFrame:
    """Return one row per cell, noted epoch and kind of rows: its distribution over the seeds."""
    rows = []
    for cell, losses in cells.items():
        runs, largest = compared.get(compared_key(cell), (0, None))
        if cell.epoch != cell.epochs:  # stock Keras was compared after the last one
            runs = 0
        for kind in ROWS.values():
            values = losses[kind]
            published = values.get(published_seed)
            percentile = near = None
            if published is not None:
                percentile = stats.percentileofscore(values, published, kind="mean")
                near = share_near(values - published, NEAR)
            rows.append(
                {
                    **cell._asdict(),
                    "rows": kind,
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


def percentiles(cells: Cells, kernels: Kernels) -> pandas.DataFrame:
    """Return one row per whole percentile of each cell's losses and each contrast's differences."""
    rows: list[Row] = []
    for of_rows in ROWS.values():
        for cell, losses in cells.items():
            described = {**cell._asdict(), "kind": "loss", "rows": of_rows}
            rows += percentile_rows(described, losses[of_rows])
        for kind, start, first, second in contrasts(cells, kernels):
            if kind == "chance":
                continue
            described = {**second._asdict(), "kind": kind, "start": start, "rows": of_rows}
            described["first"] = name_side(first, second, kind, 0)
            rows += percentile_rows(described, cells[second][of_rows] - cells[first][of_rows])
    return make_frame("percentiles", rows)


def percentile_rows(described: Row, values: pandas.Series) -> Iterator[Row]:
    """Yield a row for each whole percentile of some values."""
    for percentile, value in enumerate(numpy.percentile(values, range(101))):
        yield {**described, "percentile": percentile, "value": value}


def contrasts(cells: Cells, kernels: Kernels) -> Iterator[tuple[str, str, Cell, Cell]]:
    """Yield (kind, start, the first cell, the second) of every contrast.

    bn: without and with BN, from their own draws (start own) or from equal initial weights, as
    the hashes of `kernels` say (start equal);
    extra_activation: V1 and V2; chance: a cell without BN and itself, with the next seed;
    batch_size_32_*: batches of 32 rows and another size; linear_linear: that and another pair.
    """
    places: dict[tuple, Cell] = {}
    for cell in cells:
        places.setdefault((*but_for_bn(cell), cell.variant, cell.start), cell)
    for cell in cells:
        for start, first in bn_counterparts(places, cell):
            if start == "own" or equal_kernels(kernels, first, cell):
                yield "bn", start, first, cell
        plain = places.get((*but_for_bn(cell), "plain", cell.start))
        if cell.variant == "activation" and plain:
            yield "extra_activation", cell.start, plain, cell
        if cell.variant in WITH_BN:
            yield "chance", cell.start, cell, cell
        if cell.question == "batch_size" and cell.batch_size != 32:
            yield from batch_counterparts(cells, cell)
        linear = cell._replace(hidden="linear", output="linear")
        if cell.question == "activations" and linear != cell and linear in cells:
            yield "linear_linear", cell.start, linear, cell


def bn_counterparts(places: dict[tuple, Cell], cell: Cell) -> Iterator[tuple[str, Cell]]:
    """Yield (start, the cell without BN) for what a cell with BN is compared with.

    Linear activations compute nothing: from the kernels of `plain`, `plain` stands for them all.
    """
    for without, with_bn in WITH_BN.items():
        if cell.variant == with_bn and cell.start == "own":
            own = places.get((*but_for_bn(cell), without, "own"))
            if own:
                yield "own", own
        elif cell.variant == with_bn:
            plain = places.get((*but_for_bn(cell), "plain", cell.start))
            plain = plain or places.get((*but_for_bn(cell), "plain", "own"))
            if plain:
                yield "equal", plain


def equal_kernels(kernels: Kernels, first: Cell, second: Cell) -> bool:
    """Tell whether two cells started from the same kernels, seed by seed, by their hashes."""
    return kernels[kernel_key(first)] == kernels[kernel_key(second)]


def batch_counterparts(cells: Cells, cell: Cell) -> Iterator[tuple[str, str, Cell, Cell]]:
    """Yield the contrasts with batches of 32 rows: after as many epochs, and as many steps.

    The two agree in every setting but the batch size and what follows from it.
    """
    for first in cells:
        if first.batch_size == 32 and but_for_batches(first) == but_for_batches(cell):
            if first.epoch == cell.epoch:
                yield "batch_size_32_epochs", cell.start, first, cell
            if abs(first.steps - cell.steps) <= SAME_STEPS * first.steps:
                yield "batch_size_32_steps", cell.start, first, cell


def measure_effects(cells: Cells, statistics: Statistics) -> pandas.DataFrame:
    """Return one row per contrast and kind of rows, with interval; see `contrasts`."""
    rows = []
    for kind, start, first, second in contrasts(cells, statistics.kernels):
        for of_rows in ROWS.values():
            a, b = cells[first][of_rows], cells[second][of_rows]
            equal_start = None
            if kind == "chance":
                published = published_gap(cells, second, of_rows, statistics.published_seed)
                found = statistics.describe_chance(a, published)
            else:
                equal_start = equal_kernels(statistics.kernels, first, second)
                found = statistics.describe(a, b)
            rows.append(
                {
                    **second._asdict(),
                    "start": start,
                    "kind": kind,
                    "first": name_side(first, second, kind, 0),
                    "second": name_side(first, second, kind, 1),
                    "rows": of_rows,
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
    for cell, losses in cells.items():
        if cell.variant == "plain" and cell.question in ("page", "learning_rate"):
            for of_rows in ROWS.values():
                line = lines[cell.data_seed, cell.training_rows, "pca", of_rows]
                found = statistics.describe(pandas.Series(line, losses.index), losses[of_rows])
                named = {"kind": "pca", "first": "rank-8 PCA", "second": "plain", "rows": of_rows}
                rows.append({**cell._asdict(), **named, **found})
    return rows


def name_side(first: Cell, second: Cell, kind: str, side: int) -> str:
    """Return what a side of a contrast is, in a word: its variant, batch size, pair or seed."""
    cell = (first, second)[side]
    if kind == "chance":
        return ("a seed", "the next seed")[side]
    if kind.startswith("batch_size"):
        return f"{cell.variant}, batches of {cell.batch_size}"
    if kind == "linear_linear":
        return f"{cell.variant}, {cell.hidden}/{cell.output}"
    return cell.variant


def published_gap(cells: Cells, without: Cell, of_rows: str, seed: int) -> float | None:
    """Return the loss with BN minus that without, both as published, of one seed."""
    with_bn = without._replace(variant=WITH_BN[without.variant])
    if with_bn not in cells or seed not in cells[with_bn].index:
        return None
    return cells[with_bn][of_rows][seed] - cells[without][of_rows][seed]


def pool_data_seeds(rows: list[Row], statistics: Statistics) -> list[Row]:
    """Return rows of kind bn_over_data: the mean differences of all data seeds, taken as one.

    The cells agree in every setting but the seed of the data.
    """
    same = [name for name in (*PLACE, "first", "rows") if name != "data_seed"]
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
    for data_set in dict.fromkeys(map(data_of, cells)):
        training, held_out = draw_rows(*data_set)
        mean = training.mean(axis=0)
        axes = numpy.linalg.svd(training - mean)[2][:UNITS]
        predictions: dict[str, Callable] = {
            "pca": lambda x, mean=mean, axes=axes: mean + (x - mean) @ axes.T @ axes,
            "mean": lambda x, mean=mean: numpy.broadcast_to(mean, x.shape),
            "zero": numpy.zeros_like,
        }
        kinds = {"training": training, "answer_rows": training[-10:], "held_out": held_out}
        for yardstick, predict in predictions.items():
            for kind, x in kinds.items():
                loss = ((x - predict(x)) ** 2).mean()
                rows.append((*data_set, yardstick, kind, loss))
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
