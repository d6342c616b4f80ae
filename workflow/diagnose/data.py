"""The data that a script hands to its models: what they are, and another run's in their place.

Arrays are described and kept as they are. Batches of a generator, a Sequence or a dataset are noted
where the framework takes them for a step, each once however often it comes. Runs under Python 3.7.
"""

import functools
import hashlib
import itertools

import numpy

KEPT_BYTES = 400 * 2**20  # of data for another run; more is hashed only
KEYS = ("x", "y", "sample_weight")
SUMS = {}  # of rows, by the hash of their arrays: the same rows are evaluated in each epoch


def digest(arrays):
    """Return a hash of arrays: their bytes, shapes and dtypes."""
    state = hashlib.blake2b(digest_size=8)
    for array in arrays:
        array = numpy.ascontiguousarray(array)
        state.update(repr((array.shape, array.dtype.str)).encode())
        state.update(array.tobytes() if array.dtype == object else memoryview(array).cast("B"))
    return state.hexdigest()


def pack(value, arrays):
    """Append the arrays in what was handed to a model; return its structure, for `unpack`.

    Raises ValueError where they cannot be seen (a dataset, a generator).
    """
    if value is None:
        return None
    if isinstance(value, dict):
        return {"dict": {str(key): pack(value[key], arrays) for key in sorted(value)}}
    if isinstance(value, (list, tuple)) and any(hasattr(p, "shape") for p in value):
        return {type(value).__name__: [pack(part, arrays) for part in value]}
    if hasattr(value, "to_numpy") or hasattr(value, "numpy"):
        value = value.to_numpy() if hasattr(value, "to_numpy") else value.numpy()
    if isinstance(value, (numpy.ndarray, numpy.generic, list, tuple)):
        array = numpy.asarray(value)
        if array.dtype != object:
            arrays.append(array)
            return len(arrays) - 1
    raise ValueError


def unpack(structure, arrays):
    """Return what `pack` has taken apart."""
    if structure is None or isinstance(structure, int):
        return None if structure is None else arrays[structure]
    ((kind, parts),) = structure.items()
    if kind == "dict":
        return {key: unpack(part, arrays) for key, part in parts.items()}
    parts = [unpack(part, arrays) for part in parts]
    return tuple(parts) if kind == "tuple" else parts


def pack_parts(parts):
    """Return the structures of `x`, `y` and weights, all arrays, and a hash for each of the three.

    Raises ValueError where they cannot be seen.
    """
    arrays, structures, hashes = [], [], []
    for part in itertools.islice(itertools.chain(parts, [None] * len(KEYS)), len(KEYS)):
        before = len(arrays)
        structures.append(pack(part, arrays))
        hashes.append(digest(arrays[before:]))
    return structures, arrays, hashes


def sum_of_rows(arrays):
    """Return a number of the rows of arrays that does not depend on their order, or None.

    Rows go together: a row of labels belongs to its row of inputs. Sums of several batches may be
    added, modulo 2**64.
    """
    sizes = {len(array) if array.ndim else 0 for array in arrays}
    if len(sizes) != 1 or 0 in sizes:
        return None
    sums = numpy.zeros(sizes.pop(), "uint64")
    generator = numpy.random.RandomState(0)
    for array in arrays:
        table = numpy.ascontiguousarray(array).reshape(len(array), -1).view("uint8")
        for column in range(0, table.shape[1], 64):
            part = table[:, column : column + 64].astype("uint64")
            sums += part.dot(generator.randint(1, 2**62, part.shape[1]).astype("uint64"))
    for shift, factor in (
        (33, 0xFF51AFD7ED558CCD),
        (33, 0xC4CEB9FE1A85EC53),
    ):  # MurmurHash3, fmix64
        sums = (sums ^ (sums >> numpy.uint64(shift))) * numpy.uint64(factor)
    return int(sums.sum())


def sum_once(name, arrays):
    """Return `sum_of_rows` of arrays that have this hash."""
    if name not in SUMS:
        SUMS[name] = sum_of_rows(arrays)
    return SUMS[name]


def describe(arrays):
    """Return hash, shapes and dtypes of arrays."""
    return {
        "hash": digest(arrays),
        "shapes": [list(array.shape) for array in arrays],
        "dtypes": [array.dtype.str for array in arrays],
    }


def describe_parts(parts):
    """Describe what was handed to a model, or return None where nothing can be seen."""
    try:
        _, arrays, hashes = pack_parts(parts)
    except ValueError:
        return None
    if not arrays:
        return None
    found = describe(arrays)
    return {**found, "each": dict(zip(KEYS, hashes), rows=sum_once(found["hash"], arrays))}


def hash_parts(notes):
    """Return {key: hash} of `x`, `y` and weights of batches as `Feed` notes them."""
    nothing, found = digest([]), {}
    for place, key in enumerate(KEYS):
        given = [note[1][place] for note in notes if note[1][place] != nothing]
        found[key] = digest([numpy.array(given)]) if given else nothing
    return found


def add_rows(notes):
    """Return the sum of the rows of batches as `Feed` notes them, or None."""
    sums = [note[2] for note in notes]
    return None if None in sums else sum(sums) % 2**64


class Feed:
    """The batches of one training call, in the order in which steps take them."""

    functions = ("train_function", "_fit_function")  # the second one is that of TensorFlow 1.13
    keeps = True

    def __init__(self, recorder, model, call):
        """Note nothing yet; `taken` says where the batches come from, once this is known."""
        self.recorder, self.model, self.call = recorder, model, call
        self.taken = self.running = None
        # Of each batch: its hash, those of its parts, the sum and number of its rows, itself.
        self.notes = []

    def note(self, batch):
        """Note one batch, and keep it if another run may need it."""
        recorder = self.recorder
        parts = list(batch) if isinstance(batch, (list, tuple)) else [batch]
        try:
            structures, arrays, hashes = pack_parts(parts)
        except ValueError:
            self.notes.append(None)
            return
        name = digest([numpy.array(hashes)])
        probed = parts if recorder.plan.get("probe") else None
        rows = sum_once(name, arrays), len(arrays[0]) if arrays and arrays[0].ndim else None
        self.notes.append((name, hashes, *rows, probed))
        kept = recorder.record["batches"]
        wanted = self.keeps and recorder.plan.get("whole") and name not in kept
        if wanted and recorder.keep_data(name, arrays):
            kept[name] = structures

    def used(self):
        """Return how many of the batches noted are in a step."""
        return self.call.get("steps", 0)

    def tap(self, batches):
        """Hand on the batches of a generator, noted unless the framework begins once more.

        It does so in each epoch of a Sequence; what it has read ahead by then is in no step.
        """
        mine = self.running = object()
        del self.notes[self.used() :]
        for batch in batches:
            if self.running is mine and self.taken == "generator":
                self.note(batch)
            yield batch

    def tap_dataset(self, dataset):
        """Hand on the batches of a dataset, noted; its own random seeds are made already."""
        nest, tensorflow = self.recorder.tensorflow.nest, self.recorder.tensorflow
        as_it_is = tensorflow.autograph.experimental.do_not_convert

        def note(*batch):
            def noted(*tensors):
                arrays = [tensor.numpy() for tensor in tensors]
                self.note(nest.pack_sequence_as(batch, arrays))

            tensorflow.py_function(as_it_is(noted), nest.flatten(batch), [])
            return batch if len(batch) > 1 else batch[0]

        self.taken = "dataset"
        return dataset.map(as_it_is(note))

    def is_run_by(self, function):
        """Say whether a function of a graph is the one that takes these batches."""
        return any(function is getattr(self.model, name, None) for name in self.functions)

    def tap_graph(self, function, inputs):
        """Fetch what a dataset puts into a training function of a graph, where it is put."""
        symbolic = [part for part in inputs if hasattr(part, "op")]
        sizes = [len(self.model._feed_inputs), len(self.model._feed_targets)]
        batch = {}
        for tensor in symbolic:
            if tensor not in function.fetches:
                function.fetches.append(tensor)
            function.fetch_callbacks[tensor] = functools.partial(batch.__setitem__, tensor)

        def finished():
            if not symbolic:
                return
            arrays = [batch[tensor] for tensor in symbolic]
            parts = [arrays[: sizes[0]], arrays[sizes[0] : sum(sizes)], arrays[sum(sizes) :]]
            self.note([part[0] if len(part) == 1 else part or None for part in parts])

        return finished

    def tell(self):
        """Write into the call's record which batches its steps have used; say if all are seen."""
        call = self.call
        used = self.notes[: call.get("steps", 0)]
        call["data"] = None
        if not used or None in used or len(used) < call["steps"]:
            return False
        call["each"].update(hash_parts(used))
        call["batches"] = [part[0] for part in used]
        call["data"] = {
            "hash": digest([numpy.array([*call["batches"], call["each"]["class_weight"]])])
        }
        call["kept"] = not {*call["batches"]} - {*self.recorder.record["batches"]}
        size = call.get("per_epoch", len(used))
        epochs = [used[start : start + size] for start in range(0, len(used), size)]
        sums = [add_rows(epoch) for epoch in epochs]
        if None not in sums:
            call["each"]["rows"] = sums[0] if len({*sums}) == 1 else sum(sums) % 2**64
        return True


class Evaluated(Feed):
    """The batches of the last evaluation of one call."""

    functions = ("test_function", "_eval_function")
    keeps = False
    begun = 0  # after so many steps of training

    def note(self, batch):
        """Note one batch; after another step of training it is the first of an evaluation."""
        steps = self.call.get("steps", 0)
        if steps != self.begun:
            self.notes, self.begun = [], steps
        super().note(batch)

    def used(self):
        """Return 0: where a generator begins once more, another evaluation begins."""
        return 0

    def describe(self, steps):
        """Describe what was evaluated, or return None where it is not seen; `steps` may be None."""
        used = self.notes[:steps]
        if not used or None in used or len(used) < (steps or 0):
            return None
        each = {**hash_parts(used), "rows": add_rows(used)}
        names = digest([numpy.array([part[0] for part in used])])
        return {"hash": names, "each": each, "batch_size": used[0][3]}


def follow(feed, arguments, source):
    """Return a feed whose batches are seen where they are used, or where a dataset makes them."""
    given = arguments.get(source)
    if hasattr(given, "element_spec") and feed.recorder.tensorflow.executing_eagerly():
        arguments[source] = feed.tap_dataset(given)
    elif hasattr(type(given), "output_shapes"):  # a dataset in TensorFlow 1
        feed.taken = "graph"
    return feed


def hand_over(recorder, model, arguments, call, number, source):
    """Describe the training data of a call and put those of another run in their place.

    Validation rows of `validation_split` are the last ones, before shuffling; so the split can be
    made here.

    Args:
        recorder: the recorder of this run.
        model: the model that is trained.
        arguments: of the call, by name; they are changed.
        call: its record, which is completed; where batches are followed, at its end only.
        number: of the training call.
        source: the argument that generators and datasets come in.

    Returns:
        a Feed where batches are followed, or None, and the packed rows, or None.
    """
    held_out = arguments.get("validation_data")
    split = arguments.get("validation_split") or 0.0
    packed = packed_rows(arguments, split)
    if packed and split:
        rest = packed_rows(arguments, split, held_out=True)
        held_out = tuple(unpack(part, rest[1]) for part in rest[0] if part is not None)
    if isinstance(held_out, (list, tuple)):
        call["validation"] = describe_parts(list(held_out))
    elif held_out is not None:
        recorder.evaluated = follow(Evaluated(recorder, model, call), arguments, "validation_data")
    if recorder.data is not None and take_over(recorder, arguments, call, number, source, packed):
        if packed and split:
            arguments.update(validation_data=held_out, validation_split=0.0)
            split = 0.0
        packed = packed_rows(arguments, split)
    weights = arguments.get("class_weight")
    if weights is not None:
        weights = {str(key): float(part) for key, part in weights.items()}
    call["class_weight"] = weights
    call["each"] = {"class_weight": repr(weights), "rows": None}
    if packed:
        _, arrays, hashes = packed
        call["data"] = describe([*arrays, numpy.array(repr(weights))])
        call["each"].update(zip(KEYS, hashes), rows=sum_of_rows(arrays))
        call["parts"] = packed[0]
        if recorder.plan.get("whole"):
            call["kept"] = recorder.keep_data("data/%d" % number, arrays)
        return None, packed
    call["data"] = None
    return follow(Feed(recorder, model, call), arguments, source), None


def packed_rows(arguments, split, held_out=False):
    """Return what `pack_parts` does of the rows that are trained on, or held out; or None."""
    try:
        structures, arrays, hashes = pack_parts([arguments.get(key) for key in KEYS])
    except ValueError:
        return None
    if not arrays:
        return None
    if split:
        kept = int(len(arrays[0]) * (1.0 - split))
        arrays = [array[kept:] if held_out else array[:kept] for array in arrays]
        parts = [unpack(part, arrays) for part in structures]
        structures, arrays, hashes = pack_parts(parts)
    return structures, arrays, hashes


def take_over(recorder, arguments, call, number, source, own):
    """Put the training data of another run's call into the arguments; say whether this was done.

    Arrays take the place of batches, or batches that of arrays, where one method takes both.
    """
    donor = recorder.data
    calls = donor.training_calls()
    other = calls[number] if number < len(calls) else {}
    batches = "batches" in other
    old_keras = call["method"] == "fit" and not recorder.fit_takes_generators()
    if not other.get("kept") or (batches == bool(own) and (call["method"] != "fit" or old_keras)):
        return False
    if batches or not own:
        for key in (*KEYS, "batch_size", "steps_per_epoch", "workers", "use_multiprocessing"):
            arguments.pop(key, None)
    if batches:
        arguments[source] = kept_batches(donor, other)
        arguments["steps_per_epoch"] = other.get("per_epoch")
    else:
        arrays = donor.kept("data/%d" % number)
        for key, part in zip(KEYS, other["parts"]):
            if part is not None or key in arguments:
                arguments[key] = unpack(part, arrays)
        if not own:
            arguments["batch_size"] = other["settings"].get("batch_size")
            arguments["shuffle"] = other["shuffle"]
    arguments.pop("class_weight", None)
    if other["class_weight"] is not None:
        arguments["class_weight"] = {int(k): part for k, part in other["class_weight"].items()}
    recorder.did("data")
    return True


def kept_batches(donor, call):
    """Yield the batches that another run's call has used, over and over."""
    for name in itertools.cycle(call["batches"]):
        structures = donor.record["batches"][name]
        arrays = donor.kept(name)
        last = max(place for place, part in enumerate(structures) if part is not None)
        yield tuple(unpack(part, arrays) for part in structures[: last + 1])


class Handed:
    """Batches that the framework takes from a source, and data that are kept."""

    evaluated = None  # a feed of what the current call evaluates

    def fed(self, original, generator, *args, **kwargs):
        """Follow the batches that the framework makes a dataset of: of generators and Sequences."""
        feed = self.feed if self.feed is not None and not self.feed.taken else self.evaluated
        if feed is None or feed.taken not in (None, "generator"):
            return original(generator, *args, **kwargs)
        feed.taken = "generator"
        dataset = original(lambda: feed.tap(generator()), *args, **kwargs)
        shuffle = dataset.shuffle  # TensorFlow 2.0 shuffles the batches of a Sequence here
        dataset.shuffle = lambda *sizes: feed.tap_dataset(shuffle(*sizes))
        return dataset

    def fed_in_graph(self, original, function, inputs):
        """Follow the batches of a dataset in TensorFlow 1, whose tensors a function is given."""
        for feed in (self.feed, self.evaluated):
            if feed is not None and feed.taken == "graph" and feed.is_run_by(function):
                finished = feed.tap_graph(function, inputs)
                result = original(function, inputs)
                finished()
                return result
        return original(function, inputs)

    def keep_data(self, name, arrays):
        """Keep training data for other runs; say whether there was room."""
        size = sum(array.nbytes for array in arrays)
        if self.kept + size > KEPT_BYTES:
            return False
        self.kept += size
        for place, array in enumerate(arrays):  # a generator may write into the same array again
            self.arrays["%s/%d" % (name, place)] = numpy.array(array)
        return True

    def fit_takes_generators(self):
        """Say whether `fit` takes what `fit_generator` does: not in standalone keras 2.2."""
        return not any(
            k.__name__ == "keras" and k.__version__.startswith("2.2.") for k in self.keras
        )

    def build(self, model, inputs):
        """Make the weights of a model that would be made in its first step only."""
        if self.tensorflow.executing_eagerly():
            arrays = []
            structure = pack(inputs, arrays)
            model(unpack(structure, [array[:1] for array in arrays]))
