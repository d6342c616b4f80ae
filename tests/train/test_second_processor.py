"""Another processor: the portable matrix kernel stands for one, in every tf.keras cell.

The bits are those of a bare script with that kernel; what the kernel moves is within what
`make check` allows; and the published numbers hold to their digits.
"""

import numpy
import pytest
from judge.check import compare
from judge.claims import REPRODUCED, WITHIN, judge_number
from judge.tables import make_table, read_table
from repository import ROOT

pytestmark = pytest.mark.slow

ENVIRONMENTS = ["tf1.14-keras2.2.4", "tf2.0-keras2.3.1"]
VARIANTS = ["plain", "activation", "activations", "bn", "bn_activations", "activation_bn"]
BOTH = ["plain", "bn_activations"]  # without BN and with BN
TABLES = ("runs", "epochs", "steps", "layers")
MEASURED = ("processor", "spread")  # what the committed run says of kernels and repeats


@pytest.fixture(scope="module")
def committed():
    """The committed tables that every run has, tf.keras only, and what was measured beside."""
    tables = {name: read_table(ROOT / f"results/tables/{name}.csv") for name in TABLES}
    tables = {
        name: table[table["api"] == "tf.keras"].reset_index(drop=True)
        for name, table in tables.items()
    }
    return tables | {name: read_table(ROOT / f"results/tables/{name}.csv") for name in MEASURED}


@pytest.fixture(scope="module")
def records(train):
    """Trainings with the portable kernel, {environment: what reads the record of a cell}."""
    return {
        environment: train(environment, VARIANTS, threads=1, matrix_kernel="portable")
        for environment in ENVIRONMENTS
    }


@pytest.fixture(scope="module")
def on_another_processor(records, committed):
    """The same tables of trainings with the portable kernel."""
    cells = committed["runs"][["environment", "variant", "protocol"]].drop_duplicates()
    found = [
        records[environment](variant, protocol)
        for environment, variant, protocol in cells.itertuples(index=False)
    ]
    tables = {name: make_table(name, found) for name in TABLES}
    tables["runs"]["cpu_instructions"] = "those of another processor"
    return tables


@pytest.fixture(scope="module")
def bare(start_bare):
    """Bare scripts with that kernel."""
    return start_bare(BOTH, "portable")


@pytest.mark.parametrize("protocol", ["question", "answer"])
@pytest.mark.parametrize("variant", BOTH)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_as_in_a_bare_script(records, bare, environment, variant, protocol):
    record = records[environment](variant, protocol)
    report = bare(environment, variant, protocol)
    arrays = record["final_weights"]["arrays"]
    weights = [numpy.array(array["values"], dtype="<f4").tobytes().hex() for array in arrays]
    assert weights == report["weights"]
    if protocol == "question":
        assert [epoch["loss"] for epoch in record["epochs"]] == report["loss"]
        assert record["evaluations"]["90:100"] == report["val_loss"][-1]
    else:
        assert record["evaluations"]["80:90"] == report["evaluation"]


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


@pytest.mark.parametrize(
    ("environment", "variant", "protocol", "rows", "published"),
    [
        (ENVIRONMENTS[0], "activations", "question", "90:100", "0.7751"),
        (ENVIRONMENTS[0], "bn_activations", "question", "90:100", "1.1230"),
        (ENVIRONMENTS[1], "plain", "answer", "80:90", "0.840"),
        (ENVIRONMENTS[1], "bn", "answer", "80:90", "0.819"),
    ],
)
def test_published_numbers_hold_to_their_digits(
    on_another_processor, environment, variant, protocol, rows, published
):
    runs = on_another_processor["runs"].set_index(["environment", "variant", "protocol", "rows"])
    loss = float(runs.loc[(environment, variant, protocol, rows), "val_loss"])
    assert judge_number(published, loss) == (WITHIN if protocol == "answer" else REPRODUCED)
