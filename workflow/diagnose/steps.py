"""Models, their weights step by step, and other weights in their place. Runs under Python 3.7."""

import contextlib
import difflib
import hashlib
import re
import traceback

import numpy

from diagnose.configured import class_name, plain
from diagnose.data import digest


class Probed(BaseException):
    """The step that a plan asks for is over."""


def state_of(hashes):
    """Return a hash of all weights of a model from the hashes of its arrays."""
    return hashlib.blake2b("".join(hashes).encode(), digest_size=8).hexdigest()


def is_named(layer):
    """Say whether a script has named a layer; other names are made of the class."""
    name = re.sub(r"(_v\d+)?(_\d+)?$", "", layer["name"])
    return name.replace("_", "") != layer["class"].lower()


def align(ours, theirs, key):
    """Return pairs of positions of layers of two models that stand for each other, by the first.

    Layers of one class do whose scripts give them one name. The others are aligned by `key`, a
    function of a layer, along both models. Layers are dicts with `name` and `class` at least.
    """
    named = [{}, {}]
    for known, layers in zip(named, (ours, theirs)):
        for place, layer in enumerate(layers):
            if is_named(layer):
                known.setdefault((layer["class"], layer["name"]), place)
    pairs = [(named[0][name], named[1][name]) for name in named[0] if name in named[1]]
    rest, others = (
        [place for place in range(len(layers)) if all(pair[side] != place for pair in pairs)]
        for side, layers in enumerate((ours, theirs))
    )
    keys = (
        [repr(key(ours[place])) for place in rest],
        [repr(key(theirs[place])) for place in others],
    )
    matcher = difflib.SequenceMatcher(None, *keys, autojunk=False)
    for left, right, size in matcher.get_matching_blocks():
        pairs += zip(rest[left : left + size], others[right : right + size])
    return sorted(pairs)


def match(ours, theirs):
    """Return pairs of positions of arrays that two models share.

    Args:
        ours, theirs: layers as recorded: dicts with `name`, `class`, `shapes` and `places`. Layers
            without weights play no part. Layers are aligned by class and shapes, or by class alone
            where that shares more; arrays of one layer whose shapes differ are not shared.
    """
    ours, theirs = ([layer for layer in part if layer["shapes"]] for part in (ours, theirs))
    found = []
    for key in (lambda layer: [layer["class"], layer["shapes"]], lambda layer: layer["class"]):
        pairs = []
        for left, right in align(theirs, ours, key):
            one, other = theirs[left], ours[right]
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


class Steps:
    """What one run makes of its weights."""

    def captured(self, original, layer, *args, **kwargs):
        """Keep initial values of variables that are made while the first step is traced."""
        variable = original(layer, *args, **kwargs)
        scope = getattr(self.tensorflow, "init_scope", None)
        if self.depth and scope is not None:
            with scope():
                if self.tensorflow.executing_eagerly() and hasattr(variable, "numpy"):
                    self.created[id(variable)] = variable.numpy()
        return variable

    def slots_of(self, model):
        """Return the variables of the optimizer that trains a model; none is made by asking."""
        optimizer = self.optimizers.get(id(model)) or getattr(model, "optimizer", None)
        with contextlib.suppress(Exception):  # a class of the script's own need not have any
            found = getattr(optimizer, "variables", None) or getattr(optimizer, "weights", [])
            return list(found() if callable(found) else found)
        return []

    def values(self, keras, variables):
        """Return the arrays of variables."""
        if self.is_alone(keras) or not variables:
            return [numpy.asarray(value) for value in keras.backend.batch_get_value(variables)]
        if self.tensorflow.executing_eagerly():
            return [variable.numpy() for variable in variables]
        # Speed: a callable runs in a third of the time of Session.run.
        session = self.session_of(keras)
        known = (id(session), *map(id, variables))
        if known not in self.readers:  # with the variables, whose numbers no other may get
            self.readers[known] = session.make_callable(list(variables)), variables, session
        return [numpy.asarray(value) for value in self.readers[known][0]()]

    def session_of(self, keras):
        """Return the session of a graph, in which all variables have values."""
        try:
            return keras.backend.get_session()
        except (AttributeError, RuntimeError):
            return self.tensorflow.compat.v1.keras.backend.get_session()

    def prepare(self, model):
        """Make the operations of training before weights are read, as without a recorder."""
        if hasattr(model, "_make_train_function") and not self.tensorflow.executing_eagerly():
            model._make_train_function()

    def is_alone(self, keras):
        """Say whether this is standalone keras 2.2 or 2.3, which computes in a graph.

        Keras 2.3 on TensorFlow 2 has eager variables all the same.
        """
        return keras.__name__ == "keras" and keras.__version__.startswith(("2.2.", "2.3."))

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
        session = self.session_of(keras)
        for variable, value in zip(variables, values):
            initializer = variable.initializer
            session.run(initializer, {initializer.inputs[1]: value})

    def callbacks(self, keras, model, given):
        """Return callbacks of `fit` that record, around those that the script has given."""
        recorder = self

        class Epochs(keras.callbacks.Callback):
            """Tells the recorder when an epoch ends, before a callback of the script can act."""

            def on_epoch_end(self, epoch, logs=None):
                """Record the last step; note how many steps the first epoch has."""
                call = recorder.record["calls"][-1]
                call.setdefault("per_epoch", call.get("steps", 0))
                recorder.note_step(keras, model)

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
                recorder.after_step(keras, model, (logs or {}).get("loss"), in_epoch=True)

        return [Epochs(), *given, Steps()]

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

    def after_step(self, keras, model, loss, in_epoch=False):
        """Record the loss and, unless the plan is `light` and the epoch goes on, all weights."""
        entry = self.begin(keras, model, late=True)
        entry["losses"].append(None if loss is None else float(numpy.ravel(loss)[0]))
        entry["hashes"].append(None)
        entry["states"].append(None)
        last = self.record["calls"][-1]
        last["steps"] = last.get("steps", 0) + 1
        place = [self.record["models"].index(entry), len(entry["hashes"])]
        probed = self.plan.get("probe") or [None, 0]
        wanted = [*self.plan.get("steps", []), probed, [probed[0], probed[1] - 1]]
        if not in_epoch or not self.plan.get("light") or place in wanted:
            self.note_step(keras, model)

    def note_step(self, keras, model):
        """Record hashes of all weights and of the optimizer's state after the last step."""
        entry = self.begin(keras, model, late=True)
        if entry["hashes"][-1:] != [None]:
            return
        number = self.record["models"].index(entry)
        slots = self.slots_of(model)
        found = self.values(keras, [*model.weights, *slots])
        current, state = found[: len(model.weights)], found[len(model.weights) :]
        if len(entry["slots"]) != len(slots):
            entry["slots"] = [
                [getattr(slot, "path", slot.name), list(array.shape)]
                for slot, array in zip(slots, state)
            ]
        entry["states"][-1] = [digest([array]) for array in state]
        if self.final is not None and [number, len(entry["hashes"])] in self.plan["steps"]:
            place = self.plan["steps"].index([number, len(entry["hashes"])])
            theirs = self.plan["theirs"][place]
            current = self.exchange(keras, model, entry, theirs, self.final, "final", current)
        entry["hashes"][-1] = [digest([array]) for array in current]
        last = self.record["calls"][-1]
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
