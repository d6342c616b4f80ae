"""Records in JSON Lines files are found by what was trained; what is no record is told."""

import json

import pytest
from judge.records import Records
from planted import make_record

CELL = {"environment": "tf1.14-keras2.2.4", "api": "tf.keras", "variant": "bn"}
CELL["protocol"] = "question"


@pytest.fixture
def write(tmp_path):
    """Write records, one in a line; return the file."""

    def write(*records):
        path = tmp_path / "runs.jsonl"
        lines = [one if isinstance(one, str) else json.dumps(one) for one in records]
        path.write_text("".join(line + "\n" for line in lines))
        return path

    return write


def test_a_record_is_found_by_change_cell_seed_and_repeat(write):
    kept = [
        make_record(variant="bn", seed=seed, repeat=repeat, change=change)
        for seed in (3, 11)
        for repeat in (1, 2)
        for change in ("published", "new_process")
    ]
    path = write(*kept)
    records = Records([path], seed=11)
    assert len(list(records)) == 4
    assert records.find("published", CELL) == kept[4]
    assert records.find("new_process", CELL, repeat=2) == kept[7]
    assert Records([path]).find("published", CELL | {"seed": 3}, repeat=2) == kept[2]


def test_a_run_that_is_not_there_is_told(write):
    records = Records([write(make_record(variant="plain"))], seed=3)
    with pytest.raises(ValueError, match=r"no record of tf1.14-keras2.2.4, tf.keras, bn, questi"):
        records.find("published", CELL)


def test_a_second_record_of_a_run_is_told(write):
    path = write(make_record(), make_record(seed=4), make_record())
    with pytest.raises(ValueError, match=r"runs.jsonl: found \('tf1.14-.*\) again, expected one"):
        Records([path])


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (json.dumps(make_record(variant="bn"))[:-9], "no record"),
        ("{}", "no record"),
        ("", "no record"),
        (make_record(format=1), "format 1"),
        (make_record(format=2), "format 2"),
    ],
)
def test_a_line_that_is_no_record_is_told_with_its_place(write, line, found):
    path = write(make_record(), line)
    with pytest.raises(ValueError, match=f"runs.jsonl, line 2: found {found}, expected a record"):
        Records([path])
