"""Read YAML and the schemas of the workflow; find entries of a document."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

WORKFLOW = Path(__file__).resolve().parents[1]


def read_yaml(path: str | Path) -> Any:
    """Return the document in a YAML file; in C where possible, since every job reads some.

    Raises ValueError, naming the file, for what is no YAML in UTF-8.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), loader)
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        said = " ".join(str(error).split()).replace('"<unicode string>", ', "")
        raise ValueError(f"{path}: found no YAML in UTF-8, expected that ({said})") from None


def read_mapping(path: str | Path) -> dict:
    """Return the mapping in a YAML file. Raises ValueError, naming the file, for others."""
    document = read_yaml(path)
    if not isinstance(document, dict):
        found = "nothing" if document is None else f"a {type(document).__name__}"
        raise ValueError(f"{path}: top level: found {found}, expected keys with their values")
    return document


@cache
def read_schema(name: str) -> Any:
    """Return the document in a file of schemas/. The file is read once; nobody may change it."""
    return read_yaml(WORKFLOW / "schemas" / name)


class Entry(NamedTuple):
    """An entry of a document: its key as a path, without places in lists, and where it stands."""

    key: str
    value: Any
    holder: Any = None  # the mapping or list that has it, None for the document itself
    place: Any = None  # there


def find_entries(document: Any, path: str) -> Iterator[Entry]:
    """Yield each entry of a document at a path, such as "environments/*/file".

    The sign * is any key; lists on the way and at its end are gone through.
    """
    entries = [Entry("", document)]
    for step in path.split("/"):
        entries = [
            Entry(
                f"{entry.key}/{name}" if entry.key else name, entry.value[name], entry.value, name
            )
            for entry in in_lists(entries)
            if isinstance(entry.value, dict)
            for name in (entry.value if step == "*" else {step} & entry.value.keys())
        ]
    yield from in_lists(entries)


def in_lists(entries: list[Entry]) -> Iterator[Entry]:
    """Yield entries, those of a list instead of the list."""
    for entry in entries:
        if isinstance(entry.value, list):
            items = enumerate(entry.value)
            yield from in_lists([Entry(entry.key, item, entry.value, n) for n, item in items])
        else:
            yield entry
