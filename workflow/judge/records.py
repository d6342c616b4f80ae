"""Find records of runs in the JSON Lines files of train.job, by cell, change and repeat."""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from plan.cells import TRAINED
from train.files import make_again
from train.run import RECORD_FORMAT

from judge.tables import ROWS, cell_of, write_record_tables


class Records:
    """The records in some files. A record is in memory only while somebody uses the record.

    Iterating gives all records, sorted by cell and repeat.
    """

    def __init__(self, paths: list[str], seed: int | None = None):
        """Note the place of each record; with a graph-level seed, of the records of that seed.

        Raises ValueError, naming the file, for a second record of the same run.
        """
        self.places: dict[tuple, tuple[str, int]] = {}
        for path in paths:
            for start, record in read_lines(path):
                cell = cell_of(record)
                key = (*cell.values(), record["cell"]["change"])
                if key in self.places:
                    raise ValueError(f"{path}: found {key} again, expected one record of it")
                if seed in (None, cell["seed"]):
                    self.places[key] = (path, start)
        self.seed = seed

    def __iter__(self) -> Iterator[dict]:
        """Yield every record, by environment, API, variant, protocol, seed and repeat."""
        for key in sorted(self.places):
            yield self.read(key)

    def read(self, key: tuple) -> dict:
        """Return the record with a key of `places`."""
        path, start = self.places[key]
        with Path(path).open("rb") as stream:
            stream.seek(start)
            return json.loads(stream.readline())

    def find(self, change: str, cell: Mapping[str, Any], repeat: int = 1) -> dict:
        """Return the record of a cell (environment, api, variant, protocol) under a change.

        Raises ValueError, naming the cell, where the files have none.
        """
        key = (*(cell[name] for name in TRAINED), cell.get("seed", self.seed), repeat, change)
        if key not in self.places:
            raise ValueError(f"no record of {', '.join(map(str, key))} in the files given")
        return self.read(key)


def read_lines(path: str) -> Iterator[tuple[int, dict]]:
    """Yield (place in the file, document) for each line of a JSON Lines file.

    Raises ValueError, naming file and line, for a line that is no record of this format.
    """
    with Path(path).open("rb") as stream:
        start = 0
        for number, line in enumerate(stream, start=1):
            try:
                document = json.loads(line)
                found = f"format {document['format']}" if document["cell"] else "no cell"
            except (ValueError, KeyError, TypeError):
                found = "no record"
            if found != f"format {RECORD_FORMAT}":
                expected = f"expected a record of format {RECORD_FORMAT}; {make_again(path)}"
                raise ValueError(f"{path}, line {number}: found {found}, {expected}")
            yield start, document
            start += len(line)
    if not start:
        raise ValueError(f"{path}: found nothing, expected records; {make_again(path)}")


def main() -> None:
    """Read every record and write one CSV per table."""
    parser = argparse.ArgumentParser(description=__doc__, fromfile_prefix_chars="@")
    parser.add_argument("--records", nargs="+", required=True, help="JSON Lines of train.job")
    for name in ROWS:
        parser.add_argument(f"--{name}", type=Path, required=True, help=f"output: {name}.csv")
    options = parser.parse_args()
    write_record_tables(Records(options.records), {name: getattr(options, name) for name in ROWS})
