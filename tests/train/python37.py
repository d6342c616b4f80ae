"""Tests that run inside a framework's environment: Python 3.7, standard library and numpy.

    python python37.py IMPORT-ROOT FILE...

FILE... are compiled; records are written whole or not at all, even when the process is killed.
"""

import os
import signal
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

ROOT, FILES = sys.argv[1], sys.argv[2:]
sys.path.insert(0, ROOT)

import numpy  # noqa: E402
from train import framework, observe, run  # noqa: E402

KILLED_WHILE_WRITING = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from train import run

class Fatal(list):
    def __iter__(self):
        for number in range(100000):
            yield number
        os.kill(os.getpid(), signal.SIGKILL)

run.write_records([{"first": 1}, {"numbers": Fatal([0])}], sys.argv[2])
"""


class Compiles(unittest.TestCase):
    """Every file that runs here is Python 3.7."""

    def test_all(self):
        self.assertEqual(sys.version_info[:2], (3, 7))
        self.assertGreater(len(FILES), 5)
        for path in FILES:
            compile(Path(path).read_text(encoding="utf-8"), path, "exec")


class WritesRecords(unittest.TestCase):
    """The file appears whole or not at all."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "new" / "records.jsonl"

    def names(self):
        return sorted(path.name for path in self.path.parent.iterdir())

    def visible(self):
        return [name for name in self.names() if not name.startswith(".")]

    def test_whole(self):
        run.write_records([{"b": 0.1 + 0.2, "a": [1]}, {"c": None}], self.path)
        text = self.path.read_text(encoding="utf-8")
        self.assertIn("0.30000000000000004", text)
        self.assertLess(text.index('"a"'), text.index('"b"'))
        self.assertEqual(text.splitlines()[1], '{"c": null}')
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o644)
        self.assertEqual(self.names(), ["records.jsonl"])

    def test_not_at_all_when_it_cannot_be_written_down(self):
        with self.assertRaises(TypeError):
            run.write_records([{"a": list(range(100000))}, {"b": object()}], self.path)
        self.assertEqual(self.names(), [])

    def test_not_at_all_when_killed(self):
        self.assertEqual(self.killed(), -signal.SIGKILL)
        self.assertEqual(self.visible(), [])

    def test_an_older_record_stays_when_killed(self):
        run.write_records([{"old": True}], self.path)
        self.assertEqual(self.killed(), -signal.SIGKILL)
        self.assertEqual(self.visible(), ["records.jsonl"])
        self.assertIn("old", self.path.read_text(encoding="utf-8"))

    def killed(self):
        command = [sys.executable, "-c", KILLED_WHILE_WRITING, ROOT, str(self.path)]
        return subprocess.call(command)

    def test_not_at_all_below_a_file(self):
        file = self.folder / "file"
        file.touch()
        with self.assertRaises(OSError):
            run.write_records([{}], file / "records.jsonl")
        self.assertEqual([path.name for path in self.folder.iterdir()], ["file"])


class Observes(unittest.TestCase):
    """Hashes and attributions that need no framework."""

    def test_hash_is_that_of_float32_bytes(self):
        array = numpy.arange(6).reshape(2, 3)
        single, other_order = array.astype("<f4"), numpy.asfortranarray(array, dtype="<f4")
        self.assertEqual(observe.sha256_of([array]), observe.sha256_of([single]))
        self.assertEqual(observe.sha256_of([other_order]), observe.sha256_of([single]))
        self.assertEqual(observe.sha256_of([single, single]), observe.sha256_of([[single] * 2]))

    def test_seeds_go_to_the_layers_that_draw(self):
        layers = ["a", "b"]
        seeds = [{"op_seed": 4}, {"op_seed": 24}]
        self.assertEqual(observe.attribute_seeds(seeds, layers), {"a": seeds[0], "b": seeds[1]})
        self.assertEqual(observe.attribute_seeds(seeds[:1], layers), {})

    def test_values_survive(self):
        array = numpy.random.RandomState(0).normal(size=(3, 2)).astype("float32")
        described = observe.describe_weights([("dense", 0, array)])["arrays"][0]
        again = numpy.array(described["values"], dtype="float32").reshape(described["shape"])
        self.assertEqual(again.tobytes(), array.tobytes())


class Model:
    """A model of one layer with one weight, whose loss on any rows is that weight."""

    name = "layer"

    def __init__(self, weight):
        self.optimizer = None
        self.weights = [numpy.array(weight, dtype="float32")]

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights

    def get_layer(self, name):
        return self

    def test_on_batch(self, inputs, targets):
        return float(self.weights[0].sum())


class Curves(unittest.TestCase):
    """One point per epoch, whatever the number of its steps."""

    def curves(self, logs):
        model = Model([0.0])
        observer = observe.Observer(None, model)
        observer.step_losses = [1.0, 2.0, 3.0, 10.0]
        observer.epoch_steps = [3, 4]
        observer.epoch_logs = logs
        observer.epoch_weights = [[numpy.array([5.0])], [numpy.array([7.0])]]
        settings = {"evaluation_rows": [[0, 1]]}
        with unittest.mock.patch.object(framework, "forget_losses"):
            return run.epoch_curves(None, model, [0], [0], settings, observer)

    def test_epochs_of_other_lengths(self):
        curves = self.curves([{}, {}])
        self.assertEqual([each["epoch"] for each in curves], [1, 2])
        self.assertEqual([each["loss"] for each in curves], [2.0, 10.0])
        self.assertEqual([each["rows"] for each in curves], [{"0:1": 5.0}, {"0:1": 7.0}])

    def test_what_fit_reports_comes_first(self):
        curves = self.curves([{"loss": 0.5}, {"loss": 0.25}])
        self.assertEqual([each["loss"] for each in curves], [0.5, 0.25])


class Starts(unittest.TestCase):
    """Initial weights of another run, as far as the shapes match."""

    def given(self, shape):
        arrays = [{"layer": "other", "shape": shape, "values": [4.0, 5.0]}]
        return {"drawing_layers": ["other"], "initial_weights": {"arrays": arrays}}

    def test_same_shape(self):
        model = Model([1.0, 2.0])
        run.copy_initial_weights(self.given([2]), model, ["layer"])
        self.assertEqual(model.weights[0].tolist(), [4.0, 5.0])

    def test_another_shape_keeps_its_own(self):
        model = Model([1.0, 2.0])
        run.copy_initial_weights(self.given([2, 1]), model, ["layer"])
        self.assertEqual(model.weights[0].tolist(), [1.0, 2.0])

    def test_a_layer_more_keeps_its_own(self):
        run.copy_initial_weights(self.given([2]), Model([1.0, 2.0]), ["layer", "more"])
        run.copy_initial_weights(self.given([2]), Model([1.0, 2.0]), [])


class Loads(unittest.TestCase):
    """What is refused before a framework is needed."""

    def test_unknown_api(self):
        with self.assertRaisesRegex(ValueError, "--api: found 'torch'"):
            framework.load_framework("torch")

    def test_experiment_without_the_interface(self):
        with tempfile.NamedTemporaryFile("w", suffix=".py") as module:
            module.write("SLOTS = ()\n")
            module.flush()
            with self.assertRaisesRegex(ValueError, "make_data, build_model, PROCEDURES"):
                run.load_experiment(module.name)

    def test_settings_of_the_caller_are_dropped(self):
        name = "TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL"
        kept = {"TF_CPP_MIN_LOG_LEVEL": "2", "HOME": "/home"}
        for kernel, expected in (("processor", {}), ("portable", {name: "false"})):
            given = dict(kept, TF_XLA_FLAGS="--x", TF_DETERMINISTIC_OPS="1", **{name: "other"})
            with unittest.mock.patch.dict("os.environ", given, clear=True):
                framework.choose_matrix_kernel(kernel)
                self.assertEqual(dict(os.environ), dict(kept, **expected))

    def test_processor_is_named(self):
        self.assertTrue(run.cpu_model())
        self.assertIn("avx", run.cpu_instructions())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
