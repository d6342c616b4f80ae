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
- `lock`: a file: no other run with this file runs at the same time;
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
import difflib
import fcntl
import functools
import glob
import hashlib
import inspect
import json
import os
import platform
import random
import re
import runpy
import sys
import threading
import traceback

import numpy

from diagnose.configured import class_name, plain
from diagnose.data import KEPT_BYTES, KEYS, describe_parts, digest, hand_over, pack, unpack

LOOP = "apply_gradients"  # a loop of the script's own
TRAINING = ("fit", "fit_generator", "train_on_batch", LOOP)
DONORS = ("start", "data", "final", "pinned")  # keys of a plan that name another run
EVALUATING = ("evaluate", "evaluate_generator", "test_on_batch")
PREDICTING = ("predict", "predict_generator", "predict_on_batch")
NOISE = re.compile("Dropout|GaussianNoise")
PARTLY = "trains in a loop of its own, whose data are seen in part"
DROPS = ("dropout", "recurrent_dropout")  # arguments of recurrent layers
PRINTED_BYTES = 10000  # of what a run prints, for the record
ALIASES = {"lr": "learning_rate", "acc": "accuracy", "val_acc": "val_accuracy"}
FRAMEWORKS = ("tensorflow", "tensorflow_core", "keras")
FOLDER_FILES = 2000  # looked at to see whether the script writes beside itself


class Probed(BaseException):
    """The step that a plan asks for is over."""


def state_of(hashes):
    """Return a hash of all weights of a model from the hashes of its arrays."""
    return hashlib.blake2b("".join(hashes).encode(), digest_size=8).hexdigest()


def subclasses(cls):
    """Yield a class and all its subclasses; a class of several bases comes more than once."""
    yield cls
    for part in type.__subclasses__(cls):
        for one in subclasses(part):
            yield one


def match(ours, theirs):
    """Return pairs of positions of arrays that two models share.

    Args:
        ours, theirs: layers as recorded: dicts with `class`, `shapes` and `places`. Layers without
            weights play no part. Layers are aligned by class and shapes, or by class alone where
            that shares more; arrays of one layer whose shapes differ are not shared.
    """
    ours, theirs = ([layer for layer in part if layer["shapes"]] for part in (ours, theirs))
    found = []
    for key in (lambda layer: [layer["class"], layer["shapes"]], lambda layer: layer["class"]):
        keys = [[repr(key(layer)) for layer in part] for part in (theirs, ours)]
        pairs = []
        matcher = difflib.SequenceMatcher(None, keys[0], keys[1], autojunk=False)
        for left, right, size in matcher.get_matching_blocks():
            for step in range(size):
                one, other = theirs[left + step], ours[right + step]
                parts = zip(one["shapes"], other["shapes"], one["places"], other["places"])
                pairs += [(mine, yours) for shape, same, yours, mine in parts if shape == same]
        found.append(pairs)
    return max(found, key=len)


def is_built(model):
    """Say whether a model has its weights already; some are built in their first step."""
    try:
        return bool(model.weights)
    except ValueError:
        return False


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


class Recorder:
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
        self.record.update(packages={}, apis=[], unseen=[], done={}, writes=[])
        self.arrays = {}
        self.keras = []  # modules of the framework
        self.models = []
        self.made = []
        self.configs = {}  # of optimizers, as they are when training begins
        self.optimizers = {}  # of own loops, by model
        self.weighing = {}  # of losses, as compiled, by model
        self.created = {}  # initial values of variables that are made within the first step
        self.patched = set()
        self.depth = 0
        self.kept = 0
        self.functions = []  # models trained by each tf.function that is running
        self.traced = {}  # the same, by function, once traced
        self.inputs = []  # hashes of what an own loop's steps are given
        self.direct = None  # model and line of a direct call after the last step
        self.gradients = {}  # of an own loop's step, by place of the weight
        self.before = None  # weights before the step of `probe`
        self.feed = None  # of the current call, where its batches come from elsewhere than arrays
        self.handed = (
            None  # what the current call trains on: its feed, or packed rows; their number
        )

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

    # --- the framework -------------------------------------------------------------------------

    def watch_imports(self):
        """Patch a framework as soon as the script has imported it."""
        original = builtins.__import__

        @functools.wraps(original)
        def imported(name, scope=None, *args, **kwargs):
            module = original(name, scope, *args, **kwargs)
            root = name.split(".")[0]
            asking = ((scope or {}).get("__name__") or "").split(".")[0]
            if root in FRAMEWORKS and asking not in FRAMEWORKS:
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
        if keras.layers.Layer not in self.patched:
            self.record["apis"].append(api)
        tensorflow = sys.modules.get("tensorflow") or module
        for name, part in (("tensorflow", tensorflow), (api, keras), ("numpy", numpy)):
            if hasattr(part, "__version__"):
                self.record["packages"][name] = part.__version__
        self.tensorflow = tensorflow
        model = keras.models.Model
        for cls in {*subclasses(model), *model.__mro__[:-1]}:
            if "compile" in vars(cls) and self.once(vars(cls)["compile"]):
                cls.compile = self.compiled(vars(cls)["compile"])
            for name in TRAINING + EVALUATING + PREDICTING:
                if name in vars(cls) and self.once(vars(cls)[name]):
                    setattr(cls, name, self.followed(keras, name, vars(cls)[name]))
        older = getattr(getattr(keras.optimizers, "legacy", None), "Optimizer", None)
        self.keras.append(keras)
        bases = [("layer", keras.layers.Layer), ("optimizer", keras.optimizers.Optimizer)]
        bases += [("optimizer", older), ("loss", getattr(keras.losses, "Loss", None))]
        for kind, base in bases:
            for cls in {*subclasses(base), *base.__mro__[:-1]} if base else ():
                if LOOP in vars(cls) and self.once(vars(cls)[LOOP]):
                    cls.apply_gradients = self.applied(keras, vars(cls)[LOOP])
                if not issubclass(cls, base):
                    continue
                if "__init__" in vars(cls) and self.once(cls):
                    self.patch_init(cls, kind)
                noisy = NOISE.search(cls.__name__) and "call" in vars(cls)
                if noisy and self.plan.get("draws") and self.once(vars(cls)["call"]):
                    cls.call = self.silent(vars(cls)["call"])
        layer = keras.layers.Layer
        if api != "keras" or not self.is_alone(keras):
            for cls in (layer, model):
                if "__call__" in vars(cls) and self.once(cls.__call__):
                    cls.__call__ = self.called(keras, cls.__call__)
            if hasattr(tensorflow, "function"):
                function = type(tensorflow.function(lambda: None))
                if self.once(function.__call__):
                    function.__call__ = self.run_function(keras, function.__call__)
        if tensorflow.executing_eagerly() and self.once(tensorflow.data.Dataset.from_generator):
            original = tensorflow.data.Dataset.from_generator
            tensorflow.data.Dataset.from_generator = staticmethod(self.fed(original))
        backend = sys.modules.get("tensorflow.python.keras.backend")
        function = getattr(backend, "GraphExecutionFunction", None)
        if function is not None and self.once(function.__call__):
            function.__call__ = self.fed_in_graph(function.__call__)
        if "add_weight" in vars(layer) and self.once(vars(layer)["add_weight"]):
            layer.add_weight = self.captured(layer.add_weight)
        session = getattr(getattr(tensorflow, "compat", tensorflow), "v1", tensorflow)
        session = getattr(session, "Session", None)
        if session is not None and self.once(session.run):
            session.run = self.guarded(
                session.run, "calls Session.run, whose training cannot be followed"
            )

    def once(self, thing):
        """Say whether something is to be patched, which is so the first time."""
        known = thing in self.patched or getattr(thing, "recorded", False)
        self.patched.add(thing)
        return not known

    def captured(self, original):
        """Keep initial values of variables that are made while the first step is traced."""

        @functools.wraps(original)
        def add_weight(layer, *args, **kwargs):
            variable = original(layer, *args, **kwargs)
            scope = getattr(self.tensorflow, "init_scope", None)
            if self.depth and scope is not None:
                with scope():
                    if self.tensorflow.executing_eagerly() and hasattr(variable, "numpy"):
                        self.created[id(variable)] = variable.numpy()
            return variable

        add_weight.recorded = True
        return add_weight

    def fed(self, original):
        """Follow the batches that the framework makes a dataset of: of generators and Sequences."""

        @functools.wraps(original)
        def from_generator(generator, *args, **kwargs):
            feed = self.feed
            if feed is None or feed.taken:
                return original(generator, *args, **kwargs)
            feed.taken = "generator"
            dataset = original(lambda: feed.tap(generator()), *args, **kwargs)
            shuffle = dataset.shuffle  # TensorFlow 2.0 shuffles the batches of a Sequence here
            dataset.shuffle = lambda *sizes: feed.tap_dataset(shuffle(*sizes))
            return dataset

        from_generator.recorded = True
        return from_generator

    def fed_in_graph(self, original):
        """Follow the batches of a dataset in TensorFlow 1, whose tensors a function is given."""

        @functools.wraps(original)
        def __call__(function, inputs):
            feed = self.feed
            if feed is None or feed.taken != "graph" or not feed.trains_by(function):
                return original(function, inputs)
            finished = feed.tap_graph(function, inputs)
            result = original(function, inputs)
            finished()
            return result

        __call__.recorded = True
        return __call__

    def in_loop(self):
        """Say whether the script itself, and no method of a model, computes eagerly."""
        from tensorflow.python.framework import ops

        main = threading.current_thread() is threading.main_thread()
        outside = getattr(ops, "executing_eagerly_outside_functions", None)
        known = hasattr(self.tensorflow, "nest")  # from TensorFlow 1.14 on
        return not self.depth and main and known and outside is not None and outside()

    def called(self, keras, original):
        """Record a model that the script calls, before the weights that it has are used."""

        @functools.wraps(original)
        def __call__(layer, *args, **kwargs):
            if not isinstance(layer, keras.models.Model) or not self.in_loop():
                return original(layer, *args, **kwargs)
            given = self.tensorflow.nest.flatten(args[:1])
            if not given or any(hasattr(part, "_keras_history") for part in given):
                return original(layer, *args, **kwargs)
            self.depth += 1
            try:
                known = is_built(layer)
                if not known:
                    output = original(layer, *args, **kwargs)
                with self.tensorflow.init_scope():
                    self.begin(keras, layer)
                self.direct = (layer, self.here())
                if self.tensorflow.executing_eagerly():
                    self.note_inputs(args[:1])
                return original(layer, *args, **kwargs) if known or self.start else output
            finally:
                self.depth -= 1

        __call__.recorded = True
        return __call__

    def note_inputs(self, values):
        """Note what a step of the script's own loop is given."""
        arrays = []
        for value in values:
            with contextlib.suppress(ValueError):
                pack(value, arrays)
        if arrays:
            self.inputs.append(digest(arrays))

    def applied(self, keras, original):
        """Record a step of a loop of the script's own."""

        @functools.wraps(original)
        def apply_gradients(optimizer, grads_and_vars, *args, **kwargs):
            if not self.in_loop():
                caller = sys._getframe(1).f_code.co_filename
                if self.depth == 0 and caller == self.plan["script"]:
                    self.unseen("applies gradients in a graph, which cannot be followed")
                return original(optimizer, grads_and_vars, *args, **kwargs)
            pairs = list(grads_and_vars)
            self.depth += 1
            try:
                result = original(optimizer, pairs, *args, **kwargs)
                updated = {id(variable) for _, variable in pairs}
                models = [m for m, _ in self.models if any(id(w) in updated for w in m.weights)]
                self.optimizers.update({id(model): optimizer for model in models})
                if not models:
                    self.unseen("applies gradients to weights that no model has been seen to use")
                elif self.functions:
                    self.functions[0].extend(m for m in models if m not in self.functions[0])
                elif self.tensorflow.executing_eagerly():
                    self.after_own_step(keras, models, PARTLY, pairs)
                return result
            finally:
                self.depth -= 1

        apply_gradients.recorded = True
        return apply_gradients

    def run_function(self, keras, original):
        """Record a step that the script has put into a tf.function."""

        @functools.wraps(original)
        def __call__(function, *args, **kwargs):
            if self.functions or not self.in_loop():
                return original(function, *args, **kwargs)
            models = self.traced.setdefault(id(function), (function, []))[1]
            self.functions.append(models)
            try:
                result = original(function, *args, **kwargs)
            finally:
                self.functions.pop()
            if models:
                self.note_inputs([*args, *kwargs.values()])
                self.after_own_step(keras, models, None, [])
            return result

        __call__.recorded = True
        return __call__

    def after_own_step(self, keras, models, sentence, pairs):
        """Record a step of these models; all steps in a line of the script are one call."""
        line = self.here()
        calls = self.record["calls"]
        if not calls or (calls[-1]["method"], calls[-1]["line"]) != (LOOP, line):
            calls.append({"method": LOOP, "line": line, "settings": {}, "data": None})
            calls[-1]["draws"] = self.draw_state()
            self.inputs = self.inputs[-1:]
            if sentence:
                self.unseen(sentence)
        calls[-1]["data"] = {"hash": digest([numpy.array(self.inputs)])} if self.inputs else None
        self.direct = self.handed = None
        for model in models:
            places = {id(weight): place for place, weight in enumerate(model.weights)}
            self.gradients = {
                places[id(variable)]: self.tensorflow.convert_to_tensor(gradient).numpy()
                for gradient, variable in pairs
                if self.plan.get("probe") and gradient is not None and id(variable) in places
            }
            self.after_step(keras, model, None)

    def guarded(self, original, what):
        """Note a line of the script that calls a function which no model of it calls."""

        @functools.wraps(original)
        def function(this, *args, **kwargs):
            caller = sys._getframe(1).f_code.co_filename
            if self.depth == 0 and caller == self.plan["script"]:
                self.unseen(what)
            return original(this, *args, **kwargs)

        function.recorded = True
        return function

    def silent(self, original):
        """Let a layer that adds noise hand on its input."""

        @functools.wraps(original)
        def call(layer, inputs, *args, **kwargs):
            self.did("draws")
            return self.tensorflow.identity(inputs)

        call.recorded = True
        return call

    def patch_init(self, cls, kind):
        """Note which arguments are written by whoever makes an object; give other defaults."""
        original = cls.__init__
        try:
            signature = inspect.signature(original)
        except (TypeError, ValueError):
            return
        names = list(signature.parameters)
        open_ended = any(part.kind == part.VAR_KEYWORD for part in signature.parameters.values())

        @functools.wraps(original)
        def init(instance, *args, **kwargs):
            # The class that is made may have no __init__ of its own.
            if next(part for part in type(instance).__mro__ if "__init__" in vars(part)) is cls:
                given = {**dict(zip(names[1:], args)), **kwargs}
                written = {ALIASES.get(name, name): plain(value) for name, value in given.items()}
                for name, key, value in self.defaults:
                    spelled = {key} | {short for short, full in ALIASES.items() if full == key}
                    spelled = [word for word in names if word in spelled] or [key] * open_ended
                    if name == class_name(instance) and key not in written and spelled:
                        kwargs[spelled[0]] = value
                        self.did("default %s.%s" % (name, key))
                if self.plan.get("draws"):
                    for key in set(DROPS) & set(names):
                        position = names.index(key) - 1
                        if position < len(args):
                            args = (*args[:position], 0.0, *args[position + 1 :])
                        elif kwargs.get(key):
                            kwargs[key] = 0.0
                caller = sys._getframe(1).f_code.co_filename
                library = any(os.sep + name + os.sep in caller for name in FRAMEWORKS)
                line = None if library else self.here()
                self.made.append((instance, written, line, kind))
            return original(instance, *args, **kwargs)

        init.__signature__ = signature  # frameworks ask for the names of arguments
        init.recorded = True
        cls.__init__ = init

    def slots_of(self, model):
        """Return the variables of the optimizer that trains a model; none is made by asking."""
        optimizer = self.optimizers.get(id(model)) or getattr(model, "optimizer", None)
        with contextlib.suppress(Exception):  # a class of the script's own need not have any
            found = getattr(optimizer, "variables", None) or getattr(optimizer, "weights", [])
            return list(found() if callable(found) else found)
        return []

    def compiled(self, original):
        """Note how a script weighs the losses of a model."""
        signature = inspect.signature(original)

        @functools.wraps(original)
        def compile(model, *args, **kwargs):
            arguments = signature.bind(model, *args, **kwargs).arguments
            self.weighing[id(model)] = plain(arguments.get("loss_weights"))
            return original(model, *args, **kwargs)

        compile.recorded = True
        return compile

    def values(self, keras, variables):
        """Return the arrays of variables."""
        if hasattr(keras.backend, "batch_get_value"):
            return [numpy.asarray(value) for value in keras.backend.batch_get_value(variables)]
        return [variable.numpy() for variable in variables]

    def prepare(self, model):
        """Make the operations of training before weights are read, as without a recorder."""
        if hasattr(model, "_make_train_function") and not self.tensorflow.executing_eagerly():
            model._make_train_function()

    def is_alone(self, keras):
        """Say whether this is standalone keras 2.2 or 2.3, which computes in a graph.

        Keras 2.3 on TensorFlow 2 has eager variables all the same.
        """
        return keras.__name__ == "keras" and keras.__version__.startswith(("2.2.", "2.3."))

    def fit_takes_generators(self):
        """Say whether `fit` takes what `fit_generator` does: not in standalone keras 2.2."""
        return not any(
            k.__name__ == "keras" and k.__version__.startswith("2.2.") for k in self.keras
        )

    def load(self, keras, variables, values):
        """Give variables other values, without one operation more."""
        if not variables:
            return
        eager = self.tensorflow.executing_eagerly() and hasattr(variables[0], "numpy")
        if eager and self.is_alone(keras):
            eager = variables[0].initializer is None
        if eager:
            for variable, value in zip(variables, values):
                variable.assign(value)
            return
        keras.backend.batch_get_value(variables)  # initializes what would be drawn later otherwise
        try:
            session = keras.backend.get_session()
        except (AttributeError, RuntimeError):
            session = self.tensorflow.compat.v1.keras.backend.get_session()
        for variable, value in zip(variables, values):
            initializer = variable.initializer
            session.run(initializer, {initializer.inputs[1]: value})

    # --- what the script does ------------------------------------------------------------------

    def followed(self, keras, name, original):
        """Record every call of a method by the script, but none by the framework itself."""
        signature = inspect.signature(original)

        @functools.wraps(original)
        def method(model, *args, **kwargs):
            if threading.current_thread() is not threading.main_thread():
                return original(model, *args, **kwargs)
            if self.depth:
                if name == "train_on_batch" and self.feed is not None and not self.feed.taken:
                    given = signature.bind(model, *args, **kwargs).arguments
                    self.feed.note([given.get(key) for key in KEYS])
                return original(model, *args, **kwargs)
            self.depth += 1
            try:
                return self.follow(keras, model, name, original, signature, args, kwargs)
            finally:
                self.depth -= 1

        method.recorded = True
        return method

    def follow(self, keras, model, name, original, signature, args, kwargs):
        """Run one call of the script, recorded."""
        bound = signature.bind(model, *args, **kwargs)
        arguments = bound.arguments
        call = {"method": name, "line": self.here(), "settings": {}}
        call["draws"] = self.draw_state()
        for key, value in arguments.items():
            if isinstance(value, (bool, int, float, str)):
                call["settings"][key] = value
        if arguments.get("callbacks"):
            names = [class_name(callback) for callback in arguments["callbacks"]]
            call["settings"]["callbacks"] = ", ".join(names)
        self.record["calls"].append(call)
        packed = None
        if name in TRAINING:
            number = sum(known["method"] in TRAINING for known in self.record["calls"]) - 1
            source = "generator" if "generator" in signature.parameters else "x"
            self.feed, packed = hand_over(self, model, arguments, call, number, source)
            rows = arguments.get("batch_size") or 32
            self.handed = (self.feed, packed, rows if name != "train_on_batch" else None)
        else:
            call["data"] = describe_parts([arguments.get(key) for key in KEYS])
        if name == "fit":
            default = signature.parameters["shuffle"].default
            call["shuffle"] = bool(arguments.get("shuffle", default)) and packed is not None
            if self.plan.get("draws") and call["shuffle"]:
                arguments["shuffle"] = False
                self.did("draws")
            if call["shuffle"]:
                self.hold_generators(number)
        entry = None
        if self.start is not None and not is_built(model) and call["data"] and name in TRAINING:
            self.build(model, arguments.get("x"))
        if name.startswith("fit"):
            arguments["callbacks"] = [
                *(arguments.get("callbacks") or []),
                self.callback(keras, model),
            ]
        elif is_built(model):
            if name == "train_on_batch":
                self.prepare(model)
            entry = self.begin(keras, model)
        if name in TRAINING and self.plan.get("probe") and is_built(model):
            self.before = self.values(keras, model.weights)
        if name not in TRAINING and entry is not None:
            weights = self.values(keras, model.weights)
            call["state"] = state_of([digest([array]) for array in weights])
        words = dict(arguments)
        del words[next(iter(signature.parameters))]
        for parameter in signature.parameters.values():
            if parameter.kind == parameter.VAR_KEYWORD:
                words.update(words.pop(parameter.name, {}))
        result = original(model, **words)  # standalone keras counts what is given by position
        feed, self.feed = self.feed, None
        entry = self.begin(keras, model, late=name in TRAINING)
        call["model"] = self.record["models"].index(entry)
        if name == "train_on_batch":
            loss = numpy.ravel(list(result.values()) if isinstance(result, dict) else result)[0]
            self.after_step(keras, model, float(loss))
        if feed is not None and not feed.tell():
            kind = type(bound.arguments.get(source)).__name__
            self.unseen("trains on a %s, whose batches are not seen" % kind)
        if name.startswith("fit"):
            for key, values in result.history.items():
                self.report(call, key, [float(numpy.ravel(value)[0]) for value in values])
        elif name in EVALUATING:
            if isinstance(result, dict):
                names, values = list(result), list(result.values())
            else:
                names, values = getattr(model, "metrics_names", ["loss"]), numpy.ravel(result)
                if "compile_metrics" in names:  # Keras 3
                    names = ["loss", *(metric.name for metric in model._compile_metrics.metrics)]
            for key, value in zip(names, values):
                self.report(call, key, [float(value)])
        elif name in PREDICTING:
            call["result"] = describe_parts([result])
        return result

    def draw_state(self):
        """Return what the next draws depend on: states of generators and seeds of operations."""
        state = {
            "numpy": digest([numpy.array(part) for part in numpy.random.get_state()[1:3]]),
            "python": digest([numpy.array(random.getstate()[1])]),
        }
        try:
            if self.tensorflow.executing_eagerly():
                from tensorflow.python.eager import context

                state["framework_seed"] = context.global_seed()
                generator = getattr(context.context(), "_rng", None)
                state["operations"] = repr(
                    generator and digest([numpy.array(generator.getstate()[1])])
                )
            else:
                graph = getattr(self.tensorflow.compat, "v1", self.tensorflow).get_default_graph()
                state["framework_seed"] = graph.seed
                seeds = [
                    operation.get_attr("seed2")
                    for operation in graph.get_operations()
                    if operation.type.startswith("Random") and "nitializer" not in operation.name
                ]
                state["operations"] = digest([numpy.array(seeds)])
        except (ImportError, AttributeError, ValueError):
            state["operations"] = None
        return state

    def hold_generators(self, number):
        """Keep the states of all generators at a training call, or give them another run's."""
        context = None
        if self.tensorflow.executing_eagerly():
            from tensorflow.python.eager import context

            context = context.context()
        framework = getattr(context, "_rng", None)
        generators = {"python": random, "framework": framework} if framework else {"python": random}
        key = "draws/%d/" % number
        if self.pinned is not None and key + "numpy" in self.pinned.arrays:
            *words, position = self.pinned.arrays[key + "numpy"].tolist()
            numpy.random.set_state(("MT19937", words, position))
            for name, generator in generators.items():
                if key + name in self.pinned.arrays:
                    generator.setstate((3, tuple(self.pinned.arrays[key + name].tolist()), None))
            seed = self.pinned.training_calls()[number]["draws"].get("framework_seed")
            if framework and seed is not None:
                context._seed = seed
            self.did("draws")
        elif self.plan.get("whole"):
            words, position = numpy.random.get_state()[1:3]
            self.arrays[key + "numpy"] = numpy.append(words, numpy.uint32(position))
            for name, generator in generators.items():
                self.arrays[key + name] = numpy.array(generator.getstate()[1], "uint32")

    def report(self, call, name, values):
        """Keep all values that one call has reported under one name."""
        settings = call["settings"]
        evaluated = call.get("validation") if name.startswith("val_") else call.get("data")
        batch = settings.get("validation_batch_size") if name.startswith("val_") else None
        self.record["numbers"].append(
            {
                "name": ALIASES.get(name, name),
                "values": values,
                "method": call["method"],
                "line": call["line"],
                "data": evaluated and evaluated["hash"],
                "each": evaluated and evaluated.get("each"),
                "batch_size": batch or settings.get("batch_size"),
                "steps": settings.get("validation_steps" if name.startswith("val_") else "steps"),
                "state": call.get("state"),
            }
        )

    def keep_data(self, name, arrays):
        """Keep training data for other runs; say whether there was room."""
        size = sum(array.nbytes for array in arrays)
        if self.kept + size > KEPT_BYTES:
            return False
        self.kept += size
        for place, array in enumerate(arrays):  # a generator may write into the same array again
            self.arrays["%s/%d" % (name, place)] = numpy.array(array)
        return True

    def build(self, model, inputs):
        """Make the weights of a model that would be made in its first step only."""
        if self.tensorflow.executing_eagerly():
            arrays = []
            structure = pack(inputs, arrays)
            model(unpack(structure, [array[:1] for array in arrays]))

    def callback(self, keras, model):
        """Return a callback that records every step of `fit`."""
        recorder = self

        class Steps(keras.callbacks.Callback):
            """Tells the recorder when training begins and a step ends."""

            def on_train_begin(self, logs=None):
                """Record the initial state, if there are weights already."""
                if is_built(model):
                    if not hasattr(model, "_fit_function"):  # which TensorFlow 1.13 has made by now
                        recorder.prepare(model)
                    recorder.begin(keras, model)

            def on_batch_end(self, batch, logs=None):
                """Record a step."""
                recorder.after_step(keras, model, (logs or {}).get("loss"))

            def on_epoch_end(self, epoch, logs=None):
                """Note how many steps the first epoch has."""
                call = recorder.record["calls"][-1]
                call.setdefault("per_epoch", call.get("steps", 0))

        return Steps()

    # --- state ---------------------------------------------------------------------------------

    def begin(self, keras, model, late=False):
        """Record a model the first time that it is used; exchange its initial weights.

        `late` says that a step has been made already.
        """
        for known, entry in self.models:
            if known is model:
                return entry
        if late and (self.start is not None or self.plan.get("ulp") is not None):
            raise ValueError("a model makes its weights in its first step, too late to change them")
        number = len(self.models)
        positions = {id(weight): place for place, weight in enumerate(model.weights)}
        entry = {"layers": [], "losses": [], "hashes": [], "slots": [], "states": [], "begun": 0}
        self.models.append((model, entry))
        self.record["models"].append(entry)
        for layer in self.leaves(model):
            mine = [weight for weight in layer.weights if id(weight) in positions]
            entry["layers"].append(
                {
                    "name": layer.name,
                    "class": class_name(layer),
                    "shapes": [[int(size) for size in weight.shape] for weight in mine],
                    "places": [positions[id(weight)] for weight in mine],
                }
            )
        entry["weights"] = [getattr(part, "path", part.name) for part in model.weights]
        trained = {id(weight) for weight in model.trainable_weights}
        entry["trained"] = [id(weight) in trained for weight in model.weights]
        optimizer = getattr(model, "optimizer", None)
        if optimizer is not None:
            if not any(made[0] is optimizer for made in self.made):
                self.made.append((optimizer, {}, None, "optimizer"))
            # At the end it may hold what a callback has made of it.
            self.configs[id(optimizer)] = self.config_of(optimizer)
            entry["loss"] = plain(model.loss)
            entry["loss_weights"] = self.weighing.get(id(model))
            if not late:
                counters = [part for part in self.slots_of(model) if "int" in str(part.dtype)]
                entry["begun"] = max([0, *(int(part) for part in self.values(keras, counters))])
        initial = [self.created.get(id(part)) for part in model.weights]
        if any(part is None for part in initial):
            initial = self.values(keras, model.weights)
        before = [digest([array]) for array in initial]
        trained = [
            n for n, (_, known) in enumerate(self.models) if known["hashes"][-1:] == [before]
        ]
        if trained:  # one trajectory: it goes on with the weights of another
            entry["continues"] = trained[0]
        elif self.start is not None:
            initial = self.exchange(keras, model, entry, number, self.start, "initial", initial)
        if self.plan.get("ulp") is not None and (
            not trained if "probe" not in self.plan else self.plan["probe"] == [number, 1]
        ):
            initial = self.move(keras, model, initial)
        entry["initial"] = [digest([array]) for array in initial]
        if self.plan.get("whole"):
            self.keep("initial", number, initial)
        self.before = initial
        return entry

    def leaves(self, model):
        """Return the layers of a model, those of models within it in their place."""
        found = []
        for layer in model.layers:
            if hasattr(layer, "layers") and layer.layers:
                found += self.leaves(layer)
            else:
                found.append(layer)
        return found

    def keep(self, kind, number, arrays):
        """Keep whole arrays of a model."""
        for place, array in enumerate(arrays):
            self.arrays["%s/%d/%d" % (kind, number, place)] = array

    def exchange(self, keras, model, entry, number, donor, kind, own):
        """Load weights of another run's model into the layers that both have; return all arrays."""
        if number >= len(donor.record["models"]):
            return own
        theirs = donor.record["models"][number]["layers"]
        pairs = [
            (mine, donor.arrays["%s/%d/%d" % (kind, number, yours)])
            for mine, yours in match(entry["layers"], theirs)
            if "%s/%d/%d" % (kind, number, yours) in donor.arrays
        ]
        self.load(keras, [model.weights[mine] for mine, _ in pairs], [array for _, array in pairs])
        self.did(kind, len(pairs))
        entry["kept_" + kind] = len(model.weights) - len(pairs)
        return [dict(pairs).get(place, array) for place, array in enumerate(own)]

    def move(self, keras, model, arrays):
        """Move every floating weight by one unit in the last place; return the arrays."""
        generator = numpy.random.RandomState(self.plan["ulp"])
        moved = []
        for array in arrays:
            if array.dtype.kind == "f":
                up = generator.uniform(size=array.shape) < 0.5
                towards = numpy.where(up, numpy.inf, -numpy.inf).astype(array.dtype)
                array = numpy.nextafter(array, towards)
            moved.append(array)
        self.load(keras, list(model.weights), moved)
        self.did("ulp")
        return moved

    def after_step(self, keras, model, loss):
        """Record the loss and hashes of all weights after a step."""
        entry = self.begin(keras, model, late=True)
        number = self.record["models"].index(entry)
        entry["hashes"].append(None)
        slots = self.slots_of(model)
        found = self.values(keras, [*model.weights, *slots])
        current, state = found[: len(model.weights)], found[len(model.weights) :]
        entry["slots"] = [
            [getattr(slot, "path", slot.name), list(array.shape)]
            for slot, array in zip(slots, state)
        ]
        entry["states"].append([digest([array]) for array in state])
        if self.final is not None and [number, len(entry["hashes"])] in self.plan["steps"]:
            place = self.plan["steps"].index([number, len(entry["hashes"])])
            theirs = self.plan["theirs"][place]
            current = self.exchange(keras, model, entry, theirs, self.final, "final", current)
        entry["losses"].append(None if loss is None else float(numpy.ravel(loss)[0]))
        entry["hashes"][-1] = [digest([array]) for array in current]
        last = self.record["calls"][-1]
        last["steps"] = last.get("steps", 0) + 1
        last["state"] = state_of(entry["hashes"][-1])
        if self.plan.get("whole") or self.plan.get("keep") or self.plan.get("probe"):
            self.keep("final", number, current)
        probed, step = self.plan.get("probe") or (None, 0)
        if number == probed:
            self.keep("state", number, state)
        if number == probed and len(entry["hashes"]) == step - 1:
            self.before = current
            if self.plan.get("ulp") is not None:
                self.before = self.move(keras, model, current)
        elif number == probed and len(entry["hashes"]) == step:
            self.load(keras, list(model.weights), self.before)
            try:
                self.look(keras, model, entry, number, last["steps"])
            except Exception as error:  # the step is known all the same, without its parts
                traceback.print_exc()
                entry["not_looked"] = "%s: %s" % (type(error).__name__, error)
            raise Probed

    def look(self, keras, model, entry, number, step):
        """Keep the outputs of all layers, the loss and the gradients of one batch.

        Everything is computed once more, outside of the step, from the weights before it.
        """
        for place, gradient in self.gradients.items():
            self.arrays["gradient/%d/%d" % (number, place)] = gradient
        if self.handed is None:
            entry["not_looked"] = "the script has a loop of its own"
            return
        own = getattr(getattr(model, "train_step", None), "__module__", FRAMEWORKS[0])
        if own.split(".")[0] not in FRAMEWORKS:
            entry["not_looked"] = "the model has a train_step of its own"
            return
        feed, packed, rows = self.handed
        if feed is not None:
            batch = feed.notes[step - 1][-1]
        else:
            parts, arrays, _ = packed
            rows = rows or len(arrays[0])
            start = (step - 1) % -(-len(arrays[0]) // rows) * rows
            arrays = [array[start : start + rows] for array in arrays]
            batch = [unpack(part, arrays) for part in parts]
        x, y, weights = [*batch, None, None][:3]
        eager = self.tensorflow.executing_eagerly() and not self.is_alone(keras)
        seen = self.look_eagerly if eager else self.look_in_graph
        layers, loss, gradients = seen(keras, model, x, y, weights)
        entry["looked"] = [[layer.name, class_name(layer)] for layer, _ in layers]
        self.keep("forward", number, [numpy.asarray(output) for _, output in layers])
        self.keep("loss", number, [numpy.asarray(loss)])
        places = {id(weight): place for place, weight in enumerate(model.weights)}
        for weight, gradient in zip(model.trainable_weights, gradients):
            if gradient is not None:
                key = "gradient/%d/%d" % (number, places[id(weight)])
                self.arrays[key] = numpy.asarray(gradient)

    def look_in_graph(self, keras, model, x, y, weights):
        """Return [layer, output] of each layer, the loss, and a gradient for each weight."""
        backend = keras.backend
        values = model._standardize_user_data(x, y, sample_weight=weights)[:3]
        values = [value for part in values for value in part or [] if value is not None]
        inputs = [*model._feed_inputs, *model._feed_targets, *model._feed_sample_weights]
        values += [numpy.ones(len(values[0]), "float32")] * (len(inputs) - len(values))
        phase = backend.learning_phase()
        if hasattr(phase, "dtype"):
            inputs, values = [*inputs, phase], [*values, 1]
        layers = [layer for layer in model.layers if class_name(layer) != "InputLayer"]
        outputs = [layer.get_output_at(len(layer._inbound_nodes) - 1) for layer in layers]
        outputs = [part[0] if isinstance(part, list) else part for part in outputs]
        gradients = backend.gradients(model.total_loss, model.trainable_weights)
        known = [part is not None for part in gradients]
        dense = [self.tensorflow.convert_to_tensor(part) for part in gradients if part is not None]
        found = backend.function(inputs, [*outputs, model.total_loss, *dense])(values)
        rest = iter(found[len(layers) + 1 :])
        gradients = [next(rest) if there else None for there in known]
        return list(zip(layers, found)), found[len(layers)], gradients

    def look_eagerly(self, keras, model, x, y, weights):
        """Return [layer, output] of each layer, the loss, and a gradient for each weight."""
        flatten = self.tensorflow.nest.flatten
        single = self.tensorflow.nest.map_structure
        floating = keras.backend.floatx()
        x, y, weights = (
            single(
                lambda array: self.tensorflow.constant(
                    array, floating if numpy.asarray(array).dtype.kind == "f" else None
                ),
                part,
            )
            if part is not None
            else None
            for part in (x, y, weights)
        )
        own = {id(layer) for layer in self.leaves(model)}
        layers = []
        base = keras.layers.Layer
        original = base.__call__

        def noted(layer, *args, **kwargs):
            output = original(layer, *args, **kwargs)
            if id(layer) in own and class_name(layer) != "InputLayer":
                layers.append((layer, flatten(output)[0]))
            return output

        def step():
            del layers[:]
            with self.tensorflow.GradientTape() as tape:
                if hasattr(model, "compiled_loss") or hasattr(model, "compute_loss"):
                    outputs = model(x, training=True)
                    if hasattr(model, "compute_loss"):
                        loss = model.compute_loss(x, y, outputs, weights)
                    else:
                        more = {"regularization_losses": model.losses}
                        loss = model.compiled_loss(y, outputs, weights, **more)
                else:  # TensorFlow 2.0 and 2.1
                    from tensorflow.python.keras.engine import training_eager

                    words = {"sample_weights": given[2], "training": True}
                    words["output_loss_metrics"] = model._output_loss_metrics
                    loss = training_eager._model_loss(model, *given[:2], **words)[1]
            gradients = [
                None if part is None else self.tensorflow.convert_to_tensor(part)
                for part in tape.gradient(loss, list(model.trainable_weights))
            ]
            return [output for _, output in layers], loss, gradients

        if not (hasattr(model, "compiled_loss") or hasattr(model, "compute_loss")):
            given = model._standardize_user_data(x, y, sample_weight=weights)[:3]
        if not getattr(model, "run_eagerly", False):  # some losses have another formula in a graph
            step = self.tensorflow.function(step, autograph=False)
        base.__call__ = noted
        try:
            outputs, loss, gradients = step()
        finally:
            base.__call__ = original
        return [(layer, output) for (layer, _), output in zip(layers, outputs)], loss, gradients

    def config_of(self, instance):
        """Return the configuration of a layer or an optimizer."""
        try:
            return plain(instance.get_config())
        except Exception:  # a class of the script's own need not have one
            return {}

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
        self.write("the process of the script was killed, or has ended itself")

    def write(self, error):
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
        after = files_of(os.path.dirname(self.recorder.plan["script"]), self.held)
        state["writes"] = sorted(name for name in after if self.before.get(name) != after[name])
        with open(arrays, "wb") as file:
            numpy.savez(file, **self.recorder.arrays)
        with open(record, "w") as file:
            json.dump(state, file)

    def end(self, error):
        """Write the last word; the first of two callers has it."""
        if self.lock.acquire(False):
            sys.stdout.flush()
            recorder = self.recorder
            if error is None and not any(entry["hashes"] for entry in recorder.record["models"]):
                unseen = recorder.record["unseen"]
                error = unseen[0] if unseen else "the script trains no Keras model"
            recorder.finish()
            self.write(error)
            sys.stderr.flush()
            os._exit(0)


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
        guard = os.open(plan["lock"], os.O_WRONLY | os.O_CREAT)  # as long as this process lives
        fcntl.flock(guard, fcntl.LOCK_EX)
    outcome = Outcome(Recorder(plan), *paths)
    said = "the script did not end within its limit of %d s" % plan["limit"]
    timer = threading.Timer(plan["limit"], outcome.end, [said])
    timer.daemon = True
    timer.start()
    outcome.end(run(outcome.recorder))
