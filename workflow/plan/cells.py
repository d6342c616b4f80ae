"""A cell: what is trained, and on which rows the loss is looked at; as one line and in parts."""

from typing import NotRequired, TypedDict


class Cell(TypedDict):
    """The parts of a cell."""

    environment: str
    api: str
    variant: str
    protocol: str
    seed: NotRequired[int]  # a cell without a seed has the configuration's first
    rows: NotRequired[str]


PARTS = tuple(Cell.__annotations__)  # in the order of the line
TRAINED = PARTS[:4]  # these parts are the same for all seeds and rows


def parse_cell(line: str) -> Cell:
    """Return the cell of a line, ENVIRONMENT/API/VARIANT/PROTOCOL[/SEED][/FIRST:LAST].

    The inverse of `name_cell`. Names hold no "/", a seed no ":".
    """
    environment, api, variant, protocol, *others = line.split("/")
    cell = Cell(environment=environment, api=api, variant=variant, protocol=protocol)
    for part in others:
        if ":" in part:
            cell["rows"] = part
        else:
            cell["seed"] = int(part)
    return cell


def parse_cells(text: str) -> list[Cell]:
    """Return the cells in a text such as the column `cells` of claims.csv, LINE; LINE; ...

    None where a claim is about something else, which has fewer parts.
    """
    return [parse_cell(line) for line in text.split("; ") if line.count("/") + 1 >= len(TRAINED)]


def name_cell(cell: Cell) -> str:
    """Return a cell as one line."""
    return "/".join(str(cell[part]) for part in PARTS if part in cell)  # type: ignore[literal-required]
