"""Train many graph-level seeds side by side, bit for bit as stock tf.keras trains each one alone.

In:  a cell (`TrainSettings`), graph-level seeds, and optionally the initial Dense kernels.
Out: initial and final weights and the losses Keras reports, one row per seed (`train_seeds`).

The N networks of a chunk lie beside each other in one wide network: column n * units + u of a
(rows, N * units) matrix is unit u of network n.  Everything but the matrix products is then an
operation that Keras itself calls, on a wider matrix, in Keras' order.  How many networks share
one matrix product is tested at the start, bit by bit (`choose_products`).
The execution mode of the process, eager or graph, decides which initial kernels are drawn.

A function whose docstring begins with "Bits:" is written the way it is for bit equality only;
tests/page/test_engine.py replaces each by the obvious form and sees the bits change.  One that
begins with "Speed:" is written the way it is for speed only; benchmarks/study_engine.py replaces
each by the obvious form, sees the same bits, and prints what that costs.

Runs inside the framework's environment: Python 3.7, numpy and TensorFlow 1.14.0 or 2.0.0.
"""

import functools
import importlib
import sys
from typing import NamedTuple, Optional, Tuple

import numpy as np
from train import framework

from page.study import FEATURES, UNITS, VARIANTS

# The framework imports these if they are there: a fifth of its import, for nothing used here.
UNUSED = ("h5py", "scipy", "setuptools", "tensorboard", "tensorflow_estimator", "yaml")


def load_framework():
    """TensorFlow without UNUSED and without settings of the caller, as any run."""
    absent = dict.fromkeys(set(UNUSED) - set(sys.modules))
    sys.modules.update(absent)  # for Python, None is a package that is not installed
    try:
        return framework.load_framework("tf.keras")[0]
    finally:
        for name in absent:
            del sys.modules[name]


tf = load_framework()
tf1 = tf.compat.v1
get_seed = importlib.import_module("tensorflow.python.framework.random_seed").get_seed
deprecation = importlib.import_module("tensorflow.python.util.deprecation")

KERNEL_SHAPES = ((FEATURES, UNITS), (UNITS, FEATURES))
BN_EPSILON = 1e-3
BETA_1, BETA_2, ADAM_EPSILON = np.float32(0.9), np.float32(0.999), np.float32(1e-7)
EVALUATE_ROWS = 32  # batch size of Keras' evaluate
PACKET = 8  # float32 numbers that the framework's kernels handle at once (AVX)
BLOCK = 4  # networks in a block-diagonal product, at most: with more, the zeros cost too much
BATCH_ROWS = {"question": 32, "answer": 10}
ACTIVATIONS = ("linear", "relu", "tanh", "sigmoid", "elu")
INEXACT_TAIL = ("sigmoid", "elu")  # not exact where 12 * rows is no multiple of a packet


class StockLoops(NamedTuple):
    """Three ways in which Keras' own training loops differ, and with them the last bits."""

    shuffle_held_out: bool  # validation in `fit` takes the held-out rows in random order
    constant_rows: bool  # the number of rows in a batch is a constant of the optimized graph
    optimized_steps: bool  # a training step runs as an optimized graph


class TrainSettings(NamedTuple):
    """One cell of the study: everything that decides a run, except its graph-level seed.

    The question's protocol is `fit`, which validates on the held-out rows after each epoch; the
    answer's is `train_on_batch`, on full batches only.
    """

    variant: str = "plain"
    protocol: str = "question"
    # of the hidden units and of the output, where the variant has an activation layer
    activations: Tuple[str, str] = ("linear", "linear")
    epochs: int = 20
    batch_rows: Optional[int] = None  # None: 32 for the question, 10 for the answer
    learning_rate: float = 0.001
    bn_momentum: float = 0.99
    data_seed: int = 1
    training_rows: int = 90
    held_out_rows: int = 10  # drawn after the training rows
    evaluate: Tuple[Tuple[int, int], ...] = ((80, 90), (90, 100))  # row ranges, after training
    noted: Tuple[int, ...] = ()  # epochs after which losses are noted; none: each


def train_seeds(settings, seeds, kernels=None, chunk=128, step_losses=False):
    """Train one network for each graph-level seed.

    Args:
      settings: a TrainSettings.
      seeds: sequence of graph-level seeds, integers in [0, 2**31 - 1).
      kernels: the two initial Dense kernels, float32 arrays of shapes (seeds, 12, 8) and
        (seeds, 8, 12); by default what Keras draws here for these seeds (`draw_kernels`).
      chunk: networks trained side by side, at most; start-up time and memory grow with it.
      step_losses: whether to return the loss of every training step.

    Returns: a dict; every array has one row per seed.
      initial_weights, final_weights: lists of float32 arrays, ordered as `model.get_weights()`.
      loss: float64 (seeds, epochs), the mean over the rows that each epoch trained on, as `fit`
        reports it.
      val_loss: float64 (seeds, epochs), as `fit` reports it; only for the question's protocol.
      evaluations: float64 (seeds, ranges), `model.evaluate` on each of settings.evaluate.
      noted_evaluations: float64 (seeds, noted, ranges), the same after each of settings.noted:
        what a training of so many epochs ends with; `loss` and `val_loss` have these epochs only.
      step_losses: float32 (seeds, steps), if asked for.
      networks_per_product: int16 (seeds, 5), how many networks shared a matrix product, in the
        order of `Products`.

    Raises: ValueError, naming the setting, for values outside the tested range.
    """
    seeds = [int(seed) for seed in seeds]
    check(settings, seeds)
    kernels = draw_kernels(settings.variant, seeds) if kernels is None else kernels
    for kernel, shape in zip(kernels, KERNEL_SHAPES):
        require(np.shape(kernel) == (len(seeds), *shape), "kernels", np.shape(kernel), shape)
    stock = stock_loops(settings)
    data, held_out_orders = draw_data(settings, stock)
    count = networks_side_by_side(len(seeds), chunk)
    plan = schedule(settings, held_out_orders)
    shared = share_products(settings, count, plan)
    starts, tested = [], np.concatenate(plan.tested())
    for first in range(0, len(seeds), count):
        rows = np.minimum(np.arange(first, first + count), len(seeds) - 1)  # fills up the last
        starts.append([*(kernel[rows] for kernel in kernels), data, tested])

    def train(starts, shared):
        networks = build_networks(settings._replace(data_seed=None), stock, count, shared)
        return [run(settings, networks, plan, start, step_losses) for start in starts]

    results = train(starts, shared)
    mixed = [i for i, result in enumerate(results) if not all_finite(result)]
    if mixed and shared != ALONE:  # zero times infinity: a network reaches those of its block
        for i, result in zip(mixed, train([starts[i] for i in mixed], ALONE)):
            results[i] = result
    return {key: join([part[key] for part in results], len(seeds)) for key in results[0]}


def share_products(settings, count, plan):
    """Return how many networks share each matrix product in this cell, as Products."""
    training = {len(batch) for batch in plan.training}
    testing = {len(batch) for batch in plan.tested()}
    return choose_products(count, tuple(sorted(training)), tuple(sorted(testing)))


def networks_side_by_side(seeds, chunk):
    """Return how many networks of so many seeds lie side by side, a multiple of BLOCK."""
    return -(-seeds // (-(-seeds // chunk) * BLOCK)) * BLOCK


def join(parts, count):
    """Return the chunks end to end, the first `count` seeds of them; lists array by array."""
    if isinstance(parts[0], list):
        return [join(arrays, count) for arrays in zip(*parts)]
    return np.concatenate(parts)[:count]


# The protocols -------------------------------------------------------------------------------


class Schedule(NamedTuple):
    """Which rows are trained and tested on, batch by batch; rows by their numbers."""

    training: list  # the batches of each epoch
    testing: list  # for each epoch, and once more for the end: sets of rows, each in batches

    def tested(self):
        """Return all batches that are tested on, one after the other."""
        return [batch for sets in self.testing for batches in sets for batch in batches]


def schedule(settings, held_out_orders):
    """Return the Schedule of a run, in the order of the page."""
    size = batch_rows(settings)
    training = split_rows(np.arange(settings.training_rows), size)
    if settings.protocol == "answer":
        training = [batch for batch in training if len(batch) == size]
    evaluated = [split_rows(np.arange(a, b), EVALUATE_ROWS) for a, b in settings.evaluate]
    testing = []
    for epoch, order in enumerate(held_out_orders, start=1):
        validated = [split_rows(order, size)] if settings.protocol == "question" else []
        noted = evaluated if settings.noted else []
        testing.append(validated + noted if is_reported(settings, epoch) else [])
    return Schedule(training, [*testing, evaluated])


def is_reported(settings, epoch):
    """Return whether losses are noted after this epoch."""
    return not settings.noted or epoch in settings.noted


def run(settings, networks, plan, start, step_losses):
    """Train and evaluate one chunk from this start; see Networks.reset."""
    training, testing = plan
    networks.reset(start)
    result = {"initial_weights": networks.weights()}
    reported = {"loss": [], "val_loss": [], "noted_evaluations": [], "step_losses": []}
    for epoch, sets in enumerate(testing[:-1], start=1):
        losses = [networks.train() for _ in training]
        if step_losses:
            reported["step_losses"] += losses
        if not is_reported(settings, epoch):
            continue
        reported["loss"].append(weighted_mean(losses, training))
        tested = [evaluate(networks, batches) for batches in sets]
        if settings.protocol == "question":
            reported["val_loss"].append(tested.pop(0))
        if settings.noted:
            reported["noted_evaluations"].append(np.stack(tested, axis=1))
    result["final_weights"] = networks.weights()
    reported["evaluations"] = [evaluate(networks, batches) for batches in testing[-1]]
    result.update({key: np.stack(values, axis=1) for key, values in reported.items() if values})
    shared = np.array([networks.shared], np.int16)
    return dict(result, networks_per_product=np.repeat(shared, networks.count, axis=0))


def all_finite(result):
    """Return whether no loss and no weight of any network has left the finite numbers."""
    arrays = [*result["final_weights"], *(a for a in result.values() if not isinstance(a, list))]
    return all(np.isfinite(array).all() for array in arrays)


def batch_rows(settings):
    """Return the rows of a batch: as set, or the default of the protocol."""
    return settings.batch_rows or BATCH_ROWS[settings.protocol]


def split_rows(data, size):
    """Return consecutive slices of `size` rows, the last one possibly shorter."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def evaluate(networks, batches):
    """Return the mean loss on the next rows to be tested, float64 (count,), as Keras does."""
    return weighted_mean([networks.test() for _ in batches], batches)


def weighted_mean(losses, batches):
    """Bits: Keras averages over batches in Python, in double precision."""
    rows = [len(batch) for batch in batches]
    return sum(loss.astype(np.float64) * n for loss, n in zip(losses, rows)) / sum(rows)


def stock_loops(settings):
    """What Keras does here; to be asked outside of any graph."""
    first, eager = tf.__version__.startswith("1"), tf.executing_eagerly()
    question, full = (
        settings.protocol == "question",
        settings.training_rows % batch_rows(settings) == 0,
    )
    return StockLoops(
        shuffle_held_out=first,
        constant_rows=eager and not first and question and full,
        optimized_steps=first or not eager or question,
    )


def draw_data(settings, stock):
    """The rows, float32 as Keras feeds them, and for each epoch the order of the held-out rows."""
    rng = np.random.RandomState(settings.data_seed)
    rows = settings.training_rows + settings.held_out_rows
    data = rng.normal(0, 1, (rows, FEATURES)).astype(np.float32)
    return data, [held_out_order(settings, stock, rng) for _ in range(settings.epochs)]


def held_out_order(settings, stock, rng):
    """Bits: the loop of TF 1.14 shuffles the validation rows with numpy's global generator."""
    order = settings.training_rows + np.arange(settings.held_out_rows)
    if stock.shuffle_held_out:
        rng.shuffle(order)
    return order


# The networks --------------------------------------------------------------------------------


class Networks:
    """Networks side by side, their Adam states, and one step of training or testing them all.

    A parameter of all networks is one variable: a vector, network after network, or a matrix, the
    first kernel (12, count * 8) and the second (count * 8, 12).
    """

    def __init__(self, settings, stock, count, shared, session):
        """Build the graph for `count` networks and make its steps callable."""
        self.settings, self.stock, self.layers = settings, stock, layers(settings)
        self.count, self.shared, self.session = count, shared, session
        order = np.arange(settings.training_rows, settings.training_rows + settings.held_out_rows)
        plan = schedule(settings, [order] * settings.epochs)  # how many rows, not which
        tested, rows = plan.tested(), settings.training_rows + settings.held_out_rows
        kernels = [tf1.placeholder(tf.float32, (count, *shape)) for shape in KERNEL_SHAPES]
        data = tf1.placeholder(tf.float32, (rows, FEATURES))
        order = tf1.placeholder(tf.int32, (sum(map(len, tested)),))
        self.start = [*kernels, data, order]
        self.parameters = [variable(value) for value in initial(self.layers, kernels, count)]
        self.moving = [
            [variable(tf.zeros(count * units)), variable(tf.ones(count * units))]
            for kind, _, units in self.layers
            if kind == "bn"
        ]
        data, trained = variable(data), np.concatenate(plan.training)
        self.train = on_batches(session, data, trained, plan.training, self.training_step)
        self.test = on_batches(session, data, variable(order), tested, self.testing_step)
        self.initialize = tf1.global_variables_initializer()

    def training_step(self, x, step):
        """Return the loss of each network on these rows and, to be run with it, the update."""
        parameters = [parameter.read_value() for parameter in self.parameters]
        losses, moving = self.forward(x, parameters, training=True)
        rows = tf.cast(tf.shape(x)[0], tf.float32)
        gradients = tf.gradients(losses, parameters, tf.fill(tf.shape(losses), 1 / rows))
        rate = np.float32(self.settings.learning_rate)
        powers = [beta**step for beta in (BETA_1, BETA_2)]
        updates = [
            adam_step(parameter, gradient, powers, rate, self.count)
            for parameter, gradient in zip(self.parameters, gradients)
        ]
        updates += [
            tf1.assign(*pair) for moments in zip(self.moving, moving) for pair in zip(*moments)
        ]
        return sum_rows(losses) / rows, tf.group(updates)

    def testing_step(self, x, _):
        """Return the loss of each network on these rows."""
        parameters = [parameter.read_value() for parameter in self.parameters]
        losses, _ = self.forward(x, parameters, training=False)
        return (sum_rows(losses) / tf.cast(tf.shape(x)[0], tf.float32),)

    def forward(self, x, parameters, training):
        """The loss of every row and network, and BN's next moving means and variances."""
        parameters, moving, next_moving = iter(parameters), iter(self.moving), []
        h, fused = x, self.stock.optimized_steps or not training
        for kind, _, units in self.layers:
            if kind == "dense":
                inputs, kernel, bias = h, next(parameters), next(parameters)
                dense = first_layer if h is x else second_layer
                h = tf.nn.bias_add(dense(h, kernel, self.count, self.shared), bias)
            elif kind == "bn":
                gamma, beta = next(parameters), next(parameters)
                old = [moment.read_value() for moment in next(moving)]
                if training:
                    h, new = normalize_batch(h, gamma, beta, self.stock.constant_rows)
                    decay = bn_decay(self.settings.bn_momentum)
                    next_moving.append([a - (a - b) * decay for a, b in zip(old, new)])
                else:
                    h = normalize(h, gamma, beta, *old)
            elif kind == "elu" and units == FEATURES and fused:
                h = elu(h, tf.concat(fused_elu(inputs, kernel, bias, self.count), axis=1))
            else:
                h = tf.keras.activations.get(kind)(h)
        return squared_errors(h, x, self.count), next_moving

    def reset(self, start):
        """Start again, with fresh Adam states, from two kernels, data and rows to be tested on.

        Kernels: float32 (count, 12, 8) and (count, 8, 12); data: float32 (rows, 12); numbers of
        the rows that are tested on, batch after batch.
        """
        self.session.run(self.initialize, dict(zip(self.start, start)))

    def weights(self):
        """float32 arrays of shape (count, ...), ordered as Keras' get_weights."""
        values = map(iter, self.session.run([self.parameters, self.moving]))
        parameters, moving = values
        weights = []
        for kind, inputs, units in self.layers:
            if kind == "dense":
                kernel = next(parameters)
                if not weights:  # the first one lies network beside network
                    kernel = np.moveaxis(kernel.reshape(inputs, self.count, units), 1, 0)
                weights += [kernel.reshape(self.count, inputs, units), next(parameters)]
            elif kind == "bn":
                weights += [next(parameters), next(parameters), *next(moving)]
        return [array.reshape(self.count, -1) if array.ndim == 1 else array for array in weights]


@functools.lru_cache(maxsize=16)
def build_networks(settings, stock, count, shared):
    """Speed: the Networks of a cell; other data or kernels train in the same ones."""
    optimizers = ["remap"] if fuses_elu(settings) else []
    with tf1.Graph().as_default() as graph, undisturbed():
        session = tf1.Session(graph=graph, config=one_thread(optimizers))
        return Networks(settings, stock, count, shared, session)


def layers(settings):
    """(kind, inputs, units) of each layer; the kind of an activation is its name."""
    result = []
    shapes = zip(KERNEL_SHAPES, VARIANTS[settings.variant], settings.activations)
    for (inputs, units), after, activation in shapes:
        kinds = [activation if kind == "activation" else kind for kind in after]
        result += [("dense", inputs, units)] + [(kind, units, units) for kind in kinds]
    return result


def initial(layers, kernels, count):
    """The trainable parameters as Keras starts them, in its order: kernel, bias; gamma, beta."""
    first, second = kernels
    kernels = iter(
        [
            tf.reshape(tf.transpose(first, (1, 0, 2)), (FEATURES, -1)),
            tf.reshape(second, (-1, FEATURES)),
        ]
    )
    values = []
    for kind, _, units in layers:
        if kind == "dense":
            values += [next(kernels), tf.zeros(count * units)]
        elif kind == "bn":
            values += [tf.ones(count * units), tf.zeros(count * units)]
    return values


def variable(value):
    """Return a variable that starts with this value."""
    return tf1.Variable(value, use_resource=True)


def on_batches(session, data, rows, batches, build):
    """Speed: return a function that runs what `build` makes of the next batch and its number.

    The graph takes the data's rows by itself, as many as in each batch and then again from the
    first: a value that is fed costs as much as a hundred small operations.  The number counts
    from 1.
    """
    counts = np.array([len(batch) for batch in batches], np.int32)
    ends = np.cumsum(counts, dtype=np.int32)
    number = variable(0).assign_add(1)
    position = (number - 1) % len(batches)
    end = tf.gather(ends, position)
    rows = tf.convert_to_tensor(rows)[end - tf.gather(counts, position) : end]
    fetched = session.make_callable(build(tf.gather(data, rows), tf.cast(number, tf.float32)))
    return lambda: fetched()[0]


# Matrix products -----------------------------------------------------------------------------


class Products(NamedTuple):
    """How many networks share one matrix product, for each of the five products of a step."""

    first: int  # rows by the first kernels
    first_kernels: int  # the gradient of the first kernels
    second: int  # hidden units by the second kernels
    second_inputs: int  # the gradient of the hidden units
    second_kernels: int  # the gradient of the second kernels


ALONE = Products(1, 1, 1, 1, 1)


@functools.lru_cache(maxsize=None)
def choose_products(count, training_rows, testing_rows):
    """Speed: the most networks that can share each product here, with the bits of one network's.

    The kernel that multiplies matrices depends on their sizes, the release and the processor, and
    so does the order in which a kernel adds.  So the forms are tried, in this process and on the
    numbers of rows that will occur, on random networks.  All first kernels can lie side by side,
    since the networks share their rows; second kernels go into a block-diagonal matrix.

    Args:
      count: networks side by side, a multiple of BLOCK.
      training_rows, testing_rows: tuples of numbers of rows of batches.

    Returns: Products.
    """
    rng, times = np.random.RandomState(0), (1, count // BLOCK)
    with tf1.Graph().as_default(), undisturbed(), tf1.Session(config=one_thread()) as session:
        x, h = (tf1.placeholder(tf.float32, (None, n)) for n in (FEATURES, BLOCK * UNITS))
        g = tf1.placeholder(tf.float32, (None, BLOCK * FEATURES))
        kernel = tf.constant(rng.normal(size=(FEATURES, BLOCK * UNITS)), tf.float32)
        forms = Products(
            {count: side_by_side(x, tf.tile(kernel, times), 1)},
            {count: side_by_side(x, tf.tile(h, times), 1, transpose_a=True)},
            *({}, {}, {}),
        )
        for n in (BLOCK, 2, 1):
            blocks = block_diagonal(tf.transpose(kernel), n)
            inputs, gradients = (tf.split(a, BLOCK // n, axis=1) for a in (h, g))
            forms.second[n] = by_blocks(inputs, blocks)
            forms.second_inputs[n] = by_blocks(gradients, blocks, transpose_b=True)
            forms.second_kernels[n] = diagonal_blocks(inputs, gradients, n)
        forms.first[1] = tf.tile(side_by_side(x, kernel, BLOCK), times)
        forms.first_kernels[1] = tf.tile(side_by_side(x, h, BLOCK, transpose_a=True), times)
        found = {}
        for rows in {*training_rows, *testing_rows}:
            drawn = {a: rng.normal(size=(rows, a.shape[1])) for a in (x, h, g)}
            found[rows] = session.run(forms._asdict(), drawn)
    occurring = dict.fromkeys(Products._fields, training_rows)
    occurring.update(first=found, second=found)
    return Products(*(widest(name, [found[n] for n in occurring[name]]) for name in forms._fields))


def widest(name, found):
    """Return the first number of networks that share a product with the bits of one's own."""
    return next(
        networks
        for networks in found[0][name]
        if all(one[name][networks].tobytes() == one[name][1].tobytes() for one in found)
    )


def first_layer(x, kernel, count, shared):
    """The first products, float32 (rows, count * 8); the networks share the rows x."""

    @tf.custom_gradient
    def product(x, kernel):
        def gradient(g):
            pieces = count // shared.first_kernels
            return None, side_by_side(x, g, pieces, transpose_a=True)

        return side_by_side(x, kernel, count // shared.first), gradient

    return product(x, kernel)


def second_layer(h, kernel, count, shared):
    """The second products, float32 (rows, count * 12)."""

    def beside(a, *sizes):
        return {networks: tf.split(a, count // networks, axis=1) for networks in sizes}

    @tf.custom_gradient
    def product(h, kernel):
        one, two, three = shared[2:]
        blocks = {networks: block_diagonal(kernel, networks) for networks in {one, two}}
        inputs = beside(h, one, three)

        def gradient(g):
            gradients = beside(g, two, three)
            return (
                by_blocks(gradients[two], blocks[two], transpose_b=True),
                diagonal_blocks(inputs[three], gradients[three], three),
            )

        return by_blocks(inputs[one], blocks[one]), gradient

    return product(h, kernel)


def side_by_side(a, b, pieces, **transposed):
    """The product of two matrices, by so many pieces of b beside each other."""
    products = [tf.matmul(a, piece, **transposed) for piece in tf.split(b, pieces, axis=1)]
    return tf.concat(products, axis=1)


def by_blocks(pieces, blocks, **transposed):
    """The products of matrices beside each other with as many matrices beneath each other."""
    products = [tf.matmul(a, b, **transposed) for a, b in zip(pieces, tf.unstack(blocks))]
    return tf.concat(products, axis=1)


def block_diagonal(kernel, networks):
    """Matrices (..., networks * 8, networks * 12) with the second kernels on their diagonals."""
    rows = int(kernel.shape[0])
    places = np.arange(rows).reshape((-1, networks, UNITS, 1))
    places = np.where(np.eye(networks, dtype=bool)[:, None], places, rows)  # the last row is zero
    blocks = tf.gather(tf.concat([kernel, tf.zeros((1, FEATURES))], axis=0), places)
    return tf.reshape(blocks, (-1, networks * UNITS, networks * FEATURES))


def diagonal_blocks(inputs, gradients, networks):
    """The gradient of the second kernels, float32 (count * 8, 12), from pieces of h and g."""
    pairs = zip(inputs, gradients)
    products = tf.stack([tf.matmul(a, b, transpose_a=True) for a, b in pairs])
    rows = np.arange(len(inputs) * networks * UNITS)
    places = rows * networks + rows // UNITS % networks
    return tf.gather(tf.reshape(products, (-1, FEATURES)), places)


# Everything else -----------------------------------------------------------------------------


def fuses_elu(settings):
    """Return whether the output's elu has other bits in an optimized graph: see fused_elu."""
    return any(kind == "elu" and units == FEATURES for kind, _, units in layers(settings))


def fused_elu(h, kernel, bias, count):
    """Bits: product, bias and elu per network, for the graph optimizer to fuse as it does Keras'.

    The fused kernel takes elu of one row at a time: the exponential of a full packet is another
    approximation than that of the row's last units.
    """
    operands = zip(*(tf.split(a, count, axis) for a, axis in ((h, 1), (kernel, 0), (bias, 0))))
    return [tf.nn.elu(tf.nn.bias_add(tf.matmul(a, b), c)) for a, b, c in operands]


@tf.custom_gradient
def elu(x, value):
    """Elu of x, which has been computed: networks share products in its gradient all the same."""
    return tf.identity(value), lambda g: (tf.raw_ops.EluGrad(gradients=g, outputs=value), None)


def squared_errors(y, x, count):
    """Speed: Keras' loss of every row and network, float32 (rows, count), and its gradient.

    The differences from x are taken once, and all are weighted alike: by the rows and features.
    """

    @tf.custom_gradient
    def losses(y, x):
        target = tf.gather(x[:, None], np.zeros(count, np.int32), axis=1)
        difference = tf.reshape(y, (-1, count, FEATURES)) - target

        def gradient(g):
            weight = 2 * (g[0, 0] / FEATURES)
            return tf.reshape(difference * weight, tf.shape(y)), None

        return tf.reduce_mean(difference * difference, axis=2), gradient

    return losses(y, x)


def sum_rows(losses):
    """Bits: adds up each network's rows as a vector; a sum over axis 0 has another order."""
    return tf.reduce_sum(tf.transpose(losses), axis=1)


def normalize_batch(h, gamma, beta, constant_rows):
    """Speed: BN of a batch, (h, [mean, variance]), with the gradient that Keras' graph gives it.

    What the framework makes of tf.nn.moments and tf.nn.batch_normalization, without taking the
    same differences again and again.
    """

    @tf.custom_gradient
    def normalized(h, gamma, beta):
        times = per_batch(h)
        mean = tf.reduce_mean(h, axis=0)
        deviation = h - on_rows(mean, times)
        variance = tf.reduce_mean(deviation * deviation, axis=0)
        root = tf1.rsqrt(variance + BN_EPSILON)
        scale = root * gamma
        scales = on_rows(scale, times)

        def gradient(g, *_):
            over_rows = tf.reduce_sum(g, axis=0)
            of_scale = tf.reduce_sum(g * h, axis=0) + -over_rows * mean
            of_variance = tf.raw_ops.RsqrtGrad(y=root, dy=of_scale * gamma)
            of_variance = on_rows(2 * per_row(of_variance, h, constant_rows), times)
            of_mean = on_rows(per_row(-over_rows * scale, h, constant_rows), times)
            of_h = add_terms(g * scales, of_variance * deviation, of_mean)
            return of_h, of_scale * root, over_rows

        return (h * scales + on_rows(beta - mean * scale, times), mean, variance), gradient

    h, *moments = normalized(h, gamma, beta)
    return h, moments


def normalize(h, gamma, beta, mean, variance):
    """BN by these means and variances, as tf.nn.batch_normalization."""
    scale = tf1.rsqrt(variance + BN_EPSILON) * gamma
    times = per_batch(h)
    return h * on_rows(scale, times) + on_rows(beta - mean * scale, times)


def per_batch(h):
    """Return how many times `on_rows` repeats a vector, for as many rows as h has."""
    return tf.stack([tf.shape(h)[0], 1])


def on_rows(vector, times):
    """Speed: the vector on every row of a batch; the framework's own broadcasting is slower."""
    return tf.tile(tf.expand_dims(vector, 0), times)


def per_row(gradient, h, constant_rows):
    """Bits: the gradient of a mean over the rows of h.

    Where all batches of TF 2.0's `fit` have the same size, that size is a constant of the graph
    and the optimizer turns a division by it into a product.
    """
    rows = tf.cast(tf.shape(h)[0], tf.float32)
    return gradient * (1 / rows) if constant_rows else gradient / rows


def add_terms(scale, variance, mean):
    """Bits: the gradient of BN's inputs is added up in this order."""
    return (scale + variance) + mean


def bn_decay(momentum):
    """Bits: subtracted in double precision, then rounded."""
    return np.float32(1.0 - momentum)


def adam_step(parameter, gradient, powers, learning_rate, count):
    """The operation that moves a parameter of all networks, with an Adam state of its own.

    It is the framework's kernel, where that handles all numbers of a network in full packets.
    """
    zeros = tf.zeros(parameter.shape)
    m, v, size = variable(zeros), variable(zeros), parameter.shape.num_elements()
    if size // count % PACKET:
        old = [a.read_value() for a in (parameter, m, v)]
        tails = scalar_tails(size // count, count)
        new = adam(*old, gradient, powers, learning_rate, tails)
        return tf.group([tf1.assign(a, b) for a, b in zip((parameter, m, v), new)])
    return tf1.raw_ops.ResourceApplyAdam(
        **{"var": parameter.handle, "m": m.handle, "v": v.handle, "grad": gradient},
        **{"beta1_power": powers[0], "beta2_power": powers[1], "lr": learning_rate},
        **{"beta1": BETA_1, "beta2": BETA_2, "epsilon": ADAM_EPSILON},
    )


def adam(theta, m, v, g, powers, learning_rate, tails):
    """Bits: Adam's next theta, m and v, in the order of operations of the framework's kernel."""
    alpha = learning_rate * tf.sqrt(1 - powers[1]) / (1 - powers[0])
    m = m + (g - m) * (1 - BETA_1)
    v = v + (g * g - v) * (1 - BETA_2)
    return [theta - m * alpha / (square_root(v, tails) + ADAM_EPSILON), m, v]


def square_root(v, tails):
    """Bits: the kernel's root of a full packet is an approximation, that of the tail is not."""
    exact = tf.cast(tf.sqrt(tf.cast(v, tf.float64)), tf.float32)
    return tf1.where(tails, exact, tf.sqrt(v))


def scalar_tails(size, count):
    """True for the numbers that follow the last full packet of Keras' variable, of this size."""
    return np.tile(np.arange(size) >= size // PACKET * PACKET, count)


def undisturbed():
    """Speed: while a graph is built, no call of the framework looks for deprecated arguments."""
    return deprecation.silence()


def one_thread(optimizers=()):
    """A session that runs all kernels in the caller's thread and leaves graphs as they are."""
    config = tf1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=-1)
    config.graph_options.rewrite_options.optimizers.extend(["pruning", *optimizers])
    return config


# The initial kernels -------------------------------------------------------------------------


def draw_kernels(variant, seeds):
    """The Dense kernels that Keras draws: float32 (seeds, 12, 8) and (seeds, 8, 12)."""
    return [
        glorot_uniform(seeds, op_seeds, shape)
        for op_seeds, shape in zip(np.transpose(kernel_op_seeds(variant, seeds)), KERNEL_SHAPES)
    ]


def kernel_op_seeds(variant, seeds):
    """The op-level seeds of the two kernels for each graph-level seed, asked of the framework.

    A graph counts its operations, so the seeds depend on the variant and not on the graph-level
    seed: they are read off a stock model.  Eager execution draws them from a generator that the
    graph-level seed starts: the framework draws them here as it does for a model.  The
    process's own graph-level seed is the last of `seeds` then.
    """
    if tf.executing_eagerly():
        return [eager_op_seeds(seed) for seed in seeds]
    return [graph_op_seeds(variant)] * len(seeds)


@functools.lru_cache(maxsize=None)
def graph_op_seeds(variant):
    """Speed: the op-level seeds of a stock model; one model for all cells of a process."""
    with tf1.Graph().as_default() as graph, undisturbed():
        tf1.set_random_seed(0)
        model = tf.keras.Sequential()
        for (inputs, units), after in zip(KERNEL_SHAPES, VARIANTS[variant]):
            model.add(tf.keras.layers.Dense(units, input_shape=(inputs,)))
            for kind in after:
                model.add(
                    tf.keras.layers.BatchNormalization()
                    if kind == "bn"
                    else tf.keras.layers.Activation("linear")
                )
        draws = [op for op in graph.get_operations() if op.type == "RandomUniform"]
    return [op.get_attr("seed2") for op in draws]


def eager_op_seeds(seed):
    """Return the op-level seeds that eager execution draws after setting this seed."""
    tf1.set_random_seed(seed)
    return [get_seed(None)[1] for _ in KERNEL_SHAPES]


def glorot_uniform(seeds, op_seeds, shape):
    """Return the initial kernels, float32 (seeds, *shape), after Glorot and Bengio (2010)."""
    limit = np.float32(np.sqrt(6 / sum(shape)))
    draws = uniform(seeds, op_seeds, int(np.prod(shape)))
    return (draws * (limit + limit) - limit).reshape((len(seeds), *shape))


def uniform(seeds, op_seeds, size):
    """What the framework's RandomUniform draws: float32 in [0, 1), shape (seeds, size).

    The generator is Philox4x32-10 (Salmon et al. 2011): key (seed, 0), counter (block, 0,
    op seed, 0), four numbers a block; the low 23 bits of each become the fraction of a float32.
    """
    low = np.uint64(0xFFFFFFFF)
    word = np.zeros((4, len(seeds), -(-size // 4)), np.uint64)
    word[0] = np.arange(word.shape[2])
    word[2] = np.asarray(op_seeds, np.uint64)[:, None]
    key = np.zeros((2, len(seeds), 1), np.uint64)
    key[0] = np.asarray(seeds, np.uint64)[:, None]
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * word[0], np.uint64(0xCD9E8D57) * word[2]
        word = np.stack(
            [
                b >> np.uint64(32) ^ word[1] ^ key[0],
                b & low,
                a >> np.uint64(32) ^ word[3] ^ key[1],
                a & low,
            ]
        )
        key = key + np.array([0x9E3779B9, 0xBB67AE85], np.uint64)[:, None, None] & low
    bits = np.moveaxis(word, 0, 2).reshape(len(seeds), -1)[:, :size].astype(np.uint32)
    return (bits & np.uint32(0x7FFFFF) | np.uint32(0x3F800000)).view(np.float32) - np.float32(1)


# What is refused -----------------------------------------------------------------------------


def check(settings, seeds):
    """Raise ValueError, naming the argument, for what the engine was not made for."""
    rows = settings.training_rows + settings.held_out_rows
    require(settings.variant in VARIANTS, "variant", settings.variant, sorted(VARIANTS))
    require(settings.protocol in BATCH_ROWS, "protocol", settings.protocol, sorted(BATCH_ROWS))
    size = batch_rows(settings)
    for name in settings.activations:
        require(name in ACTIVATIONS, "activations", name, ACTIVATIONS)
    for field in ("epochs", "training_rows", "held_out_rows"):
        require(getattr(settings, field) >= 1, field, getattr(settings, field), "1 or more")
    require(1 <= size <= settings.training_rows, "batch_rows", size, "1 to training_rows")
    for epoch in settings.noted:
        require(1 <= epoch <= settings.epochs, "noted", epoch, "1 to epochs")
    for start, stop in settings.evaluate:
        require(0 <= start < stop <= rows, "evaluate", (start, stop), "a range of the rows drawn")
    old_eager = tf.executing_eagerly() and tf.__version__.startswith("1")
    require(
        "bn" not in VARIANTS[settings.variant][0] or not old_eager,
        "variant",
        settings.variant,
        "no bn in eager TF 1",
    )
    if "activation" in VARIANTS[settings.variant][1] and settings.activations[1] in INEXACT_TAIL:
        counts = [size, settings.training_rows, settings.held_out_rows]
        counts += [stop - start for start, stop in settings.evaluate]
        require(not any(n % 2 for n in counts), "even rows", counts, "with a sigmoid or elu output")
    require(len(seeds) > 0, "seeds", "none", "one or more")
    for seed in seeds:
        require(0 <= seed < 2**31 - 1, "seeds", seed, "0 to 2**31 - 2")


def require(fits, name, value, expected):
    """Raise ValueError, naming what was found and expected, unless it fits."""
    if not fits:
        raise ValueError("{}: found {!r}, expected {}".format(name, value, expected))
