"""Run a script as it is, write down what its models do, and change only what a plan asks for.

    python record.py PLAN.json RECORD.json ARRAYS.npz STDOUT

The plan has the keys `script` (absolute path), `arguments`, `limit` (seconds), `take` (what is
taken away from this run: see `Recorder`), `donor` and `donor_arrays` (record and arrays of the
other run), `ulp` (a seed: every initial weight is moved by at most one unit in the last place).
The record says everything else about itself. A script that fails is recorded, too: `error`.
Runs under Python 3.7 with the framework; no operation is added to a graph.
"""

import ast
import difflib
import functools
import hashlib
import inspect
import json
import os
import platform
import runpy
import signal
import sys
import threading
import traceback

import numpy

NOISE = ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
NOISE += ("GaussianNoise", "GaussianDropout", "AlphaDropout")
TRAINING = ("fit", "fit_generator", "train_on_batch")
EVALUATING = ("evaluate", "evaluate_generator", "test_on_batch")
KEPT_BYTES = 500 * 2**20  # of data for another run; more is only hashed
ALIASES = {"lr": "learning_rate", "acc": "accuracy", "val_acc": "val_accuracy"}


class Unfollowable(Exception):
    """What the script does cannot be recorded."""


def digest(arrays):
    """Return the SHA-256 of arrays: their bytes, shapes and dtypes."""
    state = hashlib.sha256()
    for array in arrays:
        array = numpy.ascontiguousarray(array)
        state.update(repr((array.shape, array.dtype.str)).encode())
        state.update(array.tobytes())
    return state.hexdigest()


def flatten(value):
    """Return the arrays in what was handed to a model, or None where they cannot be seen."""
    if value is None:
        return []
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    if isinstance(value, (list, tuple)) and any(hasattr(part, "shape") for part in value):
        parts = [flatten(part) for part in value]
        return None if None in parts else [array for part in parts for array in part]
    if hasattr(value, "numpy"):
        value = value.numpy()
    if isinstance(value, (numpy.ndarray, list, tuple)):
        array = numpy.asarray(value)
        return None if array.dtype == object else [array]
    return None


def plain(value):
    """Return a configuration as JSON can hold it; numbers keep their value."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, numpy.generic):
        return value.item()
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def own_line(script):
    """Return the number of the line of the script that is being run, or None."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename == script:
            return frame.f_lineno
        frame = frame.f_back
    return None


class Recorder:
    """What one run does; `take` holds `data`, `weights`, `draws`, `final`, or a changed default.

    A changed default is `[class, key, value]`: the value is given to every layer or optimizer of
    the class for which the script does not write the key itself.
    """

    def __init__(self, plan):
        """Read the other run, if the plan names one."""
        self.plan = plan
        self.take = plan["take"]
        self.defaults = [part for part in self.take if isinstance(part, list)]
        self.record = {"models": [], "calls": [], "numbers": [], "error": None}
        self.arrays = {}
        self.models = []
        self.depth = 0
        self.kept = 0
        self.donor = None
        self.written = {}
        if plan.get("donor"):
            with open(plan["donor"]) as file:
                self.donor = json.load(file)
            self.donor_arrays = numpy.load(plan["donor_arrays"])

    # --- the framework -------------------------------------------------------------------------

    def install(self, api):
        """Patch the classes of `tf.keras` or `keras`, before the script runs."""
        import tensorflow

        self.tensorflow = tensorflow
        if api == "keras":
            import keras
        else:
            keras = tensorflow.keras
        version = keras.__version__ if api == "keras" else tensorflow.__version__
        if api == "keras" and not version.startswith(("2.2.", "2.3.")):
            raise Unfollowable("keras %s cannot be followed: only 2.2 and 2.3 can" % version)
        release = tuple(int(part) for part in tensorflow.__version__.split(".")[:2])
        if release > (2, 11):
            raise Unfollowable("tensorflow %s cannot be followed: 1.13 to 2.11 can" % version)
        self.keras = keras
        self.record["packages"] = {
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "tensorflow": tensorflow.__version__,
            api: version,
        }
        self.record["api"] = api
        self.record["machine"] = platform.platform()
        for name in TRAINING + EVALUATING + ("predict", "predict_on_batch"):
            if hasattr(keras.models.Model, name):
                self.patch_method(keras.models.Model, name)
        for space in (keras.layers, keras.optimizers):
            base = keras.layers.Layer if space is keras.layers else keras.optimizers.Optimizer
            for cls in vars(space).values():
                if inspect.isclass(cls) and issubclass(cls, base) and "__init__" in vars(cls):
                    self.patch_init(cls)
        if "draws" in self.take:
            for name in NOISE:
                self.silence(getattr(keras.layers, name))
        self.forbid()

    def patch_init(self, cls):
        """Note which arguments are written by whoever makes an object; give other defaults."""
        original = cls.__init__
        try:
            signature = inspect.signature(original)
        except (TypeError, ValueError):
            return

        @functools.wraps(original)
        def init(instance, *args, **kwargs):
            if type(instance) is cls:
                try:
                    bound = signature.bind_partial(instance, *args, **kwargs).arguments
                    given = set(bound) | set(bound.get("kwargs", {}))
                except TypeError:
                    given = set(kwargs)
                given = {ALIASES.get(name, name) for name in given}
                for name, key, value in self.defaults:
                    if name == cls.__name__ and key not in given:
                        old = [short for short, full in ALIASES.items() if full == key]
                        spelled = old[0] if old and old[0] in signature.parameters else key
                        kwargs[spelled] = value
                self.written[id(instance)] = (instance, sorted(given - {"self"}))
            return original(instance, *args, **kwargs)

        cls.__init__ = init

    def silence(self, cls):
        """Let a layer that adds noise hand on its input; its operations are still made."""
        original = cls.call

        @functools.wraps(original)
        def call(layer, inputs, *args, **kwargs):
            original(layer, inputs, *args, **kwargs)
            return self.tensorflow.convert_to_tensor(inputs)

        cls.call = call

    def forbid(self):
        """Note the script's line when it computes in ways that no model reports."""
        session = getattr(self.tensorflow, "Session", None)
        if session is None:
            return
        original = session.run

        @functools.wraps(original)
        def run(this, *args, **kwargs):
            frame = sys._getframe(1)
            if self.depth == 0 and frame.f_code.co_filename == self.plan["script"]:
                self.record.setdefault("unseen", []).append(
                    "line %d calls Session.run, which cannot be followed" % frame.f_lineno
                )
            return original(this, *args, **kwargs)

        session.run = run

    def eager(self):
        """Say whether operations run at once."""
        name = "executing_eagerly"
        return self.record["api"] == "tf.keras" and getattr(self.tensorflow, name)()

    def weights(self, model):
        """Return the arrays of all weights of a model."""
        if self.eager():
            return [variable.numpy() for variable in model.weights]
        return [numpy.asarray(value) for value in self.keras.backend.batch_get_value(model.weights)]

    def load(self, variables, values):
        """Give variables other values, without one operation more."""
        if self.eager():
            for variable, value in zip(variables, values):
                variable.assign(value)
            return
        backend = self.keras.backend
        backend.batch_get_value(variables)  # initializes what would otherwise be drawn later
        if self.record["api"] == "keras" and hasattr(self.tensorflow, "compat"):
            session = self.tensorflow.compat.v1.keras.backend.get_session()
        else:
            session = backend.get_session()
        for variable, value in zip(variables, values):
            initializer = variable.initializer
            session.run(initializer, {initializer.inputs[1]: value})

    # --- what the script does ------------------------------------------------------------------

    def patch_method(self, cls, name):
        """Record every call of a method by the script, but none by the framework itself."""
        original = getattr(cls, name)
        signature = inspect.signature(original)

        @functools.wraps(original)
        def method(model, *args, **kwargs):
            if self.depth or threading.current_thread() is not threading.main_thread():
                return original(model, *args, **kwargs)
            self.depth += 1
            try:
                return self.follow(model, name, original, signature, args, kwargs)
            finally:
                self.depth -= 1

        setattr(cls, name, method)

    def follow(self, model, name, original, signature, args, kwargs):
        """Run one call of the script, recorded."""
        bound = signature.bind(model, *args, **kwargs)
        arguments = bound.arguments
        call = {"method": name, "line": own_line(self.plan["script"])}
        self.record["calls"].append(call)
        if name in ("fit", "train_on_batch"):
            before = [known for known in self.record["calls"] if known["method"] in TRAINING]
            self.exchange_data(model, arguments, call, len(before) - 1)
        else:
            self.describe_data(arguments, call)
        call["batch_size"] = plain(arguments.get("batch_size"))
        if name == "fit_generator" or (name == "fit" and call["data"] is None):
            call["shuffle"] = False
        elif name == "fit":
            default = signature.parameters["shuffle"].default
            call["shuffle"] = bool(arguments.get("shuffle", default))
            if "draws" in self.take:
                arguments["shuffle"] = False
        entry = None
        if name.startswith("fit"):
            arguments["callbacks"] = [*(arguments.get("callbacks") or []), self.callback(model)]
        elif model.built or model.weights:
            prepared = hasattr(model, "_make_train_function")
            if prepared and name == "train_on_batch" and not self.eager():
                model._make_train_function()  # now, as without a recorder: its operations count
            entry = self.begin(model)
        result = original(*bound.args, **bound.kwargs)
        if entry is None:
            entry = self.begin(model)
        call["model"] = self.record["models"].index(entry)
        if name == "train_on_batch":
            self.after_step(model, float(numpy.ravel(result)[0]))
        if name.startswith("fit"):
            for key, values in result.history.items():
                self.report(key, [float(value) for value in values], name)
        elif name in EVALUATING:
            self.report_evaluation(model, result, name)
        elif name.startswith("predict"):
            call["result"] = digest([numpy.asarray(part) for part in flatten(result) or []])
        return result

    def report(self, name, values, method):
        """Keep all values that one call has reported under one name."""
        name = ALIASES.get(name, name)
        self.record["numbers"].append({"name": name, "values": values, "method": method})

    def report_evaluation(self, model, result, name):
        """Keep what `evaluate` returned."""
        values = result.values() if isinstance(result, dict) else numpy.ravel(result)
        names = list(getattr(model, "metrics_names", None) or ["loss"])
        for key, value in zip(names, values):
            self.report(key, [float(value)], name)

    def describe_data(self, arguments, call):
        """Hash what was handed to a model."""
        parts = [arguments.get(key) for key in ("x", "y", "sample_weight")]
        flat = [flatten(part) for part in parts]
        known = None not in flat and flat != [[], [], []]
        call["data"] = self.describe([array for part in flat for array in part]) if known else None

    def describe(self, arrays):
        """Return hash, shapes and dtypes of arrays."""
        return {
            "hash": digest(arrays),
            "shapes": [list(array.shape) for array in arrays],
            "dtypes": [array.dtype.str for array in arrays],
        }

    def exchange_data(self, model, arguments, call, number):
        """Describe the training rows without those for validation; put the donor's in their place.

        `validation_split` takes the last rows before shuffling, so the split can be made here.
        """
        x, y = arguments.get("x"), arguments.get("y")
        flat_x, flat_y = flatten(x), flatten(y)
        split = arguments.get("validation_split") or 0.0
        call["data"] = None
        if not flat_x or flat_y is None:
            return
        rows = len(flat_x[0])
        kept = int(rows * (1.0 - split)) if split else rows
        call["data"] = self.describe([array[:kept] for array in flat_x + flat_y])
        held_out = [array[kept:] for array in flat_x + flat_y] if split else None
        given = arguments.get("validation_data")
        if held_out is None and isinstance(given, (tuple, list)):
            held_out = flatten(list(given))
        call["validation"] = self.describe(held_out) if held_out else None
        weights = flatten(arguments.get("sample_weight"))
        call["sample_weight"] = self.describe(weights) if weights else None
        call["class_weight"] = plain(arguments.get("class_weight"))
        simple = not isinstance(x, (list, tuple, dict)) and not isinstance(y, (list, tuple, dict))
        call["exchangeable"] = bool(simple and flat_y and not weights)
        size = sum(array.nbytes for array in flat_x + flat_y)
        if call["exchangeable"] and self.kept + size <= KEPT_BYTES:
            self.kept += size
            self.arrays["x/%d" % number] = flat_x[0][:kept]
            self.arrays["y/%d" % number] = flat_y[0][:kept]
        if "data" in self.take and call["exchangeable"]:
            key = "x/%d" % number
            if key not in self.donor_arrays:
                raise Unfollowable("the other run has no data for training call %d" % (number + 1))
            if split:
                arguments["validation_data"] = (flat_x[0][kept:], flat_y[0][kept:])
                arguments["validation_split"] = 0.0
            arguments["x"] = self.donor_arrays[key]
            arguments["y"] = self.donor_arrays["y/%d" % number]

    def callback(self, model):
        """Return a callback that records every step of `fit`."""
        recorder = self

        class Steps(self.keras.callbacks.Callback):
            """Tells the recorder when training begins and a step ends."""

            def on_train_begin(self, logs=None):
                """Record the initial state, if there are weights already."""
                if model.weights:
                    recorder.begin(model)

            def on_batch_end(self, batch, logs=None):
                """Record a step."""
                recorder.after_step(model, (logs or {}).get("loss"))

        return Steps()

    # --- state ---------------------------------------------------------------------------------

    def begin(self, model):
        """Record a model the first time that it is used; exchange its initial weights."""
        for known, entry in self.models:
            if known is model:
                return entry
        number = len(self.models)
        entry = {"layers": [], "losses": [], "hashes": []}
        self.models.append((model, entry))
        self.record["models"].append(entry)
        for layer in model.layers:
            entry["layers"].append(
                {
                    "class": type(layer).__name__,
                    "config": plain(layer.get_config()),
                    "written": self.written.get(id(layer), (None, []))[1],
                    "shapes": [[int(size) for size in weight.shape] for weight in layer.weights],
                    "places": [
                        [id(weight) for weight in model.weights].index(id(part))
                        for part in layer.weights
                    ],
                }
            )
        optimizer = getattr(model, "optimizer", None)
        if optimizer is not None:
            entry["optimizer"] = {
                "class": type(optimizer).__name__,
                "config": {ALIASES.get(k, k): v for k, v in plain(optimizer.get_config()).items()},
                "written": self.written.get(id(optimizer), (None, []))[1],
            }
            entry["loss"] = getattr(model.loss, "__name__", None) or plain(model.loss)
        if "weights" in self.take:
            self.exchange_weights(model, entry, number)
        if self.plan.get("ulp") is not None:
            self.move_weights(model, self.plan["ulp"])
        initial = self.weights(model)
        entry["initial"] = [digest([array]) for array in initial]
        for position, array in enumerate(initial):
            self.arrays["initial/%d/%d" % (number, position)] = array
        return entry

    def exchange_weights(self, model, entry, number):
        """Start from the donor's weights in the layers that both have."""
        if number >= len(self.donor["models"]):
            return
        other = self.donor["models"][number]["layers"]
        key = ["%s %s" % (layer["class"], layer["shapes"]) for layer in entry["layers"]]
        other_key = ["%s %s" % (layer["class"], layer["shapes"]) for layer in other]
        matcher = difflib.SequenceMatcher(None, other_key, key, autojunk=False)
        variables, values = [], []
        for theirs, ours, size in matcher.get_matching_blocks():
            for step in range(size):
                places = zip(other[theirs + step]["places"], entry["layers"][ours + step]["places"])
                for their_place, our_place in places:
                    variables.append(model.weights[our_place])
                    name = "initial/%d/%d" % (number, their_place)
                    values.append(self.donor_arrays[name])
        self.load(variables, values)
        entry["exchanged"] = len(variables)

    def move_weights(self, model, seed):
        """Move every floating weight one unit in the last place, up or down."""
        random = numpy.random.RandomState(seed)
        moved = []
        for array in self.weights(model):
            if array.dtype.kind == "f":
                towards = numpy.where(random.uniform(size=array.shape) < 0.5, -numpy.inf, numpy.inf)
                array = numpy.nextafter(array, towards.astype(array.dtype))
            moved.append(array)
        self.load(model.weights, moved)

    def after_step(self, model, loss):
        """Record the loss and the hash of all weights after a step."""
        entry = self.begin(model)
        number = self.record["models"].index(entry)
        step = len(entry["hashes"])
        if "final" in self.take and step + 1 == self.plan["steps"][number]:
            names = ["final/%d/%d" % (number, place) for place in range(len(model.weights))]
            self.load(model.weights, [self.donor_arrays[name] for name in names])
        arrays = self.weights(model)
        entry["losses"].append(None if loss is None else float(loss))
        entry["hashes"].append(digest(arrays))
        if step == 0:
            for position, array in enumerate(arrays):
                self.arrays["step/%d/%d" % (number, position)] = array
        for position, array in enumerate(arrays):
            self.arrays["final/%d/%d" % (number, position)] = array

    def write(self, record_path, arrays_path):
        """Write record and arrays."""
        self.record["plan"] = {key: self.plan[key] for key in ("script", "arguments", "take")}
        with open(record_path, "w") as file:
            json.dump(self.record, file)
        with open(arrays_path, "wb") as file:
            numpy.savez(file, **self.arrays)


def find_api(path):
    """Return `keras` or `tf.keras`, whichever the script imports; refuse what cannot run."""
    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read(), path)
    except SyntaxError as error:
        raise Unfollowable("line %s is not Python 3: %s" % (error.lineno, error.msg)) from None
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        for name in names:
            if name.split(".")[0] == "multiprocessing":
                raise Unfollowable(
                    "line %d imports multiprocessing, whose processes cannot be followed"
                    % node.lineno
                )
            if name.split(".")[0] == "keras":
                return "keras"
    return "tf.keras"


def stop(number, frame):
    """End a script that has reached its limit."""
    raise Unfollowable("the script did not end within its limit")


def run(recorder):
    """Run the script; return a sentence about what went wrong, or None."""
    plan = recorder.plan
    script = plan["script"]
    try:
        recorder.install(find_api(script))
        signal.signal(signal.SIGALRM, stop)
        signal.alarm(plan["limit"])
        sys.argv = [script, *plan["arguments"]]
        sys.path[0] = os.path.dirname(script)
        os.chdir(sys.path[0])
        runpy.run_path(script, run_name="__main__")
    except Unfollowable as error:
        return str(error)
    except SystemExit as error:
        if error.code not in (None, 0):
            return "the script ends itself with exit status %s" % error.code
    except Exception as error:
        traceback.print_exc()
        lines = [
            part.lineno
            for part in traceback.extract_tb(error.__traceback__)
            if part.filename == script
        ]
        where = "line %d raises " % lines[-1] if lines else ""
        return "%s%s: %s" % (where, type(error).__name__, error)
    finally:
        signal.alarm(0)
    return None


def main(plan_path, record_path, arrays_path, stdout_path):
    """Run a plan and write what happened."""
    with open(plan_path) as file:
        plan = json.load(file)
    paths = [os.path.abspath(path) for path in (record_path, arrays_path, stdout_path)]
    for key in ("donor", "donor_arrays"):
        if plan.get(key):
            plan[key] = os.path.abspath(plan[key])
    sys.stdout.flush()
    output = os.open(paths[2], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    recorder = Recorder(plan)
    error = run(recorder)
    sys.stdout.flush()
    recorder.record["error"] = error
    trained = any(entry["hashes"] for entry in recorder.record["models"])
    if error is None and not trained:
        unseen = recorder.record.get("unseen")
        recorder.record["error"] = unseen[0] if unseen else "the script trains no Keras model"
    with open(paths[2], "rb") as file:
        file.seek(max(0, os.path.getsize(paths[2]) - 10000))
        recorder.record["printed"] = file.read().decode("utf-8", "replace")
    recorder.write(*paths[:2])


if __name__ == "__main__":
    main(*sys.argv[1:])
