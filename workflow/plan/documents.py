"""Reading YAML, and the documents that the workflow brings with it."""

from functools import cache
from pathlib import Path
from typing import Any

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
    """Return what is in a YAML file with keys at its top. Raises ValueError, naming the file."""
    document = read_yaml(path)
    if not isinstance(document, dict):
        found = "nothing" if document is None else f"a {type(document).__name__}"
        raise ValueError(f"{path}: top level: found {found}, expected keys with their values")
    return document


@cache
def read_schema(name: str) -> Any:
    """Return the document in a file of schemas/; it is read once, and not to be changed."""
    return read_yaml(WORKFLOW / "schemas" / name)
