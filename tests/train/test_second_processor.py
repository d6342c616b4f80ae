"""Another processor: the portable matrix kernel stands for one; with the long tests in all cells.

The bits are those of a bare script with that kernel; what the kernel moves is within what
`make check` allows; and the published numbers hold to their digits.
"""

import pandas
import pytest
from cells import CELLS, ENVIRONMENTS, PRINTED, report_of
from judge.check import compare
from judge.claims import REPRODUCED, WITHIN, judge_number
from judge.tables import make_table, read_table
from repository import ROOT

pytestmark = pytest.mark.slow

TABLES = ("runs", "epochs", "steps", "layers")
CELL = ["environment", "api", "variant", "protocol"]
MEASURED = ("processor", "spread")  # what the committed run says of kernels and repeats


@pytest.fixture(scope="module", params=["printed", pytest.param("all", marks=pytest.mark.long)])
def cells(request):
    """The cells of which the page prints a loss, or all, {environment: [(variant, protocol)]}."""
    printed = {name: [one[1:3] for one in PRINTED if one[0] == name] for name in ENVIRONMENTS}
    return printed if request.param == "printed" else dict.fromkeys(ENVIRONMENTS, CELLS)


@pytest.fixture(scope="module")
def committed(cells):
    """The rows of these cells in the committed tables that every run has, and what was measured."""
    trained = [(name, "tf.keras", *cell) for name in cells for cell in cells[name]]
    tables = {name: read_table(ROOT / f"results/tables/{name}.csv") for name in TABLES + MEASURED}
    for name in TABLES:
        rows = pandas.MultiIndex.from_frame(tables[name][CELL]).isin(trained)
        tables[name] = tables[name][rows].reset_index(drop=True)
    return tables


@pytest.fixture(scope="module")
def records(cells, train):
    """Trainings with the portable kernel, {environment: what reads the record of a cell}."""
    kernel = {"threads": 1, "matrix_kernel": "portable"}
    return {name: train(name, of_environment, **kernel) for name, of_environment in cells.items()}


@pytest.fixture(scope="module")
def on_another_processor(records, committed):
    """The same tables of trainings with the portable kernel."""
    cells = committed["runs"][CELL].drop_duplicates()
    found = [records[name](*cell) for name, _, *cell in cells.itertuples(index=False)]
    tables = {name: make_table(name, found) for name in TABLES}
    tables["runs"]["cpu_instructions"] = "those of another processor"
    return tables


def test_as_in_a_bare_script(cells, records, start_bare):
    bare = {name: start_bare(name, cells[name], "portable") for name in cells}
    for name, report in bare.items():
        for cell in cells[name]:
            assert report_of(records[name](*cell)) == report(cell), (name, cell)


def test_every_column_is_within_what_a_check_allows(committed, on_another_processor):
    differences = compare(committed, on_another_processor)
    assert {one.table for one in differences} >= {"runs", "epochs", "steps"}  # it is another one
    assert [one for one in differences if not one.within] == []
    numbers = [one for one in differences if one.allowed > 0]
    assert max(one.largest / one.allowed for one in numbers) > 0.01  # nor is it allowed too much


def test_on_the_same_processor_that_would_be_beyond(committed, on_another_processor):
    same = dict(on_another_processor)
    same["runs"] = same["runs"].assign(cpu_instructions=committed["runs"]["cpu_instructions"])
    assert [one for one in compare(committed, same) if not one.within] != []


def test_published_numbers_hold_to_their_digits(on_another_processor):
    runs = on_another_processor["runs"].set_index([*CELL, "rows"])["val_loss"]
    for name, *cell, rows, number in PRINTED:
        expected = WITHIN if "answer" in cell else REPRODUCED
        loss = float(runs.loc[(name, "tf.keras", *cell, rows)])
        assert judge_number(number, loss) == expected, cell
