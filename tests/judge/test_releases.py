"""Records of several releases become tables that say what changed, and what did not."""

import json
from types import SimpleNamespace

import pandas
import pytest
from judge.records import Records
from judge.releases import compare_releases, tabulate_randomness
from judge.tables import COLUMNS, read_table, write_table
from plan.configuration import ConfigurationError, check_config
from plan.documents import read_yaml
from plan.runs import plan_release, release_modes
from planted import make_record
from repository import ROOT

PAIR = ["plain", "activation"]
CLAIM = {
    "test": "published_number",
    "published": "0.7751",
    "cells": [{"environment": "a", "api": "tf.keras", "variant": "plain",
               "protocol": "question", "seed": 3, "rows": "90:100"}],
}  # fmt: skip


def make_run(release, variant, loss=0.5, start="1", trajectory="2", mode="default", seed=3):
    """Return (release, mode, record) as `compare_releases` wants it."""
    record = make_record(
        release,
        variant=variant,
        seed=seed,
        evaluations={"90:100": loss},
        initial_weights={"sha256": start},
        trajectory_sha256=trajectory,
    )
    return release, mode, record


# --- releases.csv ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "equal"),
    [({}, True), ({"start": "x"}, False), ({"trajectory": "x"}, False), ({"loss": 0.7}, True)],
)
def test_pair_is_equal_when_all_weights_are(changes, equal):
    table = compare_releases(
        [make_run("a", "plain"), make_run("a", "activation", **changes)], PAIR, []
    )
    assert list(table["pair_equal"]) == [equal, equal]


def test_pair_is_compared_within_a_release_and_mode():
    runs = [
        make_run("a", "plain"),
        make_run("a", "activation"),
        make_run("b", "plain"),
        make_run("b", "activation", start="x"),
        make_run("a", "plain", mode="switched"),
        make_run("a", "activation", mode="switched", trajectory="x"),
    ]
    assert list(compare_releases(runs, PAIR, [])["pair_equal"]) == [True, True] + [False] * 4


def test_other_variants_belong_to_no_pair():
    assert compare_releases([make_run("a", "bn")], PAIR, [])["pair_equal"].isna().all()


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, [True, True, True]),
        ({"loss": 0.50000006}, [True, True, False]),
        ({"trajectory": "x"}, [True, False, True]),
        ({"start": "x", "trajectory": "x", "loss": 0.7}, [False, False, False]),
    ],
)
def test_changes_against_the_previous_release(changes, same):
    table = compare_releases([make_run("a", "plain"), make_run("b", "plain", **changes)], PAIR, [])
    columns = ["same_initial_weights", "same_trajectory", "same_val_loss"]
    assert table[columns].iloc[0].isna().all()
    assert table[columns].iloc[1].tolist() == same
    assert table["previous_release"].iloc[1] == "a"
    assert table["difference"].iloc[1] == changes.get("loss", 0.5) - 0.5


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [(float("nan"), float("nan"), True), (0.0, -0.0, False), (0.5, float("nan"), False)],
)
def test_losses_are_the_same_when_their_bytes_are(before, after, same):
    runs = [make_run("a", "plain", before), make_run("b", "plain", after)]
    assert compare_releases(runs, PAIR, [])["same_val_loss"].iloc[1] is same


def test_modes_are_compared_each_with_itself():
    """A release that lacks a mode is passed over."""
    runs = [
        make_run("a", "plain"),
        make_run("b", "plain", loss=0.7),
        make_run("a", "plain", mode="switched"),
        make_run("c", "plain", mode="switched"),
    ]
    table = compare_releases(runs, PAIR, [])
    assert table["previous_release"].fillna("").tolist() == ["", "a", "", "a"]
    assert table["same_val_loss"].tolist()[1::2] == [False, True]


@pytest.mark.parametrize(
    ("loss", "verdict"),
    [(0.77514, "reproduced"), (0.7745, "within 0.001"), (1.17, "not reproduced")],
)
def test_agreement_with_the_page(loss, verdict):
    row = compare_releases([make_run("b", "plain", loss)], PAIR, [CLAIM]).iloc[0]
    assert (row["published"], row["agrees_with_published"]) == ("0.7751", verdict)


def test_no_agreement_is_asked_for_where_the_page_prints_nothing():
    runs = [make_run("b", "bn"), make_run("b", "plain", seed=4)]
    table = compare_releases(runs, PAIR, [CLAIM, {"test": "none_yet"}])
    assert set(table["published"]) == set(table["agrees_with_published"]) == {""}


def test_columns_are_the_documented_ones():
    runs = [make_run("a", "plain"), make_run("b", "plain")]
    assert list(compare_releases(runs, PAIR, [])) == list(COLUMNS["releases"])


# --- randomness.csv -------------------------------------------------------------------------------


def make_drawn(first, second, seeds=(4, 24), layers=("dense", "dense_1")):
    """Return what the probe notes for one source."""
    return {
        "drawing_layers": list(layers),
        "kernels": dict(zip(layers, (first, second), strict=True)),
        "op_level_seeds": {
            layer: {"op_seed": seed} for layer, seed in zip(layers, seeds, strict=True) if seed
        },
    }


@pytest.fixture
def randomness(planned, tmp_path):
    """The table for one planted probe and the records of its variant."""
    planned["sweep"]["releases"] = {"a": {"file": "", "label": "", "modes": ["default"]}}
    sources = {
        "nothing": make_drawn("1", "2"),
        "graph_seed": make_drawn("x", "x"),
        "numpy_seed": make_drawn("1", "2"),
        "extra_layer": make_drawn("1", "x", (4, 25), ("dense", "dense_7")),
        "extra_draw": make_drawn("1", "2", (None, None)),
    }
    machine = {"tensorflow": "1", "keras": "1", "executes_eagerly": False}
    cell = {"environment": "a", "change": "default", "variant": "plain"}
    probe = {"cell": cell, "machine": machine, "sources": sources}
    drawn = make_drawn("1", "2")
    lines = []
    for protocol, kernel in (("question", "2"), ("answer", "x")):
        arrays = [{"layer": "dense", "position": 0, "sha256": "1"},
                  {"layer": "dense", "position": 1, "sha256": "0"},
                  {"layer": "dense_1", "position": 0, "sha256": kernel}]  # fmt: skip
        record = make_record("a", protocol=protocol, change="default")
        lines.append(json.dumps(record | drawn | {"initial_weights": {"arrays": arrays}}))
    (tmp_path / "default.jsonl").write_text("\n".join(lines))
    return tabulate_randomness(planned, Records([tmp_path / "default.jsonl"]), [probe])


def test_sources_that_change_a_kernel(randomness):
    changes = {
        source: rows["changes_initial_weights"].tolist()
        for source, rows in randomness.groupby("source")
    }
    assert changes == {
        "graph_seed": [True, True],
        "numpy_seed": [False, False],
        "extra_layer": [False, True],
        "extra_draw": [False, False],
        "new_process_1": [False, False],
        "new_process_2": [False, True],
    }


def test_op_level_seeds_are_told_before_and_after(randomness, tmp_path):
    assert list(randomness) == list(COLUMNS["randomness"])
    write_table(randomness, tmp_path / "randomness.csv")
    table = read_table(tmp_path / "randomness.csv")
    extra = table[table["source"] == "extra_layer"]
    assert extra[["op_seed_with_nothing_varied", "op_seed"]].to_numpy().tolist() == [
        [4, 4],
        [24, 25],
    ]
    assert table.loc[table["source"] == "extra_draw", "op_seed"].isna().all()


# --- configuration --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"pair": ["plain", "plane"]}, "sweep/pair: found plane, expected a variant: plain, "),
        ({"pair": ["plain"]}, 'sweep/pair: found ["plain"], expected at least 2 item(s)'),
        ({"rows": {"answers": "80:90"}}, "sweep/rows: found answers, expected a protocol: "),
        ({"rows": {"answer": "0:9"}}, "sweep/rows/answer: found 0:9, expected evaluation rows"),
        ({"releases": {}}, "sweep/releases: found {}, expected at least 1 key(s)"),
        ({"mode": "eager"}, "sweep: found unknown mode, expected only pair, rows, releases"),
    ],
)
def test_mistakes_in_the_configuration(config, change, line):
    config["sweep"].update(change)
    with pytest.raises(ConfigurationError) as caught:
        check_config(config, ROOT)
    assert f"config: {line}" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"modes": ["eager"]}, 'modes/0: found "eager", expected one of default, switched'),
        ({"modes": []}, "modes: found [], expected at least 1 item(s)"),
        ({"file": "envs/absent.yaml"}, "file: found envs/absent.yaml, which is no file"),
        ({"file": "envs/tf2.1.yaml"}, "file: found envs/tf2.1.yaml, expected the file of the"),
    ],
)
def test_mistakes_in_a_release(config, change, line):
    config["sweep"]["releases"]["tf2.0-keras2.3.1"].update(change)
    with pytest.raises(ConfigurationError) as caught:
        check_config(config, ROOT)
    assert f"config: sweep/releases/tf2.0-keras2.3.1/{line}" in str(caught.value)


def test_a_configuration_without_sweep_is_right(config):
    del config["sweep"]
    check_config(config, ROOT)


def test_every_release_is_run_in_each_of_its_modes(committed_config):
    found = release_modes(committed_config)
    assert len(found) == len(set(found)) == 19
    assert found[0] == ("tf1.13", "default")
    assert ("tf-current-keras3", "switched") not in found
    place = SimpleNamespace(environment="tf2.6", mode="switched")
    plan = json.loads(plan_release(committed_config, ["plain", "bn"], ["answer"], place))
    assert plan["environment"] == "tf2.6"
    assert plan["eager"] == "switched"
    assert len(plan["cells"]) == 2
    assert {"change": "switched", "variant": "bn", "protocol": "answer"} in plan["cells"]


@pytest.mark.parametrize("release", read_yaml(ROOT / "config.yaml")["sweep"]["releases"])
def test_label_is_the_locked_version(committed_config, release):
    entry = committed_config["sweep"]["releases"][release]
    pins = (ROOT / entry["file"]).read_text(encoding="utf-8")
    assert any(
        f"- {name}=={entry['label']} --hash" in pins for name in ("tensorflow", "tensorflow-cpu")
    )


@pytest.mark.slow
def test_the_default_run_builds_no_further_environment(framework_pythons):
    assert "figures" in framework_pythons
    assert "tf2.11" not in framework_pythons


# --- what is committed ----------------------------------------------------------------------------


def test_committed_tables_have_every_cell(committed_config):
    releases = read_table(ROOT / "results/tables/releases.csv")
    assert list(releases) == list(COLUMNS["releases"])
    found = dict.fromkeys(zip(releases["release"], releases["mode"], strict=True))
    assert list(found) == release_modes(committed_config)
    assert len(releases) == len(found) * 12 * 2


def test_nothing_varied_changes_nothing_in_any_release():
    randomness = read_table(ROOT / "results/tables/randomness.csv")
    same = randomness["source"].isin(["nothing_again", "new_process_1", "new_process_2"])
    assert same.sum() == 19 * 2 * 3
    assert not randomness.loc[same, "changes_initial_weights"].any()


def test_v1_differs_from_v2_where_an_extra_layer_changes_the_draws():
    """Two tables from different processes, one answer."""
    releases = read_table(ROOT / "results/tables/releases.csv")
    randomness = read_table(ROOT / "results/tables/randomness.csv")
    extra = randomness[randomness["source"] == "extra_layer"]
    changed = extra.groupby(["release", "mode"])["changes_initial_weights"].any()
    pairs = releases[releases["variant"] == "plain"].groupby(["release", "mode"])["pair_equal"]
    assert pairs.nunique().eq(1).all()
    pandas.testing.assert_series_equal(
        changed.astype(bool), ~pairs.first().astype(bool), check_names=False
    )
