"""Run a script as it is and write down what its models do; change only what a plan asks for.

    python -s workflow diagnose.record PLAN.json RECORD.json ARRAYS.npz PRINTED

A plan has `script` (absolute path), `arguments` and `limit` (seconds). What it changes:

- `start`: [record, arrays] of the run whose initial weights are loaded, layer by layer;
- `data`: [record, arrays] of the run whose training data are handed to the models instead;
- `draws`: true leaves rows in their order and lets layers that drop or add noise do neither;
- `pinned`: [record, arrays] of the run whose generators' states each training call starts from;
- `defaults`: [[class, key, value], ...] for arguments that the script does not write;
- `final`: [record, arrays] of the run whose last weights replace this run's after its last step,
  which are `steps`: [[model, step], ...], for each of them the model of the other run, `theirs`;
- `ulp`: a seed: each weight moves by one unit in the last place, up or down, before
  step 1, or before the step of `probe`;
- `probe`: [model, step]: what happens in this step is kept, and the run ends with this step;
- `light`: true notes weights after the last step of each epoch of `fit` only, for runs whose number
  is all that is asked for;
- `lock`: a file: no other run with this file runs at the same time as one that writes into the
  folder of the script;
- `whole`: true keeps the training data and all that is printed, for other runs and for the user;
- `keep`: true keeps the last weights;
- `portable`: true switches the processor's own matrix kernels off, those of Eigen and of oneDNN.

The record says what was done of it (`done`). A script that fails has a record, too: `error`.
Runs under Python 3.7 with numpy and the framework. The framework is imported by the script alone,
and no operation is added to its graph.
"""

import ast
import builtins
import contextlib
import fcntl
import functools
import glob
import inspect
import json
import os
import platform
import runpy
import sys
import threading
import traceback

import numpy

from diagnose.calls import EVALUATING, PREDICTING, TRAINING, Calls
from diagnose.configured import ALIASES, FRAMEWORKS, NOISE, Configured, class_name
from diagnose.data import Handed, digest
from diagnose.draws import Draws
from diagnose.loops import LOOP, Loops
from diagnose.probe import Probe
from diagnose.steps import Probed, Steps, state_of

DONORS = ("start", "data", "final", "pinned")  # keys of a plan that name another run
PRINTED_BYTES = 10000  # of what a run prints, for the record
FOLDER_FILES = 2000  # looked at to see whether the script writes beside itself


def subclasses(cls):
    """Yield a class and all its subclasses; a class of several bases comes more than once."""
    yield cls
    for part in type.__subclasses__(cls):
        for one in subclasses(part):
            yield one


class Donor:
    """Record and arrays of another run."""

    def __init__(self, paths):
        """Read them."""
        with open(paths[0]) as file:
            self.record = json.load(file)
        self.arrays = numpy.load(paths[1])
        self.read = {}  # data that were asked for already

    def training_calls(self):
        """Return the calls that train a model."""
        return [call for call in self.record["calls"] if call["method"] in TRAINING]

    def kept(self, name):
        """Return the arrays that `Recorder.keep_data` has kept under a name."""
        if name not in self.read:
            places = ["%s/%d" % (name, place) for place in range(99)]
            self.read[name] = [self.arrays[place] for place in places if place in self.arrays]
        return self.read[name]


class Recorder(Calls, Configured, Draws, Handed, Loops, Probe, Steps):
    """What one run does."""

    def __init__(self, plan):
        """Read the other runs that the plan names."""
        self.plan = plan
        self.start, self.data, self.final, self.pinned = (
            Donor(plan[key]) if plan.get(key) else None for key in DONORS
        )
        self.defaults = plan.get("defaults", [])
        self.record = {"models": [], "calls": [], "numbers": [], "made": [], "error": None}
        self.record["batches"] = {}  # structures of those that are kept, by hash
        self.record["penalties"] = 0  # calls of `add_loss`
        self.record.update(packages={}, apis=[], unseen=[], done={}, writes=[])
        self.arrays = {}
        self.keras = []  # modules of the framework
        self.models = []
        self.made = []
        self.configs = {}  # of optimizers, as they are when training begins
        self.optimizers = {}  # of own loops, by model
        self.weighing = {}  # of losses, as compiled, by model
        self.readers = {}  # of variables in a graph, by session and variables
        self.created = {}  # initial values of variables that are made within the first step
        self.depth = 0
        self.kept = 0
        self.functions = []  # models trained by each tf.function that is running
        self.traced = {}  # the same, by function, once traced
        self.inputs = []  # hashes of what an own loop's steps are given
        self.direct = None  # model and line of a direct call after the last step
        self.gradients = {}  # of an own loop's step, by place of the weight
        self.before = None  # weights before the step of `probe`
        self.feed = None  # of the current call, where its batches come from elsewhere than arrays
        self.handed = None  # what the current call trains on: a feed or rows, and rows of a batch

    def did(self, change, size=1):
        """Note that a change of the plan has been carried out."""
        self.record["done"][change] = self.record["done"].get(change, 0) + size

    def here(self):
        """Return the line of the script that is being run, or None."""
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != self.plan["script"]:
            frame = frame.f_back
        return frame.f_lineno if frame else None

    def unseen(self, what):
        """Note what the current line of the script does that no model reports."""
        sentence = "line %s %s" % (self.here(), what)
        if sentence not in self.record["unseen"]:
            self.record["unseen"].append(sentence)

    def watch_imports(self):
        """Patch a framework as soon as the script has imported it."""
        original = builtins.__import__
        going_on = threading.local()  # a framework's own import, which has a thousand of others

        @functools.wraps(original)
        def imported(name, scope=None, *args, **kwargs):
            root = name.split(".")[0]
            asking = ((scope or {}).get("__name__") or "").split(".")[0]
            outer = root in FRAMEWORKS and not getattr(going_on, "yes", False)
            going_on.yes = outer or getattr(going_on, "yes", False)
            try:
                module = original(name, scope, *args, **kwargs)
            finally:
                going_on.yes = going_on.yes and not outer
            if outer and asking not in (*FRAMEWORKS, "diagnose"):
                self.install(root)
            elif root == "multiprocessing" and (scope or {}).get("__name__") == "__main__":
                self.unseen("imports multiprocessing, whose processes cannot be followed")
            return module

        builtins.__import__ = imported

    def install(self, root):
        """Patch the classes of `tf.keras` or `keras` that are not patched yet."""
        api = "keras" if root == "keras" else "tf.keras"
        module = sys.modules[root]
        keras = module if api == "keras" else getattr(module, "keras", None)
        if not hasattr(keras, "layers") or not hasattr(keras.layers, "Layer"):
            return  # its own import is going on
        if api not in self.record["apis"]:
            self.record["apis"].append(api)
        tensorflow = sys.modules.get("tensorflow") or module
        for name, part in (("tensorflow", tensorflow), (api, keras), ("numpy", numpy)):
            if hasattr(part, "__version__"):
                self.record["packages"][name] = part.__version__
        self.tensorflow = tensorflow
        model = keras.models.Model
        for cls in {*subclasses(model), *model.__mro__[:-1]}:
            self.patch(cls, "compile", self.compiled)
            for name in TRAINING + EVALUATING + PREDICTING:
                self.patch(cls, name, functools.partial(self.followed, keras, name))
        older = getattr(getattr(keras.optimizers, "legacy", None), "Optimizer", None)
        self.keras.append(keras)
        layer = keras.layers.Layer
        bases = [("metric", getattr(keras.metrics, "Metric", None)), ("layer", layer)]
        bases += [("optimizer", keras.optimizers.Optimizer), ("optimizer", older)]
        bases += [("loss", getattr(keras.losses, "Loss", None))]
        bases += [("callback", keras.callbacks.Callback)]
        for kind, base in bases:
            for cls in {*subclasses(base), *base.__mro__[:-1]} if base else ():
                self.patch(cls, LOOP, functools.partial(self.applied, keras))
                if issubclass(cls, base):
                    self.patch(cls, "__init__", functools.partial(self.noted, cls, kind))
                    if NOISE.search(cls.__name__) and self.plan.get("draws"):
                        self.patch(cls, "call", self.silent)
        if api != "keras" or not self.is_alone(keras):
            for cls in (layer, model):
                self.patch(cls, "__call__", functools.partial(self.called, keras))
            if hasattr(tensorflow, "function"):
                function = type(tensorflow.function(lambda: None))
                self.patch(function, "__call__", functools.partial(self.run_function, keras))
        if tensorflow.executing_eagerly():
            self.patch(tensorflow.data.Dataset, "from_generator", self.fed)
        backend = sys.modules.get("tensorflow.python.keras.backend")
        if hasattr(backend, "GraphExecutionFunction"):
            self.patch(backend.GraphExecutionFunction, "__call__", self.fed_in_graph)
        self.patch(layer, "add_weight", self.captured)
        for cls in {*layer.__mro__, *model.__mro__}:
            self.patch(cls, "add_loss", self.penalized)
        session = getattr(getattr(tensorflow, "compat", tensorflow), "v1", tensorflow)
        for cls in getattr(getattr(session, "Session", None), "__mro__", ()):
            self.patch(cls, "run", self.run_session)

    def patch(self, owner, name, around):
        """Let a class call `around(original, *arguments)` in place of a method that it defines."""
        original = vars(owner).get(name)
        function = getattr(original, "__func__", original)  # of a static method
        if function is None or getattr(function, "recorded", False):
            return

        @functools.wraps(function)
        def method(*args, **kwargs):
            return around(function, *args, **kwargs)

        with contextlib.suppress(TypeError, ValueError):  # frameworks ask for names of arguments
            method.__signature__ = inspect.signature(function)
        method.recorded = True
        setattr(owner, name, method if function is original else staticmethod(method))

    def caller(self):
        """Return the file whose code has called what is patched."""
        frame = sys._getframe(1)
        while os.path.dirname(frame.f_code.co_filename) == os.path.dirname(__file__):
            frame = frame.f_back
        return frame.f_code.co_filename

    def finish(self):
        """Note a last direct call of a model, and the configuration of all that was made."""
        if self.direct is not None:
            call = {"method": "call", "line": self.direct[1], "settings": {}, "data": None}
            with contextlib.suppress(Exception):
                weights = [numpy.asarray(part.numpy()) for part in self.direct[0].weights]
                state = state_of([digest([array]) for array in weights])
                self.record["calls"].append({**call, "state": state})
        for keras in self.keras[-1:]:
            policies = getattr(keras, "mixed_precision", None)
            policy = getattr(policies, "global_policy", getattr(policies, "dtype_policy", None))
            self.record["policy"] = policy().name if policy else keras.backend.floatx()
        for instance, written, line, kind in self.made:
            config = self.configs.get(id(instance)) or self.config_of(instance)
            if line is not None or kind == "optimizer":
                self.record["made"].append(
                    {
                        "class": class_name(instance),
                        "kind": kind,
                        "config": {ALIASES.get(key, key): config[key] for key in config},
                        "written": written,
                        "line": line,
                    }
                )


def files_of(folder, held):
    """Return {path: (modified, size)} of the files in a folder, a folder below included.

    What another process has open, as a log that the shell writes, is none of the script's: `held`
    remembers such files.
    """
    found = {}
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        if not link.startswith("/proc/%d/" % os.getpid()):
            with contextlib.suppress(OSError):  # another user's, or closed by now
                held.add(os.readlink(link))
    for place, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in sorted(folders)
            if name[0] not in "._" and name != "diagnosis" and place == folder
        ]
        for name in names:
            path = os.path.join(place, name)
            seen = os.path.isfile(path) and os.path.realpath(path) not in held
            if len(found) < FOLDER_FILES and seen and not name.endswith(".pyc"):
                stat = os.stat(path)
                found[os.path.relpath(path, folder)] = (stat.st_mtime, stat.st_size)
    return found


def run(recorder):
    """Run the script; return a sentence about what went wrong, or None."""
    plan = recorder.plan
    script = plan["script"]
    try:
        with open(script, "rb") as file:
            ast.parse(file.read(), script)
        recorder.watch_imports()
        sys.argv = [script, *plan["arguments"]]
        os.chdir(os.path.dirname(script))
        sys.path.insert(0, os.path.dirname(script))
        runpy.run_path(script, run_name="__main__")
    except SyntaxError as error:
        return "line %s is not Python %d: %s" % (error.lineno, sys.version_info[0], error.msg)
    except SystemExit as error:
        if error.code not in (None, 0):
            return "the script ends itself with exit status %s" % error.code
    except Probed:
        return None
    except KeyboardInterrupt:
        return "the script was interrupted"
    except BaseException as error:
        traceback.print_exc()
        lines = [
            part.lineno
            for part in traceback.extract_tb(error.__traceback__)
            if part.filename == script
        ]
        where = "line %d raises " % lines[-1] if lines else ""
        said = str(error).strip().split("\n")[0][:300]
        return "%s%s: %s" % (where, type(error).__name__, said)
    return None


class Outcome:
    """Where the record goes; there is one from the beginning, whatever the script does."""

    def __init__(self, recorder, record, arrays, printed):
        """Write what is true if nothing else is written."""
        self.recorder, self.paths = recorder, (record, arrays, printed)
        self.lock = threading.Lock()
        self.held = set()
        self.before = files_of(os.path.dirname(recorder.plan["script"]), self.held)
        self.write("the process of the script was killed, or has ended itself", [])

    def written(self):
        """Return the files beside the script that have changed since the beginning."""
        after = files_of(os.path.dirname(self.recorder.plan["script"]), self.held)
        return sorted(name for name in after if self.before.get(name) != after[name])

    def write(self, error, writes):
        """Write record and arrays, the arrays first."""
        record, arrays, printed = self.paths
        state = self.recorder.record
        state["error"] = error
        state["plan"] = {key: self.recorder.plan[key] for key in ("script", "arguments")}
        state["machine"] = platform.platform()
        state["packages"]["python"] = platform.python_version()
        with open(printed, "rb") as file:
            size = os.path.getsize(printed)
            file.seek(max(0, size - PRINTED_BYTES))
            state["printed"] = file.read().decode("utf-8", "replace")
        if size > PRINTED_BYTES and not self.recorder.plan.get("whole"):
            os.truncate(printed, PRINTED_BYTES)
        state["writes"] = writes
        with open(arrays, "wb") as file:
            numpy.savez(file, **self.recorder.arrays)
        with open(record, "w") as file:
            json.dump(state, file)

    def end(self, error, writes=None):
        """Write the last word; the first of two callers has it. `writes` are of `written`."""
        if self.lock.acquire(False):
            sys.stdout.flush()
            recorder = self.recorder
            if error is None and not any(entry["hashes"] for entry in recorder.record["models"]):
                unseen = recorder.record["unseen"]
                error = unseen[0] if unseen else "the script trains no Keras model"
            recorder.finish()
            self.write(error, self.written() if writes is None else writes)
            sys.stderr.flush()
            os._exit(0)


def take_lock(path):
    """Wait for a lock, alone if a run with this lock is known to need that; say whether alone."""
    guard = os.open(path, os.O_RDWR | os.O_CREAT)  # as long as this process lives
    alone = os.path.getsize(path) > 0
    fcntl.flock(guard, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
    return alone


def start_alone(plan, paths):
    """Start this run again in a new process, with no other at the same time."""
    with open(plan["lock"], "w") as file:
        file.write("alone\n")
    reader, writer = os.pipe()
    os.write(writer, json.dumps(plan).encode())
    os.close(writer)
    os.set_inheritable(reader, True)
    program = os.path.join(os.path.dirname(os.path.dirname(__file__)), "__main__.py")
    command = [sys.executable, "-s", program, "diagnose.record", "/dev/fd/%d" % reader]
    os.execv(sys.executable, command + paths)


def main():
    """Run a plan and write what happened."""
    with open(sys.argv[1]) as file:
        plan = json.load(file)
    paths = [os.path.abspath(path) for path in sys.argv[2:]]
    for key in DONORS:
        if plan.get(key):
            plan[key] = [os.path.abspath(path) for path in plan[key]]
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path[:] = [part for part in sys.path[1:] if os.path.abspath(part) != root]
    os.environ.pop("PYTHONPATH", None)
    sys.dont_write_bytecode = True
    if plan.get("portable"):
        os.environ["TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL"] = "false"
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
    sys.stdout.flush()
    output = os.open(paths[2], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    if plan.get("lock"):
        plan["lock"] = os.path.abspath(plan["lock"])
    alone = not plan.get("lock") or take_lock(plan["lock"])
    outcome = Outcome(Recorder(plan), *paths)
    said = "the script did not end within its limit of %d s" % plan["limit"]
    timer = threading.Timer(plan["limit"], outcome.end, [said])
    timer.daemon = True
    timer.start()
    error, writes = run(outcome.recorder), outcome.written()
    if not alone and (error or writes):  # which another run may have had a part in
        start_alone(plan, paths)
    outcome.end(error, writes)
