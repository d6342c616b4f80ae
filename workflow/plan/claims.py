"""The tests that decide claims. A test needs keys of a claim, and reads some tables."""

import copy
from pathlib import Path
from typing import Any, NamedTuple

from plan.cells import parse_cell
from plan.documents import read_schema, read_yaml

Claim = dict[str, Any]  # an entry of claims.yaml, its cells in their parts


class Test(NamedTuple):
    """A way to decide a claim, as schemas/claims.yaml describes it."""

    module: str  # the module has a function of the test's name
    needs: list[str]  # keys that the claim has to have
    cells: int  # how many the claim names at least
    reads: list[str]  # tables that the function reads


TESTS = {name: Test(**entry) for name, entry in read_schema("claims.yaml").items()}


def claims_in(document: dict[str, Any]) -> list[Claim]:
    """Return the claims of a checked document, their cells in their parts."""
    return [
        claim | ({"cells": [*map(parse_cell, claim["cells"])]} if "cells" in claim else {})
        for claim in document["claims"]
    ]


def read_claims(path: str | Path) -> list[Claim]:
    """Return the claims in a file that has been checked."""
    return claims_in(read_yaml(path))


def tables_of(claims: list[Claim]) -> set[str]:
    """Return the names of the tables that decide these claims."""
    return {table for claim in claims for table in TESTS[claim["test"]].reads}


def modules_of(claims: list[Claim]) -> list[str]:
    """Return the modules whose functions decide these claims."""
    return sorted({TESTS[claim["test"]].module for claim in claims})


def claims_schema() -> dict:
    """Return the schema of a claims file, with the tests that there are and what each needs."""
    schema = copy.deepcopy(read_schema("claims.schema.yaml"))
    entry = schema["properties"]["claims"]["items"]
    entry["properties"]["test"]["enum"] = list(TESTS)
    entry["allOf"] = [
        {
            "if": {"required": ["test"], "properties": {"test": {"const": name}}},
            "then": {
                "required": [*test.needs, *(["cells"] if test.cells else [])],
                "properties": {"cells": {"minItems": test.cells}},
            },
        }
        for name, test in TESTS.items()
    ]
    return schema
