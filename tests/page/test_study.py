"""The cells and chunks of the seed study, and the claims that are decided from its effects."""

import json
from pathlib import Path

import numpy
import pandas
import pytest
from judge.claims import NOT_REPRODUCED, NOT_TESTED, REFUTED, REPRODUCED, judge
from judge.tables import COLUMNS
from plan.claims import TESTS, read_claims
from repository import ROOT

from page.chunks import read_chunks
from page.plans import chunk_files, study_parts, study_trainings
from page.study import CELL, evaluated_rows, expand_part, noted_epochs

CLAIMS = {
    claim["id"]: claim
    for claim in read_claims(ROOT / "claims.yaml")
    if "sensitivity_effects" in TESTS[claim["test"]].reads
}


def expand(config, *cells, **part):
    return expand_part({"cells": cells, **part}, config["experiment"], config["protocols"])


def test_every_combination_is_a_cell(planned):
    run = {"variant": ["plain", "bn"], "protocol": "question", "batch_size": [2, 4, 8]}
    cells = expand(planned, run)
    assert [(cell["variant"], cell["batch_size"]) for cell in cells] == [
        (variant, size) for variant in ("plain", "bn") for size in (2, 4, 8)
    ]
    assert all(tuple(cell) == CELL for cell in cells)


def test_a_cell_is_as_its_protocol_says(planned):
    question, answer = expand(planned, {"variant": "bn", "protocol": ["question", "answer"]})
    assert (question["batch_size"], question["epochs"], question["steps"]) == (32, 20, 60)
    assert (answer["batch_size"], answer["epochs"], answer["steps"]) == (10, 20, 180)
    assert (question["training_rows"], question["held_out_rows"]) == (90, 10)
    assert evaluated_rows(question) == ((0, 90), (80, 90), (90, 100))


@pytest.mark.parametrize(
    "size, protocol, epochs, steps",
    [
        (2, "question", 4, 180),
        (4, "question", 8, 184),
        (90, "question", 180, 180),
        (4, "answer", 8, 176),
    ],
)
def test_steps_become_whole_epochs(planned, size, protocol, epochs, steps):
    (cell,) = expand(
        planned, {"variant": "bn", "protocol": protocol, "batch_size": size, "steps": 180}
    )
    assert (cell["epochs"], cell["steps"]) == (epochs, steps)


def test_the_last_epoch_is_always_noted():
    assert noted_epochs({"noted": [20, 200]}, {"epochs": 200}) == [20, 200]
    assert noted_epochs({"noted": [20, 200]}, {"epochs": 100}) == [20, 100]
    assert noted_epochs({}, {"epochs": 5}) == [5]


def test_raising_the_seeds_adds_chunks_only(planned):
    part = planned["study"]["parts"]["protocols"]
    part.update(seeds=4, chunk=2)
    before = chunk_files(planned, ["protocols"], ["x"])
    assert [path.rsplit("/", 1)[1] for path in before] == ["seeds0-1.npz", "seeds2-3.npz"]
    part["seeds"] = 7
    after = chunk_files(planned, ["protocols"], ["x"])
    assert after[:2] == before
    assert [path.rsplit("/", 1)[1] for path in after[2:]] == ["seeds4-5.npz", "seeds6-6.npz"]


def write_chunks(config, part, environment):
    """Write the chunks of a part, each loss the number of its cell, epoch and seed; return them."""
    settings = config["study"]["parts"][part]
    cells = expand(config, *settings["cells"])
    files = chunk_files(config, [part], [environment])
    for path in map(Path, files):
        first, last = map(int, path.stem.removeprefix("seeds").split("-"))
        seeds = numpy.arange(first, last + 1)
        place = {"part": part, "environment": environment}
        arrays = {"seeds": seeds, "cells": json.dumps(cells), **place}
        for position, cell in enumerate(cells):
            places = numpy.arange(len(noted_epochs(settings, cell)))
            numbers = 100.0 * position + 10.0 * places + seeds[:, None]
            arrays[f"{position}/evaluations"] = numpy.repeat(numbers[..., None], 3, axis=2)
        path.parent.mkdir(parents=True, exist_ok=True)
        numpy.savez(path, **arrays)
    return files


@pytest.mark.parametrize("size", [1, 3, 7])
def test_rows_do_not_depend_on_the_size_of_the_chunks(planned, size, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = [{"variant": ["plain", "bn"], "protocol": "question"}]
    part = {
        "question": "page",
        "environments": ["x"],
        "seeds": 7,
        "chunk": size,
        "noted": [5],
        "cells": cells,
    }
    planned["study"]["parts"] = {"p": part}
    files = write_chunks(planned, "p", "x")
    table = read_chunks(files, planned["study"]["parts"], "study")
    assert list(table["seed"]) == list(range(7)) * 4
    assert list(table["variant"]) == ["plain"] * 14 + ["bn"] * 14
    assert list(table["epoch"]) == ([5] * 7 + [20] * 7) * 2
    starts = (0, 10, 100, 110)
    assert list(table["held_out_loss"]) == [start + seed for start in starts for seed in range(7)]


def test_chunks_of_other_seeds_are_told(planned, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = [{"variant": "bn", "protocol": "question"}]
    part = {"question": "page", "environments": ["x"], "seeds": 6, "chunk": 2, "cells": cells}
    planned["study"]["parts"] = {"p": part}
    files = write_chunks(planned, "p", "x")
    for given in (files[:2], files[1:], [files[0], *files], files[::-1]):
        with pytest.raises(ValueError, match=r"chunks of p in x: found . seeds .* each of 6 once"):
            read_chunks(given, planned["study"]["parts"], "study")


def test_each_part_is_in_one_table(planned):
    default, others = study_parts(planned)
    assert sorted(default + others) == sorted(planned["study"]["parts"])
    assert default == ["protocols"]
    trained = study_trainings(planned, default + others)
    assert set(trained["part"]) == set(planned["study"]["parts"])


def test_at_least_sixteen_runs_are_compared_in_each_study_run(planned):
    parts = planned["study"]["parts"]
    compared = sum(
        parts[part]["compared"] * len(parts[part]["environments"])
        for part in planned["study"]["default"]
    )
    assert compared >= 16


def effects(*rows):
    """Return sensitivity_effects.csv with these rows, the rest of each as on the page."""
    page = {
        **{"part": "x", "variant": "bn", "rows": "held_out", "learning_rate": 0.001},
        **{"question": "learning_rate", "data_seed": 1, "diverged": 0, "family_confidence": 0.95},
        "equal_start": True,
        **{"batch_size": 32, "training_rows": 90, "steps": 60, "epoch": 20, "mean_first": 1.0},
        **{"hidden": "linear", "output": "linear"},
    }
    table = pandas.DataFrame([{**page, **row} for row in rows])
    return table.reindex(columns=list(COLUMNS["sensitivity_effects"]))


def interval(low, high):
    middle = (low + high) / 2
    family = {"low_of_family": low, "high_of_family": high}
    # Each alone is surer than all together: no verdict may rest on these.
    return {"low": middle, "high": middle, "mean_difference": middle, **family}


def verdict(claim, *rows):
    row = judge(CLAIMS[claim], {"sensitivity_effects": effects(*rows)})
    assert "this network and data only" in row["reason"]
    return row["verdict"]


WORSE, BETTER, UNCLEAR = interval(0.1, 0.2), interval(-0.2, -0.1), interval(-0.1, 0.1)


@pytest.mark.parametrize(
    "epochs, steps, expected",
    [
        (WORSE, WORSE, REPRODUCED),
        (WORSE, BETTER, REFUTED),
        (BETTER, WORSE, REFUTED),
        (WORSE, UNCLEAR, NOT_REPRODUCED),
        (UNCLEAR, UNCLEAR, NOT_REPRODUCED),
    ],
)
def test_small_batches(epochs, steps, expected):
    rows = [
        {"kind": f"batch_size_32_{kind}", "batch_size": 8, **found}
        for kind, found in (("epochs", epochs), ("steps", steps))
    ]
    rows.append({"kind": "batch_size_32_steps", "batch_size": 64, **BETTER})  # not under 32
    assert verdict("small_batches_are_bad", *rows) == expected


@pytest.mark.parametrize(
    "few, many, expected",
    [
        (WORSE, BETTER, REPRODUCED),
        (BETTER, WORSE, REFUTED),
        (WORSE, interval(0.15, 0.3), NOT_REPRODUCED),
    ],
)
def test_rows_needed(few, many, expected):
    rows = [
        {"question": "rows", "kind": "bn", "training_rows": n, "steps": steps, **found}
        for n, steps, found in ((100, 3128, few), (10000, 3130, many), (100, 80, WORSE))
    ]
    assert verdict("data_set_must_be_large", *rows) == expected


@pytest.mark.parametrize(
    "late, expected", [(WORSE, REPRODUCED), (BETTER, REFUTED), (UNCLEAR, NOT_REPRODUCED)]
)
def test_linear_pair(late, expected):
    common = {"kind": "linear_linear", "variant": "activations", "hidden": "relu"}
    common |= {"question": "activations"}
    rows = [{**common, "epoch": 20, **WORSE}, {**common, "epoch": 2000, **late}]
    assert verdict("linear_pair_is_best", *rows) == expected


@pytest.mark.parametrize(
    "late, expected",
    [
        (interval(0.001, 0.009), REPRODUCED),
        (interval(0.005, 0.02), NOT_REPRODUCED),  # 0.01 lies within
        (interval(0.01, 0.02), NOT_REPRODUCED),
        (interval(0.011, 0.02), REFUTED),
    ],
)
def test_near_pca(late, expected):
    common = {"kind": "pca", "variant": "plain", "rows": "training"}
    rows = [{**common, "epoch": 20, **interval(1.0, 1.1)}, {**common, "epoch": 2000, **late}]
    assert verdict("linear_autoencoder_is_pca", *rows) == expected


@pytest.mark.parametrize(
    "other, expected", [(BETTER, REPRODUCED), (UNCLEAR, NOT_REPRODUCED), (WORSE, REFUTED)]
)
def test_what_helps(other, expected):
    common = {"kind": "bn"}
    rows = [{**common, **(WORSE if other is WORSE else UNCLEAR)}]
    rows.append({**common, "learning_rate": 0.1, **other})
    assert verdict("what_makes_bn_help", *rows) == expected


def judged(claim, *rows):
    return judge(CLAIMS[claim], {"sensitivity_effects": effects(*rows)})


def test_a_cell_that_has_diverged_decides_nothing():
    helps = {"kind": "bn", "learning_rate": 0.1, **BETTER, "diverged": 3}
    row = judged("what_makes_bn_help", {"kind": "bn", **WORSE}, helps)
    assert row["verdict"] == NOT_REPRODUCED  # what was left out may have helped
    assert "1 cells are left out, since a training has diverged" in row["reason"]
    only = judged("what_makes_bn_help", {"kind": "bn", **BETTER, "diverged": 1})
    assert (only["verdict"], "has diverged" in only["reason"]) == (NOT_TESTED, True)


def test_always_is_not_reproduced_without_the_cells_that_have_diverged():
    common = {"kind": "linear_linear", "variant": "activations", "question": "activations"}
    rows = [{**common, **WORSE}, {**common, "epoch": 200, **WORSE, "diverged": 1}]
    assert judged("linear_pair_is_best", *rows)["verdict"] == NOT_REPRODUCED


@pytest.mark.parametrize("claim", ["what_makes_bn_help", "linear_autoencoder_is_pca"])
def test_what_is_as_on_the_page_is_one_cell(claim):
    """The first of several rows, or that of the least learning rate, may be another one."""
    kind = {"kind": "bn"} if claim == "what_makes_bn_help" else {"kind": "pca", "rows": "training"}
    other = {**kind, **BETTER, "data_seed": 2}
    assert judged(claim, other)["verdict"] == NOT_TESTED
    page = {**kind, **BETTER}
    assert judged(claim, page, {**page, "bn_momentum": 0.5})["reason"].startswith("2 cells are ")


@pytest.mark.parametrize("claim", CLAIMS)
def test_without_the_study_nothing_is_decided(claim):
    row = judge(CLAIMS[claim], {})
    assert (row["verdict"], row["measured"]) == (NOT_TESTED, "")


SHOWN = "intervals hold together with 95%; this network and data only"


def test_what_is_said_of_small_batches():
    """Every number of the sentence: counts, the extremes, and where BN itself helps."""
    sizes = {2: interval(0.2, 0.4), 8: BETTER, 16: UNCLEAR, 64: interval(0.8, 0.9)}
    sizes |= {1: interval(0.0, 0.1), 3: interval(-0.1, 0.0), 32: interval(0.9, 1.0)}
    rows = [
        {"kind": f"batch_size_32_{kind}", "batch_size": size, "epoch": 10 + size, **found}
        for kind in ("epochs", "steps")
        for size, found in sizes.items()
    ]
    batch = {"question": "batch_size", "kind": "bn"}
    rows += [{**batch, "batch_size": size, **found} for size, found in sizes.items()]
    rows.append({**batch, "batch_size": 6, **BETTER})
    rows += [
        {**batch, "batch_size": 4, **BETTER, "rows": "training"},
        {**batch, "batch_size": 10, **BETTER, "question": "rows"},
        {**batch, "batch_size": 30, **BETTER, "kind": "chance"},
        {**batch, "batch_size": 31, **interval(-0.2, 0.0)},
        {**batch, "batch_size": 30, **interval(0.0, 0.2)},
    ]
    row = judged("small_batches_are_bad", *rows)
    line = (
        "worse than 32 in 1, better in 1 of 5 cases, from -0.1500 [-0.2000, -0.1000] (batch 8, "
        "epoch 18) to +0.3000 [+0.2000, +0.4000] (batch 2, epoch 12)"
    )
    assert row["reason"] == (
        f"BN's loss after as many epochs {line}; after as many steps {line}; against no BN it "
        f"helps somewhere with batches of 6, 8, hurts somewhere with 2; {SHOWN}"
    )
    assert row["measured"] == f"after as many steps {line}"


def test_an_interval_that_touches_zero_decides_nothing():
    common = {"kind": "linear_linear", "variant": "activations", "question": "activations"}
    for touching in (interval(0.0, 0.2), interval(-0.2, 0.0)):
        assert judged("linear_pair_is_best", {**common, **touching})["verdict"] == NOT_REPRODUCED
    few, many = interval(0.1, 0.2), interval(0.0, 0.1)
    rows = [
        {"question": "rows", "kind": "bn", "training_rows": n, "steps": 3130, **found}
        for n, found in ((100, few), (10000, many))
    ]
    assert judged("data_set_must_be_large", *rows)["verdict"] == NOT_REPRODUCED
    rows.reverse()
    swapped = [row | {"training_rows": n} for row, n in zip(rows, (100, 10000), strict=True)]
    assert judged("data_set_must_be_large", *swapped)["verdict"] == NOT_REPRODUCED


def test_what_is_said_of_rows():
    rows = [
        {"question": "rows", "kind": "bn", "training_rows": n, "steps": steps, **found}
        for n, steps, found in (
            (100, 3128, WORSE), (500, 3130, UNCLEAR), (10000, 3130, BETTER), (50, 3000, BETTER)
        )
    ]  # fmt: skip
    row = judged("data_set_must_be_large", *rows)
    measured = (
        "BN - no BN +0.1500 [+0.1000, +0.2000] with 100 training rows, "
        "-0.1500 [-0.2000, -0.1000] with 10000"
    )
    assert row["measured"] == measured
    assert row["reason"] == f"after 3128 and 3130 steps: {measured}; {SHOWN}"


def test_what_is_said_of_pairs_of_activations():
    common = {"kind": "linear_linear", "variant": "activations", "question": "activations"}
    rows = [
        {**common, "epoch": epoch, "hidden": hidden, "output": "tanh", **found}
        for epoch in (20, 2000)
        for hidden, found in (
            *(("relu", WORSE), ("tanh", UNCLEAR), ("elu", BETTER)),
            *(("sigmoid", interval(0.0, 0.1)), ("linear", interval(-0.1, 0.0))),
        )
    ]
    row = judged("linear_pair_is_best", *rows)
    line = (
        "1 of 5 pairs are worse, 1 better; the best other, elu/tanh, by -0.1500 [-0.2000, -0.1000]"
    )
    assert row["measured"] == f"after 2000 epochs {line}"
    assert row["reason"] == (
        f"without BN, after 20 epochs {line}; after 2000 epochs {line}; {SHOWN}"
    )


def test_what_is_said_of_pca():
    common = {"kind": "pca", "variant": "plain", "rows": "training", "mean_first": 0.5}
    rows = [
        {**common, "epoch": 20, **interval(1.0, 1.1)},
        {**common, "epoch": 2000, "learning_rate": 0.03, **interval(0.002, 0.004)},
        {**common, "epoch": 2000, "learning_rate": 0.1, **interval(0.006, 0.008)},
        {**common, "epoch": 1000, "learning_rate": 0.1, **interval(0.0, 0.0)},
    ]
    row = judged("linear_autoencoder_is_pca", *rows)
    assert row["measured"] == "training loss +0.60% from rank-8 PCA after 2000 epochs"
    assert row["verdict"] == REPRODUCED
    assert row["reason"] == (
        "+0.0030 [+0.0020, +0.0040] above PCA's 0.5000 at learning rate 0.03, 2000 epochs; after "
        "the page's 20 epochs still +1.0500 [+1.0000, +1.1000] above it, so far from PCA; " + SHOWN
    )
    within = [rows[0], {**common, "epoch": 2000, **interval(0.0, 0.005)}]
    assert judged("linear_autoencoder_is_pca", *within)["verdict"] == REPRODUCED  # 1 % exactly
    unclear = [rows[0], {**common, "epoch": 2000, **interval(0.0, 0.0051)}]
    assert judged("linear_autoencoder_is_pca", *unclear)["verdict"] == NOT_REPRODUCED


def test_pca_is_out_of_reach_only_if_every_learning_rate_is_beyond():
    common = {"kind": "pca", "variant": "plain", "rows": "training"}
    page = {**common, "epoch": 20, **interval(1.0, 1.1)}
    beyond = {**common, "epoch": 2000, **interval(0.02, 0.03)}
    unclear = {**beyond, "learning_rate": 0.1, **interval(0.005, 0.05)}
    assert judged("linear_autoencoder_is_pca", page, beyond)["verdict"] == REFUTED
    assert judged("linear_autoencoder_is_pca", page, beyond, unclear)["verdict"] == NOT_REPRODUCED
    lost = {**beyond, "learning_rate": 0.1, "diverged": 1}
    assert judged("linear_autoencoder_is_pca", page, beyond, lost)["verdict"] == NOT_REPRODUCED


def test_what_is_said_of_settings():
    common = {"kind": "bn", "bn_momentum": 0.99}
    rows = [
        {**common, **UNCLEAR},
        {**common, "learning_rate": 0.1, **WORSE},
        {**common, "question": "rows", "epoch": 30, "training_rows": 500, **interval(-0.9, -0.7)},
        {**common, "question": "batch_size", "batch_size": 4, **BETTER},
        {**common, "question": "momentum", "learning_rate": 0.2, **interval(0.0, 0.1)},
        {**common, "question": "momentum", "learning_rate": 0.3, **interval(-0.1, 0.0)},
        {**common, "question": "activations", **BETTER},
        {**common, "question": "rows", **BETTER, "equal_start": False},
        {**common, "question": "rows", **BETTER, "rows": "training"},
    ]
    row = judged("what_makes_bn_help", *rows)
    page = "as on the page +0.0000 [-0.1000, +0.1000]"
    assert row["measured"] == f"BN helps in 2, hurts in 1 of 6 settings; {page}"
    assert row["reason"] == (
        "from equal initial weights, number of settings that help: learning rate 0 of 2, batch "
        "size 1 of 1, momentum 0 of 2, rows 1 of 1; most at learning rate 0.001, batch 32, "
        "30 epochs, 500 rows, BN momentum 0.99: -0.8000 [-0.9000, -0.7000]; already "
        f"{page}; {SHOWN}"
    )
