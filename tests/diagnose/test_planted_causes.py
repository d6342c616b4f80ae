"""Planted causes: all of them and no others are named; the page of them counts what was said."""

import json

import pytest
from planted_scripts import (
    CELLS,
    DEFAULT,
    FORMULA,
    ROUNDING,
    givers,
    is_right,
    name_of,
    named_in,
    planned,
    plant,
    planted_in,
    share,
    tell,
)


def test_there_is_a_pair_for_each_cause_and_every_two(tmp_path):
    pairs = plant(tmp_path, "tf2.0")
    for column in CELLS:
        assert planned(column) == len(plant(tmp_path, column))
    assert len(pairs) == 1 + 6 + 14 + 6 + (1 + 5)  # nothing, one, two, in both, changed default
    equal = {name for name, pair in pairs.items() if pair["first"] == pair["second"]}
    assert equal == {name for name in pairs if name.startswith("both.")} | {
        name_of(()),
        name_of((DEFAULT,)),
    }


def test_runs_of_the_plain_script_are_shared(tmp_path):
    pairs = plant(tmp_path, "tf2.0")
    assert givers(pairs) == ["rounding", "changed_default"]
    for giver in givers(pairs):
        made = tmp_path / giver / "runs/first"
        made.mkdir(parents=True)
        for name in ("as_is-1.json", "ulp_1-1.npz", "probe-1.json"):
            (made / name).write_text(giver)
    own = tmp_path / "data/runs/first/as_is-1.json"
    own.parent.mkdir(parents=True)
    own.write_text("its own")
    copied = share(tmp_path, pairs)
    assert own.read_text() == "its own"
    assert {path.name for path in copied} == {"as_is-1.json", "ulp_1-1.npz"}
    assert (tmp_path / "data.evaluation/runs/first/as_is-1.json").read_text() == "rounding"
    recurrent = tmp_path / "changed_default.data/runs/first"
    assert [path.read_text() for path in recurrent.iterdir()] == ["changed_default"]
    assert not (tmp_path / "both.data").exists()
    assert not share(tmp_path, pairs)


def test_page_counts_what_was_named():
    right = {"data": {"data"}, "both.data": set(), "data.evaluation": {"data", "evaluation"}}
    page = tell({"tf2.0": {**right, "evaluation": {"undecided"}, "rounding": {"data"}}})
    assert "**5 pairs were diagnosed, 3 of them with exactly the planted causes.**" in page
    assert "| tf2.0 | 33 | 5 | 3 |" in page
    assert "| data | 2 | 2 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |" in page
    assert "| evaluation | 2 | 0 | 0 | 0 | 0 | 0 | 1 | 0 | 0 | 1 |" in page
    assert "| rounding | 1 | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |" in page
    assert "| data, evaluation | yes |" in page
    assert "| in both scripts: data | yes |" in page
    assert "| evaluation | undecided |" in page


def test_two_releases_round_or_compute_differently():
    assert planted_in("data", "tf2.6") == {"data"}
    assert planted_in("both.data", "tf2.6") == set()
    assert planted_in("changed_default.data", "tf2.6") == {DEFAULT, "data", ROUNDING}
    assert planted_in("changed_default.computation", "tf2.6") == {DEFAULT, FORMULA}
    assert planted_in("changed_default", "current") == {DEFAULT, FORMULA}


def test_what_races_need_not_repeat():
    raced = {"data", "not reproducible"}
    assert is_right(raced, "data", "keras2.2.4") and is_right({"data"}, "data", "keras2.2.4")
    assert not is_right(raced, "data", "keras2.3.1")
    assert planted_in("changed_default", "keras2.3.1") == {DEFAULT}
    for named in ({DEFAULT}, {DEFAULT, ROUNDING}, {DEFAULT, "not reproducible"}):
        assert is_right(named, "changed_default", "keras2.3.1")
    assert not is_right({DEFAULT, "not reproducible"}, "changed_default", "tf2.0")
    assert not is_right({"not reproducible"}, "data", "keras2.2.4")
    assert "| data | yes, not reproducible |" in tell({"keras2.2.4": {"data": raced}})


def test_rounding_is_named_where_anything_is_left():
    verdict = {"undecided": None, "causes": ["data"], "rows": [], "place": None}
    assert named_in(verdict) == {"data"}
    left = {"cause": ROUNDING, "contribution": 1e-9}
    assert named_in({**verdict, "rows": [left]}) == {"data", ROUNDING}
    assert named_in({**verdict, "place": {"step": [0, 1]}}) == {"data", ROUNDING}
    assert named_in({**verdict, "causes": [FORMULA], "place": {"step": [0, 1]}}) == {FORMULA}


@pytest.mark.long
@pytest.mark.parametrize("column", CELLS)
def test_planted_causes_are_named_and_no_others(diagnose, tmp_path, column):
    pairs = plant(tmp_path, column)
    folder, _ = diagnose({name: pairs[name] for name in givers(pairs)})
    assert share(folder, pairs)
    diagnose(pairs, folder=folder)
    wrong = {}
    for name in pairs:
        verdict = json.loads((folder / name / "verdict.json").read_text())
        if not is_right(named_in(verdict), name, column):
            wrong[name] = verdict["sentence"]
    assert not wrong
