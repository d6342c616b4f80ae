"""The distance between the tables of two runs, and the distance that is allowed.

The kind of a column (workflow/schemas/tables.yaml) says whether the column may differ. Measurements
of the workflow say how far:

- On one kind of processor (`cpu_model` and `cpu_instructions` of the table, or else of runs.csv) a
  run of tf.keras gives the same bits every time: nothing may differ.
- On another kind the matrix kernel is another one. A loss may differ by MARGIN times the largest
  difference that the kernel makes in processor.csv, a weight by MARGIN times the largest of one.
- Standalone keras is not reproducible in every environment: a number may differ by MARGIN times the
  largest range of its repeats there. Where all repeats are equal, nothing may differ. In
  spread.csv the largest range with as many threads counts: few repeats of one environment may miss
  how far a race goes.
- A share of seeds may differ by the seeds whose loss lies near the threshold, which the
  reference counts in a column of its own.
"""

import argparse
import io
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy
import pandas
from plan.cells import parse_cells

from judge.claims import NOT_TESTED
from judge.tables import DESCRIBED, NEAR, number_in, read_table

# Two processors, without and with AVX-512, differed by 2.4 times what the kernels of one did.
MARGIN = 10
NEVER = ("setting", "count", "verdict", "drawn")
LAST_BITS = ("bit", "hash", "words")
# By how many times the share of seeds near the threshold may a number move, and by how many seeds
# more? An end of Wilson's interval moves at most twice as far as its share, which kind `chance`
# rounds to one of as many pairs as half of the seeds.
SHARES = {"share": (1, 0), "share_end": (2, 4), "percentile": (100, 0)}
Tables = dict[str, pandas.DataFrame]


class Difference(NamedTuple):
    """One column of one table in which two runs differ."""

    table: str
    column: str
    rows: int
    largest: float = numpy.nan  # largest absolute difference; NaN for what is no number
    allowed: float = numpy.nan  # NaN for what is no number
    within: bool = False


def compare(reference: Tables, fresh: Tables) -> list[Difference]:
    """Return a Difference for each column that differs between two sets of tables.

    Both sets are {name: data frame}; a table that one set lacks is not compared.
    """
    both = [name for name in reference if name in fresh]
    return [one for name in both for one in compare_table(name, reference, fresh)]


def processors_of(run: Tables, name: str) -> frozenset:
    """Return the kinds of processor of a table, from the table itself or else from runs.csv."""
    table = run[name] if "cpu_instructions" in run[name] else run["runs"]
    table = table.reindex(columns=["cpu_model", "cpu_instructions"])
    return frozenset(table.fillna("unknown").itertuples(index=False, name=None))


def kernel_limits(reference: Tables) -> dict[str, float]:
    """Return how far another matrix kernel may move a loss and a weight.

    The reference has measured the limits: a run cannot widen its own limits.
    """
    measured = reference.get("processor", pandas.DataFrame())
    return {
        kind: MARGIN * float(measured[column].abs().max()) if column in measured else 0.0
        for kind, column in (("loss", "difference"), ("weight", "largest_difference"))
    }


def repeat_limits(name: str, column: str, reference: Tables) -> dict[tuple[str, str], float]:
    """Return {(environment, threads): how far repeats may move a column of a table}.

    The repeats stand in the reference's table itself, or else in the reference's spread.csv.
    """
    table = reference[name]
    if {"api", "repeat"} <= set(table) and DESCRIBED[name][column]["kind"] in ("loss", "weight"):
        found = ranges_of_repeats(name, table[table["api"] == "keras"], column)
    else:
        found = ranges_in_spread(reference.get("spread"))
    return {key: MARGIN * value for key, value in found.items()}


def ranges_of_repeats(name: str, table: pandas.DataFrame, column: str) -> dict:
    """Return {(environment, "1"): largest range of a column over the repeats of a cell}."""
    kinds = {other: entry["kind"] for other, entry in DESCRIBED[name].items()}
    cell = [
        other
        for other in table
        if kinds.get(other) == "setting" and other not in ("repeat", column)
    ]
    grouped = table.groupby(cell, dropna=False, observed=True)[column]
    ranges = (grouped.max() - grouped.min()).groupby("environment").max()
    return {(environment, "1"): value for environment, value in ranges.fillna(0.0).items()}


def ranges_in_spread(spread: pandas.DataFrame | None) -> dict:
    """Return {(environment, threads): how far repeats range in spread.csv}, where they differ.

    It is one race in every environment: 120 repeats with default threads ranged over 0.0017 in
    keras 2.2.4 and over 0.0009 in 2.3.1, the five of spread.csv over 0.0005 and 0.00008.
    """
    if spread is None:
        return {}
    threads = spread["threads"].astype(str)
    ranges = (spread["maximum"] - spread["minimum"]).groupby([spread["environment"], threads]).max()
    return ranges[ranges > 0].groupby(level="threads").transform("max").to_dict()


def compare_table(name: str, reference: Tables, fresh: Tables) -> list[Difference]:
    """Return a Difference for each column of one table; rows are compared in their order."""
    old, new = reference[name], fresh[name]
    found = [Difference(name, column, len(new)) for column in sorted(set(old) ^ set(new))]
    if len(old) != len(new):
        return [*found, Difference(name, "number of rows", abs(len(old) - len(new)))]
    same = processors_of(reference, name) == processors_of(fresh, name)
    kernel = {"loss": 0.0, "weight": 0.0} if same else kernel_limits(reference)
    columns = old.columns.intersection(new.columns, sort=False)
    both = old[columns], new[columns]
    differing = (both[0] != both[1]) & ~(both[0].isna() & both[1].isna())
    for column in columns[differing.any()]:
        kind = DESCRIBED[name][column]["kind"]
        if kind != "machine":
            repeats = repeat_limits(name, column, reference)
            pairs = old[differing[column]], new[differing[column]]
            limits = [limit_of(row, kind, kernel, repeats) for _, row in pairs[0].iterrows()]
            found.append(judge(name, column, kind, *pairs, numpy.array(limits)))
    return found


def limit_of(row: pandas.Series, kind: str, kernel: dict, repeats: dict) -> float:
    """Return how far the numbers of a row may be off, weights or losses."""
    limit = kernel["weight" if kind == "weight" else "loss"]
    threads = str(row["threads"]) if "threads" in row else "1"
    for environment in keras_environments(row):
        limit += repeats.get((environment, threads), 0.0)
    return limit


def keras_environments(row: pandas.Series) -> set[str]:
    """Return the environments whose standalone keras a row is about."""
    if "cells" in row:
        cells = parse_cells(str(row["cells"]))
        return {cell["environment"] for cell in cells if cell["api"] == "keras"}
    return {row["environment"]} if row.get("api") == "keras" else set()


def judge(
    name: str,
    column: str,
    kind: str,
    old: pandas.DataFrame,
    new: pandas.DataFrame,
    limits: numpy.ndarray,
) -> Difference:
    """Return the Difference of the differing rows of a column."""
    if kind in NEVER:
        return Difference(name, column, len(old))
    if kind in LAST_BITS:
        within = bool((limits > 0).all())
        if kind == "words":
            within = within and list(map(mask, old[column])) == list(map(mask, new[column]))
        return Difference(name, column, len(old), within=within)
    if kind in SHARES:
        limits = share_limits(old, DESCRIBED[name][column]["near"], SHARES[kind], limits)
    distance = (old[column].astype(float) - new[column].astype(float)).abs().fillna(numpy.inf)
    within = bool((distance.to_numpy() <= limits).all())
    return Difference(name, column, len(old), distance.max(), limits.max(), within)


def mask(text: object) -> list[str]:
    """Return the words of a sentence that are no numbers."""
    return [word for word in str(text).split() if not number_in(word)]


def share_limits(
    rows: pandas.DataFrame, near: str, scale: tuple[int, int], limits: numpy.ndarray
) -> numpy.ndarray:
    """Return by how much a share of seeds may differ where each of their losses may by `limits`.

    At most as many seeds change sides as lie near the threshold: their share is in the column
    `near`, in the distance NEAR, which two losses that may differ by half of it can cross. `scale`
    is what that is to be multiplied by, and how many seeds may come on top by rounding.
    """
    factor, more = scale
    found = rows[near].to_numpy(dtype=float) * numpy.maximum(1, 2 * limits / NEAR)
    moved = factor * found + more / rows["seeds"].to_numpy(dtype=float)
    return numpy.where((limits > 0) & (found > 0), moved, 0.0)


def describe(differences: list[Difference]) -> list[str]:
    """Return the differences as lines of text, a heading first."""
    lines = [f"{'table':<16} {'column':<26} {'rows':>6} {'largest':>9} {'allowed':>9}"]
    for one in differences:
        numbers = [
            "-" if numpy.isnan(value) else f"{value:.2g}" for value in (one.largest, one.allowed)
        ]
        verdict = "within the spread" if one.within else "BEYOND the spread"
        lines.append(
            f"{one.table:<16} {one.column:<26} {one.rows:>6} {numbers[0]:>9} {numbers[1]:>9}"
            f"  {verdict}"
        )
    return lines


def main() -> None:
    """Print what differs; exit with the status that says how far."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=Path, default=Path("results/tables"))
    parser.add_argument("--reference", default="HEAD", help="the commit to compare with")
    options = parser.parse_args()
    paths = committed_tables(options.reference, options.tables)
    changed = [
        path for path in paths if path.exists() and path.read_bytes() != committed(options, path)
    ]
    absent = [str(path) for path in paths if not path.exists()]
    if absent:
        print(f"Committed tables are missing: {', '.join(absent)}. Run `make reproduce`.")
        sys.exit(2)
    if not changed:
        print(f"All {len(paths)} tables are those of {options.reference}, byte for byte.")
        return
    reference = {path.stem: read_table(io.BytesIO(committed(options, path))) for path in paths}
    fresh = {path.stem: read_table(path) for path in options.tables.glob("*.csv")}
    untested = drop_untested(reference, fresh)
    differences = compare(reference, fresh)
    print("\n".join(describe(differences)))
    if untested:
        print(f"`make study` tests these claims; they are not compared: {', '.join(untested)}.")
    beyond = [one for one in differences if not one.within]
    print(
        f"{len(changed)} of {len(paths)} tables differ from {options.reference}: "
        + (f"{len(beyond)} columns beyond the spread." if beyond else "within the spread.")
    )
    sys.exit(2 if beyond else 1)


def drop_untested(reference: Tables, fresh: Tables) -> list[str]:
    """Take the claims that a run has not tested out of both tables; return their identifiers.

    Without the study, a run has no verdict on some claims.
    """
    if "claims" not in reference or "claims" not in fresh:
        return []
    claims = fresh["claims"]
    untested = claims.loc[claims["verdict"] == NOT_TESTED, "claim"]
    for tables in (reference, fresh):
        tables["claims"] = tables["claims"][~tables["claims"]["claim"].isin(untested)]
    return list(untested)


def committed_tables(reference: str, folder: Path) -> list[Path]:
    """Return the paths of the tables that a commit has in a folder."""
    listed = git("ls-tree", "--name-only", reference, f"{folder}/").decode().split()
    if not listed:
        raise ValueError(f"{reference} has no {folder}; expected committed tables")
    return [Path(name) for name in listed if name.endswith(".csv")]


def committed(options: argparse.Namespace, path: Path) -> bytes:
    """Return the bytes of a committed table."""
    return git("show", f"{options.reference}:{path.as_posix()}")


def git(*arguments: str) -> bytes:
    """Return the output of a git command. Raises ValueError with the message of git."""
    done = subprocess.run(["git", *arguments], capture_output=True)
    if done.returncode:
        raise ValueError(f"git {arguments[0]}: {done.stderr.decode().strip()}")
    return done.stdout
