"""From the chunks of the seed study to one table: a row per cell, noted epoch and seed."""

import itertools
import json
from collections import Counter, defaultdict
from operator import itemgetter
from pathlib import Path

import numpy
import pandas
from judge.tables import COLUMNS
from train.files import open_arrays

from page.study import CELL, FEATURES, noted_epochs

LOSSES = ("training_loss", "answer_rows_loss", "held_out_loss")  # as evaluated_rows has them
# What a row of the table is about, but for its seed.
PLACE = ("part", "question", "environment", *CELL, "epoch")


def read_chunks(paths: list[str], parts: dict, name: str) -> pandas.DataFrame:
    """Return the table `name` (study or sensitivity) of these chunks, in their order.

    Each row has the question that its part answers, besides the part's name, which is free.

    Within a cell and epoch by seed, however the seeds were shared out among the chunks of a part
    and environment, which follow each other. `parts` is that section of the configuration. Every
    column but the losses and the seed is categorical where it is text, so it stays small.
    """
    frames: list[pandas.DataFrame] = []
    read = (read_chunk(path, parts) for path in paths)
    for (part, environment), chunks in itertools.groupby(read, itemgetter(0)):
        cells = list(zip(*(rows for _, rows in chunks), strict=True))
        seeds = [seed for rows in cells[0] for seed in rows["seed"]]
        if seeds != list(range(parts[part]["seeds"])):
            found = f"{len(seeds)} seeds from {min(seeds)} to {max(seeds)}"
            expected = f"each of {parts[part]['seeds']} once and in order"
            raise ValueError(
                f"chunks of {part} in {environment}: found {found}, expected {expected}"
            )
        frames += itertools.chain.from_iterable(cells)
    table = pandas.concat(frames, ignore_index=True)[list(COLUMNS[name])]
    return table.astype(dict.fromkeys(table.select_dtypes(object), "category"))


def read_chunk(path: str, parts: dict) -> tuple[tuple[str, str], list[pandas.DataFrame]]:
    """Return ((part, environment), rows) of a chunk: a table for each cell and noted epoch."""
    frames = []
    with open_arrays(path) as chunk:
        part, environment = str(chunk["part"]), str(chunk["environment"])
        seeds = chunk["seeds"]
        for position, cell in enumerate(json.loads(str(chunk["cells"]))):
            evaluations = chunk[f"{position}/evaluations"]
            steps = cell["steps"] // cell["epochs"]
            for place, epoch in enumerate(noted_epochs(parts[part], cell)):
                values = dict(zip(LOSSES, evaluations[:, place].T, strict=True))
                described = {**cell, "steps": steps * epoch}
                place_of = {"part": part, "question": parts[part]["question"]}
                frame = {**place_of, "environment": environment, **described, "epoch": epoch}
                frames.append(pandas.DataFrame({**frame, "seed": seeds, **values}))
    return (part, environment), frames


def read_kernels(paths: list[str]) -> dict[tuple, dict[int, bytes]]:
    """Return {(part, environment, *cell): SHA-256 of the initial kernels, by seed} of chunks.

    The hashes tell which cells really started from equal weights.
    """
    kernels: dict[tuple, dict[int, bytes]] = {}
    for path in paths:
        with open_arrays(path) as chunk:
            place = (str(chunk["part"]), str(chunk["environment"]))
            for position, cell in enumerate(json.loads(str(chunk["cells"]))):
                key = (*place, *(cell[name] for name in CELL if name != "steps"))
                hashes = chunk[f"{position}/initial_kernels_sha256"].tolist()
                kernels.setdefault(key, {}).update(
                    zip(chunk["seeds"].tolist(), hashes, strict=True)
                )
    return kernels


def read_compared(paths: list[str]) -> dict[tuple, tuple[int, float]]:
    """Return {(part, environment, *cell): (runs, largest difference)} of the stock Keras runs."""
    runs: Counter = Counter()
    largest: dict[tuple, float] = defaultdict(float)
    for path in paths:
        for entry in map(json.loads, Path(path).read_text(encoding="utf-8").splitlines()):
            key = tuple(entry[name] for name in ("part", "environment", *CELL))
            runs[key] += 1
            largest[key] = max(largest[key], entry["largest_difference"])
    return {key: (runs[key], largest[key]) for key in runs}


def draw_rows(seed: int, training: int, held_out: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return the training and the held-out rows of a data seed, before any rounding."""
    data = numpy.random.RandomState(seed).normal(0, 1, (training + held_out, FEATURES))
    return data[:training], data[training:]
