"""train.job measures stock behaviour: bit for bit what a plain script gives in a fresh process.

`records` holds runs that share a process and use one thread; `bare` holds fresh processes with
the framework's own number of threads. So each comparison is about both.
"""

import itertools

import pytest
from cells import CELLS, ENVIRONMENTS, PRINTED, PRINTED_CELLS, report_of

pytestmark = pytest.mark.slow

# What stock Keras gives where the page prints a loss: one value for each kind of processor seen,
# whose matrix kernels differ (without AVX-512, with it).
STOCK = (
    {0.7751016616821289},
    {1.122987985610962, 1.1229890584945679},
    {0.8407472372055054},
    {0.8184505701065063},
)
OTHERS = [cell for cell in CELLS if cell not in PRINTED_CELLS]
FURTHER = [("bn_activations", "answer"), ("plain", "question"), ("plain", "answer")]


@pytest.fixture(params=ENVIRONMENTS)
def environment(request):
    return request.param


@pytest.fixture(
    scope="module",
    params=[PRINTED_CELLS, pytest.param(OTHERS, marks=pytest.mark.long)],
    ids=["printed", "others"],
)
def bare(request, start_bare):
    """Cells, and in each environment what waits for the report of a bare script on one of them."""
    cells = request.param
    return cells, {environment: start_bare(environment, cells) for environment in ENVIRONMENTS}


@pytest.fixture(
    scope="module",
    params=[PRINTED_CELLS[1:2], pytest.param(FURTHER, marks=pytest.mark.long)],
    ids=["one", "further"],
)
def among_others(request, train):
    """Cells, and their trainings twice, after another seed, with the framework's own threads."""
    options = {"repeats": 2, "seeds": (11, 3), "threads": 0}
    return request.param, {
        environment: train(environment, request.param, **options) for environment in ENVIRONMENTS
    }


@pytest.mark.parametrize(("printed", "losses"), [*zip(PRINTED, STOCK, strict=True)])
def test_published_number(records, printed, losses):
    *cell, rows, number = printed
    measured = records(*cell)["evaluations"][rows]
    assert "answer" in cell or f"{measured:.4f}" == number  # the answer's are within 0.001
    assert measured in losses


def test_training_is_that_of_a_bare_script(records, bare, environment):
    cells, reports = bare
    for cell in cells:
        record, expected = records(environment, *cell), reports[environment](cell)
        assert report_of(record) == expected, cell
        if "question" in cell:
            assert record["evaluations"]["90:100"] == expected["val_loss"][-1]


def test_repeats_threads_and_another_seed_before_change_nothing(records, among_others, environment):
    cells, trained = among_others
    for cell, repeat in itertools.product(cells, (1, 2)):
        record = trained[environment](*cell, repeat)
        assert record["machine"]["threads"] == "default"
        assert results_of(record) == results_of(records(environment, *cell))


def results_of(record):
    """Return what a run measured."""
    measured = (
        *("evaluations", "epochs", "initial_weights", "final_weights", "weight_sums"),
        *("step_losses", "step_weights_sha256", "op_level_seeds", "layer_output_names"),
    )
    return {name: record[name] for name in measured}


def test_standalone_keras_starts_from_the_same_weights(standalone, environment):
    runs = [standalone(environment, variant, "answer", repeat)
            for variant in ("plain", "activation") for repeat in (1, 2)]  # fmt: skip
    assert len({run["initial_weights"]["sha256"] for run in runs}) == 1
    losses = [run["evaluations"]["90:100"] for run in runs]
    assert max(losses) - min(losses) < 0.01  # it is not reproducible, but that close


def test_standalone_keras_says_which_runs_shared_a_process(standalone, environment):
    runs = [standalone(environment, "plain", "answer", repeat) for repeat in (1, 2)]
    assert len({run["machine"]["process"] for run in runs}) == 1
    assert runs[0]["machine"]["keras"] == environment.partition("-keras")[2]


def test_an_extra_activation_draws_other_weights_in_1_14_only(records):
    for environment, equal in zip(ENVIRONMENTS, [False, True], strict=True):
        plain, extra = (
            records(environment, variant, "answer")["initial_weights"]["sha256"]
            for variant in ("plain", "activation")
        )
        assert (plain == extra) is equal
