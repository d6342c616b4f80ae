"""The ladder and the verdict, on planted records: which causes, which shares, what is undecided."""

import itertools
import json
import re
from types import SimpleNamespace

import numpy
import pytest
from diagnose import judge, ladder, pairs
from diagnose.differences import (
    brief,
    how_data_differ,
    how_evaluated,
    losses_differ,
    reasons,
    settings,
    without_effect,
)
from diagnose.loops import PARTLY
from diagnose.place import describe_place, describe_row, look_closer, measure, rates_in
from diagnose.records import (
    Runs,
    choose_metric,
    find_number,
    first_step,
    list_runs,
    locate_step,
    read_record,
    same_steps,
    value,
)
from diagnose.rungs import ends, lie_apart, real_causes, swapped
from diagnose.sentences import why_computed
from diagnose.steps import match, state_of
from plan.configuration import ConfigurationError
from plan.documents import read_yaml
from repository import ROOT

KINDS = read_yaml(ROOT / "workflow/schemas/tables.yaml")["kinds"]
LAYER = {"name": "dense", "class": "Dense", "shapes": [[2]], "places": [0]}


def a_run(number=1.0, initial="a", steps=("1", "2"), made=(), calls=None, printed="", **more):
    """Return the record of a run of one model with one array, with this last loss."""
    entry = {"layers": [LAYER], "weights": ["dense/kernel"], "initial": [initial]}
    entry["trained"] = [True]
    entry |= {"hashes": [[step] for step in steps], "losses": [1.0] * len(steps)}
    data = {"hash": "rows"}
    reported = {"name": "loss", "values": [number], "method": "evaluate", "data": "rows"}
    call = {"method": "fit", "data": data, "kept": True, "shuffle": False, "settings": {}}
    call |= {"line": 1, "state": "s", "draws": {"operations": "o", "framework_seed": 3}}
    record = {"models": [entry], "calls": [call] if calls is None else calls, "writes": []}
    record |= {"numbers": [{**reported, "batch_size": 32, "state": "s"}], "made": list(made)}
    record |= {"printed": printed, "error": None, "unseen": [], "packages": {}, "done": {}}
    return record | {"machine": "m", "apis": [], "plan": {}} | more


def made(name, written=(), kind="layer", **config):
    written = {key: config.get(key) for key in written}
    return {"class": name, "kind": kind, "config": config, "written": written, "line": 1}


def verdict_of(folder, **records):
    """Judge planted records, {side/run: record}; return the verdict without the first step."""
    for name, record in records.items():
        path = folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record))
    pair = [records[f"{side}/as_is-1"] for side in ("first", "second")]
    plan = ladder.plan_ladder(*([record] for record in pair), "auto", 1)
    plan["runs"] = {name: {} for name in records}
    runs = Runs(folder, plan, {})
    causes = real_causes(runs, plan) if plan["causes"] else []
    first, other = ends(runs, causes)
    agree = plan["undecided"] or runs.agree(first, other)
    place = None if agree else first_step(runs.one(first), runs.one(other))
    return judge.judge(runs, plan, {"place": place, "runs": {}})


def test_equal_runs_differ_in_nothing(tmp_path):
    verdict = verdict_of(tmp_path, **{"first/as_is-1": a_run(), "second/as_is-1": a_run()})
    assert verdict["causes"] == []
    assert verdict["sentence"].startswith("No difference: the last evaluated loss is 1")


def test_initial_draws_are_the_whole_cause(tmp_path):
    drawn = a_run(1.5, initial="b", steps=("3", "4"))
    equal = a_run(1.0, done={"initial": 1})
    runs = {"first/as_is-1": a_run(), "second/as_is-1": drawn, "second/same_weights-1": equal}
    verdict = verdict_of(tmp_path, **runs)
    assert verdict["causes"] == ["initial draws"]
    assert [row["share"] for row in verdict["rows"] if row["named"]] == [1.0]
    assert "all 2 steps agree to the bit" in verdict["sentence"]


def test_a_rung_that_was_not_carried_out_is_no_verdict(tmp_path):
    drawn = a_run(1.5, initial="b", steps=("3", "4"))
    runs = {"first/as_is-1": a_run(), "second/as_is-1": drawn, "second/same_weights-1": drawn}
    verdict = verdict_of(tmp_path, **runs)
    assert verdict["undecided"] == "initial draws could not be taken away from the second run"
    assert pairs.exit_status([verdict]) == 3


def test_other_evaluation_of_equal_weights_is_evaluation(tmp_path):
    verdict = verdict_of(tmp_path, **{"first/as_is-1": a_run(), "second/as_is-1": a_run(2.0)})
    assert verdict["causes"] == ["evaluation"]
    assert "the same rows, another formula" in verdict["sentence"]


def test_repeats_that_differ_are_not_reproducible(tmp_path):
    runs = {"first/as_is-1": a_run(), "first/as_is-2": a_run(1.2, steps=("1", "9"))}
    verdict = verdict_of(tmp_path, **runs, **{"second/as_is-1": a_run(1.1, steps=("1", "8"))})
    assert verdict["causes"] == ["not reproducible"]
    assert "not reproducible: repeats spread by 0.2" in verdict["sentence"]
    assert "which is not beyond this spread" in verdict["sentence"]


def test_distributions_that_lie_far_apart_have_a_cause(tmp_path):
    runs = {f"first/as_is-{n}": a_run(1 + n / 1000, steps=(str(n), "a")) for n in range(1, 4)}
    for n in range(1, 4):
        runs[f"second/as_is-{n}"] = a_run(3.3 + n / 1000, initial="b", steps=(str(n), "b"))
        equal = a_run(1.001 + n / 1000, steps=(str(n), "c"), done={"initial": 1})
        runs[f"second/same_weights-{n}"] = equal
    verdict = verdict_of(tmp_path, **runs)
    assert verdict["causes"] == ["not reproducible", "initial draws"]
    assert verdict["rows"][-1]["label"] == "spread of repeats"


def test_repeats_that_scatter_hide_no_evaluation(tmp_path):
    runs = {"first/as_is-1": a_run(), "first/as_is-2": a_run(1.01, steps=("1", "7"))}
    runs |= {"second/as_is-1": a_run(1.02), "second/as_is-2": a_run(steps=("1", "8"))}
    verdict = verdict_of(tmp_path, **runs)
    rows = {row["label"]: row["contribution"] for row in verdict["rows"]}
    assert rows["evaluation"] == 0
    assert rows["spread of repeats"] == verdict["total"] != 0


def test_what_one_order_gives_and_the_other_takes_is_a_cause(tmp_path):
    was, now = made("SGD", momentum=0.0), made("SGD", momentum=0.5)
    drawn = a_run(1.0, initial="b", steps=("3", "4"), made=[now])
    both = {"initial": 1, "default SGD.momentum": 1}
    runs = {"first/as_is-1": a_run(made=[was]), "second/as_is-1": drawn}
    runs["second/same_weights-1"] = a_run(0.5, steps=("1", "5"), made=[now], done=both)
    runs["second/same_SGD-momentum-1"] = a_run(0.5, steps=("1", "6"), made=[was], done=both)
    runs["second/same_weights+SGD-momentum-1"] = a_run(made=[was], done=both)
    verdict = verdict_of(tmp_path, **runs)
    assert verdict["causes"] == ["initial draws", "changed default"]
    assert [row["contribution"] for row in verdict["rows"][:2]] == [0.0, 0.0]


def test_computation_is_taken_away_first_in_the_other_order(tmp_path):
    """The first script runs with the second run's weights; a share is the mean of both orders."""
    done = {"initial": 1}
    runs = {"first/as_is-1": a_run(), "second/as_is-1": a_run(2.0, initial="b", steps=("3", "4"))}
    runs["second/same_weights-1"] = a_run(1.25, steps=("1", "5"), done=done)
    runs["first/with_weights-1"] = a_run(1.5, initial="b", steps=("3", "6"), done=done)
    verdict = verdict_of(tmp_path, **runs)
    sizes = {row["label"]: (row["first_order"], row["second_order"]) for row in verdict["rows"]}
    assert sizes["initial draws"] == (0.75, 0.5)
    assert sizes["computation"] == (0.25, 0.5)
    assert "This leaves +0.25, which is computed differently." in verdict["notes"]
    runs["first/with_weights-1"] = a_run(error="line 1 raises")
    sizes = {row["label"]: row["second_order"] for row in verdict_of(tmp_path, **runs)["rows"]}
    assert (sizes["initial draws"], sizes["computation"]) == (0.75, 0.25)


def test_the_first_script_gets_what_the_second_has():
    was, now = made("LSTM", activation="old"), made("LSTM", activation="new")
    pair = (a_run(made=[was]), a_run(initial="b", steps=("3", "4"), made=[now]))
    causes, _ = ladder.possible_causes(*pair)
    assert causes == ["weights", ["LSTM", "activation", "old"]]
    default = {"defaults": [["LSTM", "activation", "new"]]}
    assert ladder.plan_theirs(*pair, causes, pin=False) == {
        "first/with_weights-1": {"start": "second/as_is-1", "light": True},
        "first/with_weights+LSTM-activation-1": {
            "start": "second/as_is-1",
            "light": True,
            **default,
        },
    }
    assert ladder.plan_theirs(*pair, [*causes, "draws"], pin=False) == {}


def test_training_history_is_no_evaluation_of_exchanged_weights(tmp_path):
    history = {"name": "loss", "values": [2.0], "method": "fit", "data": "rows", "state": "s"}
    path = tmp_path / "first/final_of_as_is-1.json"
    path.parent.mkdir()
    path.write_text(json.dumps(a_run(numbers=[history], done={"final": 1})))
    for side in ("first", "second"):
        (tmp_path / side).mkdir(exist_ok=True)
        (tmp_path / side / "as_is-1.json").write_text(json.dumps(a_run()))
    plan = {"metric": "loss", "runs": {"first/final_of_as_is-1": {}}}
    assert swapped(Runs(tmp_path, plan, {}), [], []) is None


def test_what_is_advised_of_an_evaluation_has_been_tried(tmp_path):
    number = {"name": "loss", "values": [1.0], "method": "evaluate", "data": "rows", "line": 9}
    pair = {f"{side}/as_is-1": a_run() for side in ("first", "second")}
    pair["first/as_is-1"]["numbers"] = [number | {"batch_size": None, "state": "s"}]
    pair["second/as_is-1"]["numbers"][0] |= {"values": [2.5], "data": "others"}
    said = " ".join(verdict_of(tmp_path, **pair)["notes"])
    assert "What to do" not in said
    pair["first/final_of_as_is-1"] = a_run(done={"final": 1})
    said = " ".join(verdict_of(tmp_path, **pair)["notes"])
    words = "last weights as line 9 of the first script does; this gives 1.0 in place of 2.5."
    assert words in said


def test_one_unit_in_the_last_place_is_rounding_even_if_perturbed_runs_are_equal(tmp_path):
    drawn = a_run(0.7, initial="b", steps=("3", "4"))
    equal = a_run(0.69 + 2**-24, steps=("1", "9"), done={"initial": 1})
    runs = {"first/as_is-1": a_run(0.69), "second/as_is-1": drawn, "second/same_weights-1": equal}
    verdict = verdict_of(tmp_path, **runs, **{"first/ulp_1-1": a_run(0.69)})
    assert verdict["yardstick"] > 2**-24


def test_what_differs_of_the_data_is_named():
    data = {"hash": "a", "shapes": [[9, 2], [9], []], "dtypes": ["<f4", "<f4", "<U4"]}
    each = {"x": "1", "y": "2", "sample_weight": "3", "class_weight": "None", "rows": "r"}

    def other(shapes=data["shapes"], dtypes=data["dtypes"], **changed):
        second = a_run()
        new = {**data, "hash": "b", "shapes": shapes, "dtypes": dtypes}
        second["calls"][0] |= {"data": new, "each": each | changed}
        return second

    first = a_run()
    first["calls"][0] |= {"data": data, "each": each}
    weighted = other(dtypes=["<f4", "<f4", "<U9"], class_weight="{0: 1}")
    assert how_data_differ(first, weighted) == "class_weight"
    assert how_data_differ(first, other(x="9", y="8", rows="q")) == "x, y"
    assert how_data_differ(first, other(x="9")) == "the same rows in another order"
    shapes = [[8, 2], [8], []]
    said = "shapes [[9, 2], [9]] and [[8, 2], [8]]"
    assert how_data_differ(first, other(shapes=shapes)) == said


def test_draws_are_pinned_in_one_release_without_noise():
    first, second = a_run(), a_run(steps=("1", "3"))
    assert ladder.can_be_pinned(first, second)
    assert not ladder.can_be_pinned(first, a_run(packages={"tensorflow": "2.0.0"}))
    assert not ladder.can_be_pinned(first, a_run(made=[made("Dropout", rate=0.5)]))
    assert not ladder.can_be_pinned(first, a_run(calls=first["calls"] * 2))
    pin = ladder.plan_rungs(["draws"], 2, 1, True)
    assert pin["second/same_draws-1"]["pinned"] == "first/as_is-1"
    assert "first/same_draws-1" not in pin
    assert "first/same_draws-1" in ladder.plan_rungs(["draws"], 2, 1, False)


def test_steps_are_noted_of_the_runs_whose_steps_are_compared():
    as_is = {"first/as_is-1", "second/as_is-1"}
    ends = {"second/same_data+weights+draws-1"}
    runs = ladder.plan_rungs(["data", "weights", "draws"], 3, 2, True)
    assert {name for name, plan in runs.items() if not plan.get("light")} == as_is | ends
    ends |= {"second/same_data+weights-1", "first/same_draws-1"}
    runs = ladder.plan_rungs(["data", "weights", "draws"], 3, 2, False)
    assert {name for name, plan in runs.items() if not plan.get("light")} == as_is | ends
    runs = ladder.plan_rungs(["draws"], 3, 2, False)
    full = {name for name, plan in runs.items() if not plan.get("light")}
    ends = {f"{side}/{run}-1" for side in ("first", "second") for run in ("as_is", "same_draws")}
    assert full == ends
    noted, parted = [["1"], ["2"]], [["1"], ["3"]]
    assert same_steps([noted], [[None, ["2"]]])
    assert not same_steps([parted], [[None, ["2"]]])
    assert not same_steps([noted], [[["2"]]])


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_undecided(tmp_path, number):
    runs = {"first/as_is-1": a_run(number), "second/as_is-1": a_run()}
    assert f"loss is {number} in the first run" in verdict_of(tmp_path, **runs)["undecided"]


def test_default_counts_only_where_no_script_writes_it():
    old, new = made("LSTM", recurrent_activation="hard_sigmoid"), made("LSTM", units=8)
    new["config"]["recurrent_activation"] = "sigmoid"
    first, second = a_run(made=[old]), a_run(made=[new], steps=("1", "3"))
    change = ["LSTM", "recurrent_activation", "hard_sigmoid"]
    assert ladder.possible_causes(first, second) == ([change], [])
    new["written"] = {"recurrent_activation": "sigmoid"}
    assert ladder.possible_causes(first, second) == ([], [])
    assert ladder.possible_causes(first, first) == ([], [])
    same = made("SGD", learning_rate=0.1), made("SGD", learning_rate=float(numpy.float32(0.1)))
    assert ladder.changed_defaults(*(a_run(made=[one]) for one in same)) == []


def test_data_that_cannot_be_seen_stand_in_the_way_of_a_verdict():
    hidden = a_run(steps=("1", "3"))
    hidden["calls"][0]["data"] = None
    causes, blocked = ladder.possible_causes(a_run(), hidden)
    assert causes == []
    assert blocked == ["training data cannot be seen, and so not be exchanged"]


def test_draws_are_a_possible_cause_only_from_other_states():
    first, second = a_run(), a_run(steps=("1", "3"))
    for run in (first, second):
        run["calls"][0]["shuffle"] = True
    assert ladder.possible_causes(first, second)[0] == []
    second["calls"][0]["shuffle"] = False
    assert ladder.possible_causes(first, second)[0] == ["draws"]
    second["calls"][0]["shuffle"] = True
    noisy = a_run(steps=("1", "3"), made=[made("Dropout", rate=0.3)])
    assert ladder.possible_causes(a_run(), noisy)[0] == ["draws"]
    second["calls"][0]["draws"]["operations"] = "p"
    assert ladder.possible_causes(first, second)[0] == ["draws"]


def test_metric_is_the_one_that_differs():
    first, second = a_run(), a_run()
    for run, accuracy in ((first, 1.0), (second, 0.5)):
        run["numbers"].append({**run["numbers"][0], "name": "accuracy", "values": [accuracy]})
    assert choose_metric(first, second) == "accuracy"
    assert choose_metric(first, first) == "loss"
    printing = [a_run(printed=f"f1 {number}\n") for number in (0.5, 0.6)]
    assert choose_metric(*printing) == "printed"
    assert choose_metric(*printing, repeats=False) == "loss"
    assert ladder.plan_ladder([printing[0]], [printing[1]], "auto")["metric"] == "printed"
    assert ladder.plan_ladder(printing, printing[:1], "auto")["metric"] == "loss"
    assert choose_metric(a_run(numbers=[], printed="loss 1e-3\n"), a_run(printed="[2.]"))
    assert value(a_run(printed="a 1 loss: 1e-3\n"), "printed") == 1e-3
    with pytest.raises(KeyError, match="no metric 'mae' is reported, but loss"):
        value(first | {"numbers": first["numbers"][:1]}, "mae")


def test_pairs_are_checked_before_anything_runs(tmp_path):
    script = tmp_path / "one.py"
    script.write_text("")
    pair = {"first": str(script), "second": str(script), "in": "tf2.0-keras2.3.1"}
    checked = pairs.read_pairs(pair, ROOT)[0]["one"]
    assert checked["second"]["environment"] == str(ROOT / "envs/tf2.0-keras2.3.1.yaml")
    for change, sentence in [
        ({"second": "none.py"}, "none.py: there is no such script"),
        ({"in": "tf9"}, "in: tf9 is no framework version; there are tf-current-keras3, tf1.13"),
        ({"in": "tf1.13 tf1.15 tf2.0"}, "in: found tf1.13 tf1.15 tf2.0, expected one or two fram"),
        ({"repeats": 1}, "repeats: found 1, expected at least 2"),
        ({"script": str(script)}, "in: found tf2.0-keras2.3.1, expected two framework versions"),
        ({"metrics": "loss"}, "found unknown metrics, expected only name, first, second"),
        ({"second": None}, "name two scripts"),
        ({"releases": 1}, "releases: found tf2.0-keras2.3.1, expected one script and two of tf1.1"),
        ({"limit": "long"}, 'limit: found "long", expected an integer'),
    ]:
        with pytest.raises(ConfigurationError, match=sentence):
            pairs.read_pairs(pair | change, ROOT)


def test_what_is_wrong_in_one_of_several_pairs_is_told_with_its_name(tmp_path):
    (tmp_path / "one.py").write_text("")
    pair = {"script": str(tmp_path / "one.py"), "in": "tf2.2 tf2.3"}
    for config, sentence in [
        ({"pairs": {"a": pair, "b": pair | {"limit": 0}}}, "pairs/b: limit: found 0, expected"),
        ({"pairs": {"a": pair, "b": pair | {"in": "tf9"}}}, "pairs/b: in: found tf9, expected two"),
        ({"pairs": {"a": pair}, "limit": 9}, "found limit beside pairs, expected these keys in ea"),
        ({"pairs": {"a": None}}, "pairs/a: found null, expected an object"),
        ({"pairs": {"a/b": pair}}, "a/b"),
        ({"name": "..", **pair}, 'name: found ".."'),
    ]:
        with pytest.raises(ConfigurationError, match=re.escape(sentence)):
            pairs.read_pairs(config, ROOT)
    assert set(pairs.read_pairs({"pairs": {"a": pair, 7: pair}}, ROOT)[0]) == {"a", "7"}


def test_releases_between_two_are_pairs(tmp_path):
    script = tmp_path / "one.py"
    script.write_text("")
    asked = {"script": str(script), "in": "tf2.3 tf2.0-keras2.3.1", "releases": 1}
    found, releases = pairs.read_pairs(asked, ROOT)
    assert releases == {"one": ["tf2.3", "tf2.2", "tf2.1", "tf2.0-keras2.3.1"]}
    assert len(found) == 6
    assert found["one/tf2.2-to-tf2.1"]["first"]["environment"].endswith("envs/tf2.2.yaml")


@pytest.mark.parametrize("changes", [[1], [4], [7], [2, 3], [1, 7], [2, 5, 6]])
def test_bisection_finds_each_release_that_changed_a_number(changes):
    def run(place):
        return a_run(1.0 + place / 1e6 + sum(0.1 * at for at in changes if place >= at))

    known = {0: run(0), 7: run(7)}
    while (state := ladder.narrow(known, "auto"))["next"] is not None:
        known[state["next"]] = run(state["next"])
    assert state["changes"] == [[at - 1, at] for at in changes]
    assert len(known) <= 2 + 3 * len(changes)
    said = pairs.tell_releases(state, list("abcdefgh"))
    assert said.count("The number changes by") == len(changes)


def test_bisection_passes_over_a_release_in_which_the_script_fails():
    known = {0: a_run(1.0), 2: a_run(2.0), 1: a_run(error="line 1 raises")}
    state = ladder.narrow(known, "loss")
    assert (state["changes"], state["next"]) == ([[0, 2]], None)
    assert "(b in between cannot be told)" in pairs.tell_releases(state, ["a", "b", "c"])
    same = ladder.narrow({0: a_run(), 2: a_run()}, "auto")
    assert same["next"] is None
    assert "No change of the number is found between a and c." in pairs.tell_releases(
        same, ["a", "b", "c"]
    )
    failed = ladder.narrow({0: a_run(error="line 1 raises"), 2: a_run()}, "auto")
    assert (failed["changes"], failed["next"]) == ([], None)


def test_place_says_what_is_equal_before_it_and_only_then():
    differing = {"array": "dense/kernel", "largest_difference": 1.0, "ulp": 2.0, "relative": 1e-7}
    differing["beyond"] = 1.0
    equal = differing | {"array": "dense", "largest_difference": 0.0, "beyond": 0.0}
    arrays = [equal | {"part": "loss"}, differing | {"part": "gradient"}]
    place = {"step": [0, 3], "arrays": arrays, "not_looked": None, "whole": True}
    pair = (a_run(), a_run())
    said = describe_place(place, pair)
    assert "in step 3, first in the gradient of dense/kernel, where the loss is equal: 2 un" in said
    arrays[1:] = [differing | {"part": "update"}]
    assert "where" not in describe_place(place, pair)
    arrays[0] |= {"largest_difference": 1.0}
    arrays[1] |= {"beyond": 99.0}
    said = describe_place(place, pair)
    assert "More than rounding differs first in the update of dense/kernel: 2 units" in said


def test_optimizer_state_tells_a_difference_before_the_weights_do():
    first, second = a_run(), a_run(steps=("1", "3"))
    assert first_step(first, second) == (0, 2)
    for run, state in ((first, "m"), (second, "n")):
        run["models"][0] |= {"slots": [["dense/m", [2]]], "states": [[state], ["k"]]}
    assert first_step(first, second) == (0, 1)
    second["models"][0]["slots"][0][1] = [3]  # another optimizer keeps other arrays
    assert first_step(first, second) == (0, 2)
    differing = {"array": "dense/m", "largest_difference": 1.0, "ulp": 2.0, "relative": 1e-7}
    differing |= {"beyond": 1.0, "part": "optimizer state"}
    gradient = differing | {"part": "gradient", "largest_difference": 0.0}
    place = {"step": [0, 1], "arrays": [gradient, differing], "not_looked": None}
    place["whole"] = True
    said = describe_place(place, (first, second))
    assert "first in the optimizer's state, dense/m, where all gradients are equal: 2" in said
    place["arrays"] = [
        gradient,
        differing | {"largest_difference": 0.0},
        differing | {"part": "update"},
    ]
    said = describe_place(place, (first, second))
    assert "where all gradients and the optimizer's state are equal" in said
    said = describe_place(place | {"whole": False}, (first, second))
    assert "where all shared gradients and the optimizer's state are equal" in said


def test_a_written_argument_without_effect_is_told(tmp_path):
    plain, clipped = made("SGD", kind="optimizer"), made("SGD", ["clipnorm"], clipnorm=0.01)
    runs = {"first/as_is-1": a_run(made=[plain]), "second/as_is-1": a_run(made=[clipped])}
    verdict = verdict_of(tmp_path, **runs)
    said = "SGD.clipnorm = 0.01 is written in the second script and has no effect here."
    assert said in verdict["notes"]
    runs["first/as_is-1"]["made"].append(made("Activation"))  # may do what an argument does
    assert said not in verdict_of(tmp_path, **runs)["notes"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(float(numpy.float32(0.01)), "0.01"), (0.05, "0.05"), (1e-7, "1e-07"), (1.0, "1.0"),
     (0.1234567891, "0.12345679"), (1e300, "1e+300"), ([0.1, None], "[0.1, None]"), (True, "True")],
)  # fmt: skip
def test_configured_numbers_are_as_short_as_they_can_be(value, text):
    assert brief(value) == text


def test_what_both_scripts_write_is_the_same_whatever_a_release_makes_of_it():
    old, new = made("UpSampling2D", ["interpolation"]), made("UpSampling2D", ["interpolation"])
    old["written"] = new["written"] = {"interpolation": "bilinear"}
    new["config"]["interpolation"] = "bilinear"
    assert settings(a_run(made=[old]), a_run(made=[new])) == []
    frozen = made("Dense", trainable=False), made("Dense", trainable=True)
    pair = [a_run(made=[one]) for one in frozen]
    assert ladder.changed_defaults(*pair) == []
    assert reasons(*pair) == ["Dense.trainable: False → True"]
    absent = made("BatchNormalization"), made("BatchNormalization", renorm_momentum=0.99)
    models = made("Sequential"), made("Sequential", trainable=True)  # of Keras 2, of Keras 3
    pair = [a_run(made=list(part)) for part in zip(absent, models, strict=True)]
    assert reasons(*pair, "update") == ladder.changed_defaults(*pair) == []
    absent = made("Adagrad", kind="optimizer"), made("Adagrad", kind="optimizer", start=0.1)
    pair = [a_run(made=[one]) for one in absent]
    assert reasons(*pair) == []
    assert reasons(*pair, "update") == ["Adagrad.start: no such argument → 0.1"]
    for used, said in ((False, []), (True, ["RMSprop.ema_momentum: no such argument → 0.99"])):
        new = made("RMSprop", kind="optimizer", use_ema=used, ema_momentum=0.99)
        pair = [a_run(made=[one]) for one in (made("RMSprop", kind="optimizer"), new)]
        assert [part for part in reasons(*pair, "update") if "ema_" in part][-1:] == said


def test_data_that_vary_from_run_to_run_are_no_cause(tmp_path):
    runs = {"first/as_is-1": a_run(), "second/as_is-1": a_run(1.02, steps=("1", "8"))}
    runs |= {"first/as_is-2": a_run(1.1, steps=("5", "6"))}
    runs["first/as_is-2"]["calls"][0]["data"] = {"hash": "others"}
    verdict = verdict_of(tmp_path, **runs)
    assert verdict["causes"] == ["not reproducible"]
    assert "the training data differ from run to run" in verdict["sentence"]
    assert [row["cause"] for row in verdict["rows"]] == ["evaluation", "spread of repeats"]


def test_data_made_by_models_that_have_parted_are_no_cause():
    first, second = (a_run(steps=("1", step)) for step in ("2", "3"))
    for run, state in ((first, "s"), (second, "t")):
        call = run["calls"][0]
        run["calls"] = [call | {"state": state}, call | {"data": {"hash": state}}]
    assert ladder.possible_causes(first, second) == ([], [])
    first["calls"][0]["data"] = {"hash": "other"}
    assert ladder.possible_causes(first, second)[0] == ["data"]


def test_losses_and_how_they_are_weighed_are_named():
    pair = a_run(), a_run()
    for run, name, weight in zip(pair, ("Huber", "MeanSquaredError"), (1.0, 0.2), strict=True):
        loss = {"class_name": name, "config": {"name": str(weight)}}
        run["models"][0] |= {"loss": loss, "loss_weights": [1.0, weight]}
    said = ["loss: Huber → MeanSquaredError", "loss_weights: [1.0, 1.0] → [1.0, 0.2]"]
    assert losses_differ(*pair) == said
    assert losses_differ(pair[0], pair[0]) == []


def test_settings_of_evaluations_are_told():
    one, other = ({"name": "loss", "method": "evaluate", "steps": steps} for steps in (None, 2))
    said = how_evaluated(one, other, a_run(), a_run())
    assert said == "steps: not written → 2"
    each = {"x": "1", "y": "2", "sample_weight": "3"}
    one = {"name": "loss", "method": "evaluate", "data": "a", "each": each}
    other = one | {"data": "b", "each": each | {"sample_weight": "4"}}
    assert how_evaluated(one, other, a_run(), a_run()) == "with another sample_weight"


def test_other_weights_than_the_trained_ones_are_told():
    last = state_of(["2"])
    one, other = (
        {"name": "loss", "method": "evaluate", "data": "d", "state": state} for state in (last, "e")
    )
    said = "with other weights than after its last step"
    assert how_evaluated(one, other, a_run(), a_run()) == f"the second {said}"
    assert how_evaluated(other, one, a_run(), a_run()) == f"the first {said}"
    assert "formula" in how_evaluated(one, one, a_run(), a_run())


def test_a_run_that_takes_more_of_the_same_batches_has_no_other_data():
    first, second = a_run(), a_run(steps=("1", "2", "3"))
    for run, batches in ((first, ["p", "q"]), (second, ["p", "q", "r"])):
        run["calls"][0] |= {"data": {"hash": str(batches)}, "batches": batches}
    assert ladder.possible_causes(first, second) == ([], [])
    second["calls"][0]["class_weight"] = {"1": 2.0}
    assert ladder.possible_causes(first, second)[0] == ["data"]


def test_batches_that_differ_are_exchanged_if_they_were_kept():
    first, second = a_run(), a_run(steps=("1", "3"))
    each = {"x": "1", "y": "2", "sample_weight": "3", "class_weight": "None", "rows": 7}
    for run, batches in ((first, ["p", "q"]), (second, ["p", "s"])):
        data = {"hash": str(batches)}
        run["calls"][0] |= {"data": data, "batches": batches, "each": each | {"x": str(batches)}}
    assert ladder.possible_causes(first, second) == (["data"], [])
    said = "the same rows in another order, from batch 2 on"
    assert how_data_differ(first, second) == said
    second["calls"][0]["each"]["rows"] = 8
    assert how_data_differ(first, second) == "x, from batch 2 on"
    first["calls"][0]["kept"] = False
    (blocked,) = ladder.possible_causes(first, second)[1]
    assert "in line 1 the first script trains on data that differ" in blocked
    assert "(batch 2 is the first), and that are too large" in blocked


def test_an_optimizer_that_goes_on_is_told():
    first, second = a_run(), a_run()
    first["models"][0]["begun"] = 60
    said = ["steps that the optimizer has made before: 60 → 0"]
    assert reasons(first, second) == said
    second["models"] *= 2
    assert reasons(second, second | {"models": second["models"][:1]}) == []


def race(folder, firsts, seconds, equal, **more):
    """Judge repeats of a racing pair that draws other weights; `equal` are those of its rung."""
    runs = {f"first/as_is-{n}": a_run(x, steps=("1", str(n))) for n, x in enumerate(firsts, 1)}
    for n, number in enumerate(seconds, 1):
        runs[f"second/as_is-{n}"] = a_run(number, steps=("2", str(n)), initial="b")
    for n, number in enumerate(equal, 1):
        done = {"initial": 1}
        runs[f"second/same_weights-{n}"] = a_run(number, steps=("3", str(n)), done=done)
    return verdict_of(folder, **runs, **more)


def test_repeats_that_do_not_overlap_are_a_difference(tmp_path):
    firsts, seconds = [7.555, 7.563, 7.558, 7.56, 7.556], [7.543, 7.549, 7.545, 7.544, 7.548]
    verdict = race(tmp_path / "1", firsts, seconds, firsts[:3])
    assert verdict["causes"] == ["not reproducible", "initial draws"]
    assert verdict["rows"][-1]["label"] == "spread of repeats"
    verdict = race(tmp_path / "2", firsts, seconds, seconds[:3])
    assert verdict["causes"] == ["not reproducible", "computation"]
    verdict = race(tmp_path / "3", firsts, [*seconds[:4], 7.557], seconds[:3])
    assert verdict["causes"] == ["not reproducible"]
    assert not lie_apart([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])  # once in ten times by chance
    # Four repeats and all runs of the rung have one number, but for how two releases round.
    firsts, seconds = [0.870238658, 0.870174124, *[0.870238658] * 3], [0.852134217] * 5
    verdict = race(tmp_path / "4", firsts, seconds, [0.870238691] * 3)
    assert verdict["causes"] == ["not reproducible", "initial draws"]


def test_tables_have_the_documented_columns_and_types(tmp_path):
    was, now = made("SGD", momentum=0.0), made("SGD", momentum=0.5)
    pair = {"first/as_is-1": a_run(made=[was])}
    pair["second/as_is-1"] = a_run(2.0, steps=("1", "3"), made=[now])
    rung = a_run(1.5, made=[now], done={"default SGD.momentum": 1})
    verdict = verdict_of(tmp_path, **pair, **{"second/same_SGD-momentum-1": rung})
    runs = Runs(tmp_path, {"metric": "loss", "runs": {}}, {})
    array = numpy.ones(3, "float32")
    row = {"part": "update", "array": "dense/kernel", **measure(array, 2 * array, array)}
    verdict |= {"runs": list_runs(runs), "place": {"arrays": [row]}}
    tables = judge.make_tables(verdict | {"settings": settings(*runs.pair())})
    types = {"text": str, "number": float, "integer": int, "boolean": bool}
    for name, columns in judge.TABLES.items():
        assert list(tables[name]) == list(columns) and len(tables[name])
        for column, entry in columns.items():
            assert set(entry) <= {"type", "unit", "kind", "meaning"} and entry["kind"] in KINDS
            known = tables[name][column].dropna().tolist()
            assert all(isinstance(part, types[entry["type"]]) for part in known), column


def test_another_network_is_no_evaluation_where_repeats_scatter(tmp_path):
    firsts = [1.0, 1.001, 1.002, 1.003, 1.004]
    swapped = a_run(1.9, done={"final": 1})
    more = {"first/final_of_same_weights-1": swapped}
    verdict = race(tmp_path, firsts, [2.0, 2.001, 2.002, 2.003, 2.004], [2.0, 2.001, 2.0], **more)
    assert verdict["causes"] == ["not reproducible", "computation"]


def test_a_loop_of_its_own_may_leave_noise_out():
    noise = made("Dropout", rate=0.4)
    pair = a_run(made=[noise]), a_run(made=[noise], steps=("1", "3"))
    assert ladder.possible_causes(*pair)[0] == []
    for run in pair:
        run["calls"][0]["method"] = "apply_gradients"
    assert ladder.possible_causes(*pair)[0] == ["draws"]


def test_a_model_that_goes_on_with_the_weights_of_another_is_one_model_with_it(tmp_path):
    entry = a_run(steps=("1", "2"))["models"][0] | {"states": [["s"], ["t"]]}
    more = entry | {"hashes": [["3"]], "losses": [0.5], "states": [["u"]], "continues": 1}
    record = a_run(models=[entry, entry, more, more | {"hashes": [["4"]], "continues": 2}])
    path = tmp_path / "record.json"
    path.write_text(json.dumps(record))
    models = read_record(path)["models"]
    assert [model["hashes"] for model in models] == [entry["hashes"], [["1"], ["2"], ["3"], ["4"]]]
    assert models[1]["losses"] == [1.0, 1.0, 0.5, 0.5]
    assert [locate_step(models[1], step) for step in (1, 2, 3, 4)] == [
        [1, 1], [1, 2], [2, 1], [3, 1]
    ]  # fmt: skip
    plan = ladder.plan_swaps(*[read_record(path)] * 2, [], "loss", only_last=True)
    steps = {"steps": [[0, 2], [3, 1]], "theirs": [0, 3]}
    final = {"final": "second/as_is-1", "light": True}
    assert plan == {"first/final_of_as_is-1": {**final, **steps}}


def test_data_that_vary_in_one_script_alone_are_no_computation(tmp_path):
    runs = {f"first/as_is-{n}": a_run() for n in range(1, 6)}
    for n in range(1, 6):  # by chance all of them lie above the first script's number
        runs[f"second/as_is-{n}"] = a_run(1 + n / 100, steps=("3", str(n)))
    for n in range(2, 6):
        runs[f"second/as_is-{n}"]["calls"][0]["data"] = {"hash": str(n)}
    verdict = verdict_of(tmp_path, **runs)
    assert verdict["causes"] == ["not reproducible"]
    assert verdict["rows"][-1]["label"] == "spread of repeats"


def test_layers_in_another_order_are_not_more_of_them():
    layers = [made("Activation"), made("BatchNormalization")]
    pair = a_run(made=layers), a_run(made=layers[::-1])
    assert reasons(*pair) == ["layers stand in another order"]
    assert reasons(a_run(made=layers), a_run(made=layers[:1])) == [
        "BatchNormalization is made in the first script only"
    ]
    assert reasons(a_run(made=layers), a_run(made=[*layers, layers[0]])) == [
        "the second script makes one more Activation"
    ]


def test_one_unit_is_singular():
    row = {"part": "loss", "array": "loss", "relative": 1e-7, "beyond": 1.0}
    assert "in the loss: 1 unit in the last place" in describe_row(row | {"ulp": 1.0})
    assert "in the loss: 2.5 units in the last place" in describe_row(row | {"ulp": 2.5})


def test_callbacks_are_told_where_they_may_have_a_part():
    callback = made("ReduceLROnPlateau", kind="callback")
    pair = [a_run(made=[callback | {"written": {"patience": n}}]) for n in (1, 9)]
    assert reasons(*pair, "update") == ["ReduceLROnPlateau.patience: 1 → 9"]
    assert reasons(*pair, "loss") == []
    assert reasons(pair[0], a_run(), "update") == []
    place = {"step": [0, 17], "rates": [0.05000000074505806, 0.1]}
    assert rates_in({"place": place}) == ["learning rate in step 17: 0.05 → 0.1"]
    assert rates_in({"place": None}) == rates_in({"place": place | {"rates": None}}) == []


def test_layers_are_paired_as_they_stand_in_the_model_however_they_are_made():
    pair = [
        [made("Dense", ["units"], units=units) for units in sizes] for sizes in ((12, 1), (1, 12))
    ]
    for one, name in zip(itertools.chain(*pair), "abcd", strict=True):
        one["config"]["name"] = name
    first, second = (a_run(made=part) for part in pair)
    assert len(reasons(first, second)) == 2
    for run, names in ((first, "ab"), (second, "dc")):
        run["models"][0] = run["models"][0] | {"layers": [LAYER | {"name": name} for name in names]}
    assert reasons(first, second) == []
    pair[1][1]["config"]["units"] = pair[1][1]["written"]["units"] = 16
    assert reasons(first, second) == ["Dense.units: 12 → 16"]


def test_another_seed_of_a_layer_draws_otherwise():
    pair = [made("Dropout", ["seed"], rate=0.3, seed=seed) for seed in (None, 7)]
    first, second = a_run(made=pair[:1]), a_run(made=pair[1:], steps=("1", "3"))
    assert ladder.possible_causes(first, second)[0] == ["draws"]
    assert ladder.possible_causes(first, a_run(made=pair[:1], steps=("1", "3")))[0] == []


@pytest.mark.parametrize("more_in", ["first", "second"])
def test_an_array_that_one_run_alone_has_is_not_compared(tmp_path, more_in):
    whole = {"layers": [LAYER | {"shapes": [[2], [3]], "places": [0, 1]}], "weights": ["k", "b"]}
    whole["trained"] = [True, True]
    runs = {"first": a_run(), "second": a_run()}
    entry = runs[more_in]["models"][0]
    entry |= whole | {"initial": ["a", "z"], "hashes": [["1", "x"], ["2", "y"]]}
    assert first_step(runs["first"], runs["second"]) is None
    found = {f"{side}/as_is-1": run for side, run in runs.items()}
    equal = {"second/same_weights-1": runs["second"] | {"done": {"initial": 1}}}
    assert verdict_of(tmp_path, **found, **equal)["equal_start"]
    entry["hashes"][1][0] = "3"
    assert first_step(runs["first"], runs["second"]) == (0, 2)


def test_losses_that_rounding_alone_moves_hide_no_other_metric():
    first, second = a_run(0.7), a_run(0.7 + 1e-8)
    for run, accuracy in ((first, 1.0), (second, 0.5)):
        run["numbers"].append({**run["numbers"][0], "name": "accuracy", "values": [accuracy]})
    assert choose_metric(first, second) == "accuracy"
    assert choose_metric(first, a_run(float("nan"))) == "loss"
    printing = [a_run(0.7, printed="0.7\n"), a_run(0.7 + 1e-8, printed="0.70000001\n")]
    assert choose_metric(*printing) == "loss"


def test_how_often_is_validated_is_told():
    one = {"method": "fit", "name": "val_loss", "data": "a"}
    first, second = a_run(), a_run()
    second["calls"] = [second["calls"][0] | {"settings": {"validation_freq": 3}}]
    assert how_evaluated(one, one, first, second) == "validation_freq: not written → 3"


def test_an_array_that_one_script_alone_trains_is_told():
    first, second = a_run(), a_run()
    first["models"][0]["trained"] = [False]
    assert reasons(first, second) == ["dense/kernel is trained in the second script only"]
    assert reasons(second, first) == ["dense/kernel is trained in the first script only"]
    assert reasons(first, first) == []


def test_metrics_and_penalties_are_told_as_what_is_evaluated():
    metric = made("AUC", kind="metric")
    pair = [a_run(made=[metric | {"written": {"num_thresholds": n}}]) for n in (200, 5)]
    numbers = [{"method": "evaluate", "name": "auc", "data": "rows"}] * 2
    assert how_evaluated(*numbers, *pair) == "AUC.num_thresholds: 200 → 5"
    assert reasons(*pair) == []
    assert losses_differ(a_run(), a_run(penalties=1)) == ["calls of add_loss: 0 → 1"]
    assert how_evaluated(*numbers, a_run(), a_run()) == "the same rows, another formula"


def test_epochs_are_no_reason_where_the_steps_are_as_many():
    runs = a_run(), a_run(), a_run(steps=("1", "2", "3"))
    for run, epochs in zip(runs, (6, 3, 9), strict=True):
        run["calls"][0]["settings"] = {"epochs": epochs, "validation_steps": epochs}
    assert reasons(*runs[:2]) == []
    assert reasons(*runs[1:]) == ["epochs: 3 → 9"]


def test_loops_that_are_seen_in_part_and_whole_have_no_other_data():
    first, second = a_run(), a_run(steps=("1", "3"))
    first["unseen"] = [f"line 1 {PARTLY}"]
    for run, data in ((first, "x"), (second, "x and y")):
        run["calls"][0] |= {"method": "apply_gradients", "data": {"hash": data}, "kept": False}
    assert ladder.possible_causes(first, second) == ([], [])
    second["unseen"] = first["unseen"]
    (blocked,) = ladder.possible_causes(first, second)[1]
    assert "and that in its own loop cannot be exchanged" in blocked


def test_a_race_is_no_rounding(tmp_path):
    runs = {f"first/as_is-{n}": a_run(1 + n / 1000, steps=("1", str(n))) for n in (1, 2)}
    runs |= {"second/as_is-1": a_run(1.02, initial="b", steps=("3", "4"))}
    runs["second/same_weights-1"] = a_run(1.001, done={"initial": 1})
    verdict = verdict_of(tmp_path, **runs, **{"first/ulp_1-1": a_run(1.0024)})
    assert verdict["yardstick"] < 1e-4
    assert verdict["causes"] == ["not reproducible", "initial draws"]


def test_what_is_printed_counts_where_nothing_is_evaluated_if_it_differs():
    pair = [a_run(numbers=[], printed=f"loss {n} after epoch 4\n") for n in (0.5, 0.6)]
    assert choose_metric(*pair) == "printed"  # as no loss of training differs
    pair[0]["models"][0]["losses"] = [0.9, 0.8]
    assert choose_metric(*pair) == "training loss"
    times = [a_run(numbers=[], printed=f"took {n} s\n") for n in (1.4, 1.5)]
    assert choose_metric(*times) == "printed"
    assert choose_metric(*times, repeats=False) == "training loss"
    for run in times:
        run["models"][0]["losses"] = [None]
    assert choose_metric(*times, repeats=False) == "printed"


def test_a_loss_has_one_name_however_it_is_written():
    pair = a_run(), a_run()
    for names in (("mse", "mean_squared_error"), ("kld", "KLDivergence"), (["mae"], ["MAE"])):
        for run, name in zip(pair, names, strict=True):
            run["models"][0]["loss"] = name
        assert losses_differ(*pair) == []
    pair[0]["models"][0]["loss"] = {"out": "mse"}
    pair[1]["models"][0]["loss"] = {"out": "mae"}
    assert len(losses_differ(*pair)) == 1


def test_the_shape_of_inputs_is_no_reason_and_given_weights_are_a_start():
    first = a_run(made=[made("Embedding", ["input_shape"], input_shape=[8])])
    second = a_run(made=[made("Embedding", ["input_dim"], input_dim=8)])
    assert reasons(first, second) == []
    weighed = a_run(made=[made("Embedding", ["weights"], weights="array")])
    assert without_effect(first, weighed) == []


def test_rows_of_predictions_that_a_printed_number_comes_from_are_told():
    pair = [a_run(printed=f"{number}\n") for number in (0.5, 0.6)]
    for run, size in zip(pair, (40, 8), strict=True):
        rows = {"hash": "r", "each": {"x": "1"}}
        call = {"method": "predict", "settings": {"batch_size": size}, "data": rows, "state": "s"}
        run["calls"] = [*run["calls"], call]
    numbers = [find_number(run, "printed") for run in pair]
    assert how_evaluated(*numbers, *pair) == "batches of 40 and 8 rows"
    pair[1]["calls"][-1]["data"] = {"hash": "s", "each": {"x": "2"}}
    assert how_evaluated(numbers[0], find_number(pair[1], "printed"), *pair) == "on other rows"


def test_what_remains_holds_no_evaluation(tmp_path):
    evaluated = a_run(2.0, steps=("1", "8"))
    swapped = a_run(1.0 + 1e-7, done={"final": 1})
    runs = {"first/as_is-1": a_run(), "second/as_is-1": evaluated}
    runs["first/final_of_as_is-1"] = swapped
    verdict_of(tmp_path, **runs)
    plan = ladder.plan_ladder([runs["first/as_is-1"]], [evaluated], "auto", 1) | {"runs": runs}
    verdict = judge.judge(Runs(tmp_path, plan, {}), plan, {"place": None, "runs": {}})
    assert verdict["causes"] == ["evaluation"]
    assert "What remains, +1e-07, is rounding" in verdict["sentence"]


def test_the_learning_rate_where_the_runs_part_is_told_first_and_once():
    verdict = {"place": {"step": [0, 33], "rates": [0.1, 0.01], "arrays": []}}
    more = a_run(made=[made("SGD")])
    said = ["learning rate in step 33: 0.1 → 0.01", "SGD is made in the second script only"]
    assert why_computed(verdict, a_run(), more) == said
    pair = [
        a_run(made=[made("SGD", ["learning_rate"], learning_rate=rate)]) for rate in (0.1, 0.01)
    ]
    assert why_computed(verdict, *pair) == ["SGD.learning_rate: 0.1 → 0.01"]


def test_rows_that_batches_and_arrays_hold_are_the_same():
    each = {"x": "1", "y": "2", "sample_weight": "3", "rows": 7}
    one = {"name": "val_loss", "method": "fit", "data": "a", "each": each, "batch_size": None}
    other = one | {"data": "b", "each": each | {"x": "4", "y": "5"}, "batch_size": 8}
    assert how_evaluated(one, other, a_run(), a_run()) == "batches of 32 and 8 rows"
    said = "the same rows, in another order or other batches"
    assert how_evaluated(one, other | {"batch_size": 32}, a_run(), a_run()) == said
    other["each"]["rows"] = 8
    assert how_evaluated(one, other, a_run(), a_run()) == "on other rows"


def test_what_cancels_is_told_together():
    old = [made("Dense", ["activation"], activation="sigmoid")]
    new = [made("Dense"), made("BinaryCrossentropy", ["from_logits"], "loss", from_logits=True)]
    said = ["BinaryCrossentropy, Dense.activation: together without effect here."]
    assert without_effect(a_run(made=old), a_run(made=new)) == said


def test_layers_that_both_scripts_give_one_name_stand_for_each_other():
    def layers(*names):
        kernels = {"class": "Dense", "shapes": [[2]]}
        return [kernels | {"name": name, "places": [n]} for n, name in enumerate(names)]

    assert match(layers("one"), layers("two", "one")) == [(0, 1)]
    assert match(layers("a", "b"), layers("b", "a")) == [(1, 0), (0, 1)]
    swapped = [a_run(), a_run(steps=("1", "3"))]
    for run, order in zip(swapped, (("a", "b"), ("b", "a")), strict=True):
        run["models"][0] |= {"layers": layers(*order), "initial": ["x", "y"], "weights": ["k", "k"]}
    assert ladder.possible_causes(*swapped)[0] == ["weights"]
    # Names that are made of the class, and names of one script alone, say nothing.
    assert match(layers("dense_1", "dense_2"), layers("dense_2", "mine")) == [(0, 0), (1, 1)]


def test_calls_of_a_layer_are_compared_where_both_runs_have_as_many(tmp_path):
    looked = {"first": ["one", "one", "join"], "second": ["one", "two", "join"]}
    outputs = {"first": [1.0, 2.0, 3.0], "second": [2.0, 9.0, 4.0]}
    for side, names in looked.items():
        entry = a_run()["models"][0] | {"looked": [[name, "Dense"] for name in names]}
        arrays = {f"forward/0/{n}": numpy.float32([x]) for n, x in enumerate(outputs[side])}
        for run in ("probe", "probe_ulp_1", "probe_ulp_2"):
            (tmp_path / side).mkdir(exist_ok=True)
            (tmp_path / f"{side}/{run}-1.json").write_text(json.dumps(a_run(models=[entry])))
            numpy.savez(tmp_path / f"{side}/{run}-1.npz", **arrays)
    (row,) = look_closer(SimpleNamespace(folder=tmp_path), [[0, 1], [0, 1]])["arrays"]
    assert row["array"] == "join (Dense)"
    assert row["largest_difference"] == 1.0
