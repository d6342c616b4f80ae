"""Records become rows with the documented columns, in a stable order, without losing a bit."""

import json
import random

import numpy
import pandas
import pytest
from judge.records import Records
from judge.tables import (
    COLUMNS,
    ROWS,
    make_table,
    read_table,
    role_of,
    write_record_tables,
    write_table,
)
from planted import make_record


@pytest.mark.parametrize("name", ROWS)
def test_columns_are_the_documented_ones(name):
    assert list(make_table(name, [make_record()])) == list(COLUMNS[name])


def test_runs_have_a_row_per_evaluation_range():
    record = make_record()
    runs = make_table("runs", [record])
    assert list(runs["rows"]) == ["80:90", "90:100"]
    assert list(runs["rows_role"]) == ["training", "held_out"]
    assert list(runs["val_loss"]) == list(record["evaluations"].values())
    assert set(runs["loss"]) == {record["epochs"][-1]["loss"]}
    assert set(runs["steps"]) == {4}
    assert set(runs["initial_weights_sha256"]) == {"c" * 64}
    assert set(runs["final_weights_sha256"]) == {"d" * 64}
    assert set(runs["trajectory_sha256"]) == {"e" * 64}


def test_epochs_have_a_row_per_epoch_and_range():
    record = make_record()
    epochs = make_table("epochs", [record])
    assert list(epochs["epoch"]) == [1, 1, 2, 2]
    assert list(epochs["rows"]) == ["80:90", "90:100"] * 2
    assert epochs["val_loss"][3] == record["epochs"][1]["rows"]["90:100"]


def test_steps_have_a_row_per_step_and_trained_layer():
    record = make_record()
    steps = make_table("steps", [record])
    assert list(steps["layer"]) == ["dense", "dense_1"] * 4
    assert list(steps["step"]) == [1, 1, 2, 2, 3, 3, 4, 4]
    assert steps["weight_sum"][3] == record["weight_sums"][1]["dense_1"]
    assert steps["loss"][6] == record["step_losses"][3]


def test_layers_have_a_row_per_layer():
    layers = make_table("layers", [make_record()])
    assert list(layers["layer"]) == ["dense", "activation", "dense_1"]
    assert list(layers["position"]) == [1, 2, 3]
    assert list(layers["output_equals_input"]) == [None, True, None]
    assert list(layers["op_seed"].astype(str)) == ["4", "<NA>", "25"]
    assert list(layers["initial_kernel_sha256"]) == ["a" * 64, None, "b" * 64]


def test_order_does_not_depend_on_that_of_the_files(tmp_path):
    paths = []
    for seed, repeat, variant in [(11, 1, "bn"), (3, 2, "bn"), (3, 10, "bn"), (3, 1, "plain")]:
        paths.append(tmp_path / f"{seed}-{repeat}-{variant}.json")
        paths[-1].write_text(json.dumps(make_record(variant=variant, seed=seed, repeat=repeat)))
    tables = []
    for shuffle in range(3):
        random.Random(shuffle).shuffle(paths)
        tables.append(make_table("runs", Records(paths)))
    pandas.testing.assert_frame_equal(tables[0], tables[1])
    pandas.testing.assert_frame_equal(tables[0], tables[2])
    cells = tables[0][["variant", "seed", "repeat"]].drop_duplicates()
    assert cells.to_numpy().tolist() == [
        ["bn", 3, 2],
        ["bn", 3, 10],
        ["bn", 11, 1],
        ["plain", 3, 1],
    ]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_tables_do_not_depend_on_the_batches(tmp_path, batch_size):
    no_identity = {"layer_is_identity": {}, "op_level_seeds": {}}
    records = [make_record(seed=seed, **(no_identity if seed == 4 else {})) for seed in range(7)]
    paths = {name: tmp_path / f"new/{name}.csv" for name in ROWS}
    write_record_tables(iter(records), paths, batch_size)
    for name, path in paths.items():
        write_table(make_table(name, records), tmp_path / "whole.csv")
        assert path.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_every_bit_survives_the_file(tmp_path):
    random32 = numpy.random.default_rng(0).normal(1, 0.3, 2000).astype("float32")
    values = [*map(float, random32), 0.1 + 0.2, 1 / 3, 5e-324, 1e300, 0.7751016616821289]
    write_table(pandas.DataFrame({"val_loss": values}), tmp_path / "t.csv")
    again = read_table(tmp_path / "t.csv")["val_loss"].to_numpy()
    assert again.tobytes() == numpy.array(values).tobytes()
    assert again[:2000].astype("float32").tobytes() == random32.tobytes()


def test_file_has_no_index_and_unix_line_ends(tmp_path):
    write_table(make_table("runs", [make_record()]), tmp_path / "new/runs.csv")
    content = (tmp_path / "new/runs.csv").read_bytes()
    assert content.startswith(b"environment,api,")
    assert content.count(b"\n") == 3
    assert b"\r" not in content


def test_rows_and_seeds_stay_what_they_are(tmp_path):
    write_table(make_table("layers", [make_record()]), tmp_path / "layers.csv")
    text = (tmp_path / "layers.csv").read_text()
    assert ",3,25," in text  # not 25.0, although a layer without a seed is in the column
    write_table(make_table("runs", [make_record()]), tmp_path / "runs.csv")
    assert list(read_table(tmp_path / "runs.csv")["rows"]) == ["80:90", "90:100"]


@pytest.mark.parametrize(
    ("rows", "role"),
    [
        ("0:90", "training"),
        ("80:90", "training"),
        ("90:100", "held_out"),
        ("89:91", "mixed"),
        ("0:100", "mixed"),
        ("5:15", "mixed"),
    ],
)
def test_role_of(rows, role):
    assert role_of(rows, [10, 90] if rows == "5:15" else [0, 90]) == role
