"""What is handed to models: rows in any order, batches of every kind, and their exchange."""

import numpy
import pytest
from diagnose import data

ROWS, LABELS = numpy.arange(12.0).reshape(6, 2), numpy.arange(6)


class Recorder:
    """What a feed needs of a recorder."""

    def __init__(self, room=True):
        self.plan, self.record, self.arrays, self.room = {"whole": True}, {"batches": {}}, {}, room
        self.data = None

    def fit_takes_generators(self):
        return True

    def keep_data(self, name, arrays):
        if self.room:
            self.arrays[name] = arrays
        return self.room

    def kept(self, name):
        return self.arrays[name]

    def training_calls(self):
        return self.record["calls"]

    def did(self, change):
        self.done = change


def fed(batches, steps, room=True):
    """Return recorder and call of a feed that has handed out batches."""
    recorder, call = Recorder(room), {"method": "fit", "steps": 0, "per_epoch": 2}
    arguments = {"x": None}
    feed, packed = data.hand_over(recorder, None, arguments, call, 0, "x")
    assert packed is None
    feed.taken = "generator"
    for _ in feed.tap(iter(batches)):
        pass
    call["steps"] = steps
    assert feed.tell() is (steps <= len(batches))
    return recorder, call


def test_rows_are_the_same_in_any_order_but_each_with_its_label():
    order = [3, 0, 5, 1, 4, 2]
    whole = data.sum_of_rows([ROWS, LABELS])
    assert data.sum_of_rows([ROWS[order], LABELS[order]]) == whole
    assert data.sum_of_rows([ROWS[order], LABELS]) != whole
    halves = [data.sum_of_rows([ROWS[part], LABELS[part]]) for part in ([3, 0, 5], [1, 4, 2])]
    assert sum(halves) % 2**64 == whole
    assert data.sum_of_rows([ROWS, LABELS[:3]]) is None


def test_batches_are_kept_once_and_come_again_in_their_order():
    batches = [(ROWS[:3], LABELS[:3]), (ROWS[3:], LABELS[3:])] * 2 + [(ROWS, LABELS)]
    recorder, call = fed(batches, 4)  # the last one was read ahead
    assert call["kept"] and len(call["batches"]) == 4
    assert len(recorder.arrays) == 3
    assert call["each"]["rows"] == data.sum_of_rows([ROWS, LABELS])
    given = data.kept_batches(recorder, call)
    for batch in [*batches[:4], batches[0]]:
        rows, labels = next(given)
        assert (rows == batch[0]).all() and (labels == batch[1]).all()


def test_batches_without_room_are_told_but_not_kept():
    recorder, call = fed([(ROWS, LABELS)], 1, room=False)
    assert call["data"] and not call["kept"] and not recorder.arrays
    assert fed([(ROWS, "text")], 2)[1]["data"] is None


def test_what_a_framework_reads_again_is_noted_once():
    recorder, call = Recorder(), {"method": "fit"}
    feed, _ = data.hand_over(recorder, None, {"x": None}, call, 0, "x")
    feed.taken = "generator"
    assert next(feed.tap(iter([(ROWS, LABELS)])))
    assert len(list(feed.tap(iter([(ROWS, LABELS)] * 2)))) == len(feed.notes) == 2


@pytest.mark.parametrize("own", ["arrays", "batches"])
def test_another_runs_data_take_the_place_of_arrays_and_of_batches(own):
    given = {"x": ROWS, "y": LABELS, "batch_size": 2} if own == "arrays" else {"x": iter(())}
    batches = [(ROWS[:3], LABELS[:3]), (ROWS[3:], LABELS[3:])]
    donor, call = fed(batches, 2)
    donor.record["calls"] = [call]
    recorder = Recorder()
    recorder.data = donor
    arguments = dict(given)
    feed, _ = data.hand_over(recorder, None, arguments, {"method": "fit"}, 0, "x")
    assert recorder.done == "data" and feed is not None
    assert arguments.keys() == {"x", "steps_per_epoch"} and arguments["steps_per_epoch"] == 2
    assert (next(arguments["x"])[0] == ROWS[:3]).all()
    donor, call = Recorder(), {"method": "fit", "settings": {"batch_size": 5}, "shuffle": False}
    data.hand_over(donor, None, {"x": ROWS[::-1], "y": LABELS[::-1]}, call, 0, "x")
    donor.arrays["data/0"] = [ROWS[::-1], LABELS[::-1]]
    donor.record["calls"] = [call]
    recorder.data, arguments = donor, dict(given)
    feed, packed = data.hand_over(recorder, None, arguments, {"method": "fit"}, 0, "x")
    assert feed is None and packed is not None
    assert (arguments["x"] == ROWS[::-1]).all() and (arguments["y"] == LABELS[::-1]).all()
    assert arguments["batch_size"] == (2 if own == "arrays" else 5)


def test_weights_that_no_batch_has_are_the_same_in_any_number_of_batches():
    one, other = (fed([(ROWS, LABELS)] * steps, steps)[1]["each"] for steps in (1, 2))
    assert one["sample_weight"] == other["sample_weight"] == data.digest([])
    assert one["x"] != other["x"]
