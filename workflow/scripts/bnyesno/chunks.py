"""From the chunks of the seed study to one table: a row per cell, noted epoch and seed."""

import itertools
import json
from collections import Counter
from pathlib import Path

import numpy
import pandas

from bnyesno.runs import COMPARED, chunk_paths, study_trainings
from bnyesno.tables import COLUMNS
from bnyesno.training.study import CELL, noted_epochs

LOSSES = ("training_loss", "answer_rows_loss", "held_out_loss")  # as evaluated_rows has them
RUN = ["part", "environment", *CELL, "epoch"]  # what a row of the table is about, but for its seed


def read_parts(config, parts, name):
    """Return the table `name` (study or sensitivity) of these parts, in the configuration's order.

    Within a cell and epoch by seed, however the seeds were shared out among chunks. Every column
    but the losses and the seed is categorical where it is text, so it stays small.
    """
    frames = []
    for part, environment in study_trainings(config, parts):
        settings = config["study"]["parts"][part]
        paths = chunk_paths(config, part, environment)
        chunks = [read_chunk(path, settings, part, environment) for path in paths]
        frames += itertools.chain.from_iterable(zip(*chunks, strict=True))
    table = pandas.concat(frames, ignore_index=True)[list(COLUMNS[name])]
    return table.astype(dict.fromkeys(table.select_dtypes(object), "category"))


def read_chunk(path, settings, part, environment):
    """Return the rows of one chunk, a table for each cell and noted epoch, in their order."""
    frames = []
    with numpy.load(path) as chunk:
        seeds = chunk["seeds"]
        for position, cell in enumerate(json.loads(str(chunk["cells"]))):
            evaluations = chunk[f"{position}/evaluations"]
            steps = cell["steps"] // cell["epochs"]
            for place, epoch in enumerate(noted_epochs(settings, cell)):
                values = dict(zip(LOSSES, evaluations[:, place].T, strict=True))
                described = {**cell, "steps": steps * epoch}
                frame = {"part": part, "environment": environment, **described, "epoch": epoch}
                frames.append(pandas.DataFrame({**frame, "seed": seeds, **values}))
    return frames


def read_compared(config, parts):
    """Return {(part, environment, *cell): (runs, largest difference)} of the stock Keras runs."""
    runs, largest = Counter(), Counter()
    for part, environment in study_trainings(config, parts):
        path = COMPARED.format(results=config["results"], part=part, environment=environment)
        for entry in json.loads(Path(path).read_text(encoding="utf-8")):
            key = (part, environment, *(entry[name] for name in CELL))
            runs[key] += 1
            largest[key] = max(largest[key], entry["largest_difference"])
    return {key: (runs[key], largest[key]) for key in runs}


def draw_rows(cell):
    """Return the training and the held-out rows that a cell was given, before any rounding."""
    rng = numpy.random.RandomState(cell["data_seed"])
    data = rng.normal(0, 1, (cell["training_rows"] + cell["held_out_rows"], 12))
    return data[: cell["training_rows"]], data[cell["training_rows"] :]
