"""The ladder: what is taken away, what each cause contributes, which metric is compared."""

import sys

import pytest
from repository import ROOT

sys.path.insert(0, str(ROOT / "workflow/diagnose"))

import ladder


def a_run(initial="a", hashes=("1", "2"), layers=(), numbers=(), printed="", **more):
    layer_list = [
        {"class": name, "config": config, "written": written, "shapes": []}
        for name, config, written in layers
    ]
    entry = {"initial": [initial], "hashes": list(hashes), "losses": [1.0, 0.5]}
    model = {**entry, "layers": layer_list}
    return {"models": [model], "calls": [], "numbers": list(numbers), "printed": printed, **more}


def test_equal_trajectories_have_no_cause():
    assert ladder.possible_causes(a_run(), a_run(initial="b")) == []


def test_default_is_named_only_where_the_script_does_not_write_it():
    changed = [["LSTM", "recurrent_activation", "hard_sigmoid"]]
    old = [("LSTM", {"recurrent_activation": "hard_sigmoid", "units": 8}, [])]
    new = [("LSTM", {"recurrent_activation": "sigmoid", "units": 8}, [])]
    written = [("LSTM", {"recurrent_activation": "sigmoid", "units": 8}, ["recurrent_activation"])]
    first, second = a_run(layers=old), a_run(layers=new, hashes=("1", "3"))
    assert ladder.possible_causes(first, second) == changed
    assert ladder.possible_causes(first, a_run(layers=written, hashes=("1", "3"))) == []


def test_contributions_of_both_orders_sum_up_to_the_difference():
    gaps = {(): 10.0, (0,): 4.0, (0, 1): 1.0, (1,): 3.0}
    orders = ladder.take_apart(gaps, 2)
    assert orders == [(6.0, 2.0), (3.0, 7.0)]
    assert sum((one + other) / 2 for one, other in orders) == gaps[()] - gaps[0, 1]
    for count in range(5):
        needed = {tuple(subset) for subset in ladder.subsets(list(range(count)))} | {()}
        ladder.take_apart(dict.fromkeys(needed, 0.0), count)


def test_metric_is_the_last_evaluated_loss_or_what_both_print():
    evaluated = a_run(
        numbers=[{"name": "loss", "values": [0.25], "method": "evaluate"}], printed="7"
    )
    assert ladder.choose_metric(evaluated, evaluated) == "evaluated"
    assert ladder.value(evaluated, "evaluated") == 0.25
    assert ladder.choose_metric(evaluated, a_run(printed="loss: 1e-3\n")) == "printed"
    assert ladder.value(a_run(printed="loss: 1e-3\n"), "printed") == 1e-3
    assert ladder.choose_metric(a_run(), a_run(printed="1")) == "training loss"
    with pytest.raises(KeyError, match="no metric 'mae' is reported, but loss"):
        ladder.value(evaluated, "mae")


def test_first_difference_names_step_and_place():
    other = a_run(hashes=("1", "3"))
    assert ladder.first_difference(a_run(), a_run()) is None
    assert "step 2, in the gradient" in ladder.first_difference(a_run(), other)
    other["models"][0]["losses"] = [1.0, 0.25]
    assert ladder.first_difference(a_run(), other) == "step 2, in the loss: relative difference 0.5"
