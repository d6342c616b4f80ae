"""Train many graph-level seeds side by side, bit for bit as stock tf.keras trains each one alone.

In:  a cell (`TrainSettings`), graph-level seeds, and optionally the initial Dense kernels.
Out: initial and final weights and the losses Keras reports, one row per seed (`train_seeds`).

The N networks of a chunk lie beside each other in one wide network: column n * units + u of a
(rows, N * units) matrix is unit u of network n.  Everything but the matrix products is then the
operation that Keras itself calls, on a wider matrix, and the framework differentiates it.
The execution mode of the process, eager or graph, decides which initial kernels are drawn.

A function whose docstring begins with "Bits:" is written the way it is for bit equality only;
tests/page/test_engine.py replaces each by the obvious form and sees the bits change.

Runs inside the framework's environment: Python 3.7, numpy and TensorFlow 1.14.0 or 2.0.0.
"""

import importlib
import itertools
from typing import NamedTuple, Optional, Tuple

import numpy as np
from train import framework

tf = framework.load_framework("tf.keras")[0]  # without settings of the caller, as any run
tf1 = tf.compat.v1
get_seed = importlib.import_module("tensorflow.python.framework.random_seed").get_seed

FEATURES, UNITS = 12, 8
KERNEL_SHAPES = ((FEATURES, UNITS), (UNITS, FEATURES))
BN_EPSILON = 1e-3
BETA_1, BETA_2, ADAM_EPSILON = np.float32(0.9), np.float32(0.999), np.float32(1e-7)
EVALUATE_ROWS = 32  # batch size of Keras' evaluate
PACKET = 8  # float32 numbers that the framework's kernels handle at once (AVX)

# variant: (layers after the first Dense, layers after the second Dense)
VARIANTS = {
    "plain": ((), ()),
    "activation": (("activation",), ()),
    "activations": (("activation",), ("activation",)),
    "bn": (("bn",), ()),
    "bn_activations": (("bn", "activation"), ("activation",)),
    "activation_bn": (("activation", "bn"), ()),
}
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


def train_seeds(settings, seeds, kernels=None, chunk=64, step_losses=False):
    """Train one network for each graph-level seed.

    Args:
      settings: a TrainSettings.
      seeds: sequence of graph-level seeds, integers in [0, 2**31 - 1).
      kernels: the two initial Dense kernels, float32 arrays of shapes (seeds, 12, 8) and
        (seeds, 8, 12); by default what Keras draws here for these seeds (`draw_kernels`).
      chunk: networks trained side by side; start-up time and memory grow with it.
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

    Raises: ValueError, naming the setting, for values outside the tested range.
    """
    seeds = [int(seed) for seed in seeds]
    check(settings, seeds)
    kernels = draw_kernels(settings.variant, seeds) if kernels is None else kernels
    for kernel, shape in zip(kernels, KERNEL_SHAPES):
        require(np.shape(kernel) == (len(seeds), *shape), "kernels", np.shape(kernel), shape)
    stock = stock_loops(settings)
    data, held_out_orders = draw_data(settings, stock)
    chunk = min(chunk, len(seeds))
    with tf1.Graph().as_default(), tf1.Session(config=one_thread()) as session:
        networks = Networks(settings, stock, chunk, session)
        parts = []
        for start in range(0, len(seeds), chunk):
            rows = np.minimum(np.arange(start, start + chunk), len(seeds) - 1)  # fills up the last
            networks.reset([kernel[rows] for kernel in kernels])
            parts.append(run(settings, networks, data, held_out_orders, step_losses))
    return {key: join([part[key] for part in parts], len(seeds)) for key in parts[0]}


def join(parts, count):
    """Return the chunks end to end, the first `count` seeds of them; lists array by array."""
    if isinstance(parts[0], list):
        return [join(arrays, count) for arrays in zip(*parts)]
    return np.concatenate(parts)[:count]


# The protocols -------------------------------------------------------------------------------


def run(settings, networks, data, held_out_orders, step_losses):
    """Train and evaluate one chunk in the order of the page."""
    size = batch_rows(settings)
    batches = split_rows(data[: settings.training_rows], size)
    if settings.protocol == "answer":
        batches = [batch for batch in batches if len(batch) == size]

    def evaluations():
        return [evaluate(networks, data[a:b], EVALUATE_ROWS) for a, b in settings.evaluate]

    result = {"initial_weights": networks.weights()}
    reported = {"loss": [], "val_loss": [], "noted_evaluations": [], "step_losses": []}
    for epoch, order in enumerate(held_out_orders, start=1):
        losses = [networks.train(batch) for batch in batches]
        if step_losses:
            reported["step_losses"] += losses
        if settings.noted and epoch not in settings.noted:
            continue
        reported["loss"].append(weighted_mean(losses, batches))
        if settings.protocol == "question":
            reported["val_loss"].append(evaluate(networks, data[order], size))
        if settings.noted:
            reported["noted_evaluations"].append(np.stack(evaluations(), axis=1))
    result["final_weights"] = networks.weights()
    reported["evaluations"] = evaluations()
    result.update({key: np.stack(values, axis=1) for key, values in reported.items() if values})
    return result


def batch_rows(settings):
    """Return the rows of a batch: as set, or the default of the protocol."""
    return settings.batch_rows or BATCH_ROWS[settings.protocol]


def split_rows(data, size):
    """Return consecutive slices of `size` rows, the last one possibly shorter."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def evaluate(networks, data, size):
    """Return the mean loss on rows, float32 (count,), batch by batch as Keras does."""
    batches = split_rows(data, size)
    return weighted_mean([networks.test(batch) for batch in batches], batches)


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

    theta holds the parameters of all networks: for each parameter of a network a block of shape
    (count,) + shape, flattened, one block after the other.
    """

    def __init__(self, settings, stock, count, session):
        """Build the graph for `count` networks and make its steps callable."""
        self.count, self.session, self.layers, self.steps = count, session, layers(settings), 0
        self.kernels = [tf1.placeholder(tf.float32, (count, *shape)) for shape in KERNEL_SHAPES]
        initial = initial_parameters(self.layers, self.kernels, count)
        shapes = [tuple(block.shape[1:].as_list()) for block in initial]
        sizes = [int(np.prod(shape)) for shape in shapes]

        variables = [flat(initial)] + [tf.zeros(count * sum(sizes)) for _ in "mv"]
        theta, m, v = [tf1.Variable(value, use_resource=True) for value in variables]
        self.parameters = [
            tf.reshape(block, (count, *shape))
            for block, shape in zip(tf.split(theta, [count * size for size in sizes]), shapes)
        ]
        self.moving = [
            [tf1.Variable(value(count * units), use_resource=True) for value in (tf.zeros, tf.ones)]
            for kind, _, units in self.layers
            if kind == "bn"
        ]
        x, step = tf1.placeholder(tf.float32, (None, FEATURES)), tf1.placeholder(tf.float32, ())
        rows = tf.cast(tf.shape(x)[0], tf.float32)

        losses, moving = self.forward(x, settings, stock, training=True)
        (gradient,) = tf.gradients(losses / rows, theta)
        tails, rate = scalar_tails(sizes, count), settings.learning_rate
        stepped = adam(theta, m, v, gradient, step, rate, tails)
        update = [
            tf1.assign(variable, value)
            for variable, value in zip(
                [theta, m, v, *itertools.chain.from_iterable(self.moving)], stepped + moving
            )
        ]
        self.run_training = session.make_callable(
            [sum_rows(losses) / rows, tf.group(update)], [x, step]
        )
        losses, _ = self.forward(x, settings, stock, training=False)
        self.run_testing = session.make_callable(sum_rows(losses) / rows, [x])
        self.initialize = tf1.global_variables_initializer()

    def forward(self, x, settings, stock, training):
        """The loss of every row and network, and BN's next moving means and variances."""
        parameters, moving, next_moving = iter(self.parameters), iter(self.moving), []
        h = x
        for kind, _, units in self.layers:
            if kind == "dense":
                inputs = [x] * self.count if h is x else tf.split(h, self.count, axis=1)
                outputs, bias = products(inputs, next(parameters)), next(parameters)
                h = tf.nn.bias_add(tf.concat(outputs, axis=1), flat([bias]))
            elif kind == "bn":
                gamma, beta = flat([next(parameters)]), flat([next(parameters)])
                old = [moment.read_value() for moment in next(moving)]
                mean, variance = moments(h, stock.constant_rows) if training else old
                decay = bn_decay(settings.bn_momentum)
                next_moving += [a - (a - b) * decay for a, b in zip(old, (mean, variance))]
                h = tf.nn.batch_normalization(h, mean, variance, beta, gamma, BN_EPSILON)
            elif kind == "elu" and units % PACKET and (stock.optimized_steps or not training):
                h = tf.concat(fused_elu(outputs, bias), axis=1)
            else:
                h = tf.keras.activations.get(kind)(h)
        y = tf.reshape(h, (-1, self.count, FEATURES))
        return tf.keras.losses.mean_squared_error(x[:, None, :], y), next_moving

    def reset(self, kernels):
        """Start again from these kernels, each float32 (count, ...), with fresh Adam states."""
        self.session.run(self.initialize, dict(zip(self.kernels, kernels)))
        self.steps = 0

    def train(self, x):
        """One step; returns the loss before it, float32 (count,)."""
        self.steps += 1
        return self.run_training(x, self.steps)[0]

    def test(self, x):
        """Return the loss on rows without training, float32 (count,)."""
        return self.run_testing(x)

    def weights(self):
        """float32 arrays of shape (count, ...), ordered as Keras' get_weights."""
        parameters, moving = map(iter, self.session.run([self.parameters, self.moving]))
        weights = []
        for kind, _, units in self.layers:
            if kind in ("dense", "bn"):
                weights += [next(parameters), next(parameters)]
            if kind == "bn":
                weights += [moment.reshape(self.count, units) for moment in next(moving)]
        return weights


def layers(settings):
    """(kind, inputs, units) of each layer; the kind of an activation is its name."""
    result = []
    shapes = zip(KERNEL_SHAPES, VARIANTS[settings.variant], settings.activations)
    for (inputs, units), after, activation in shapes:
        kinds = [activation if kind == "activation" else kind for kind in after]
        result += [("dense", inputs, units)] + [(kind, units, units) for kind in kinds]
    return result


def initial_parameters(layers, kernels, count):
    """The trainable parameters as Keras starts them, in its order: kernel, bias; gamma, beta."""
    kernels = iter(kernels)
    values = []
    for kind, _, units in layers:
        if kind == "dense":
            values += [next(kernels), tf.zeros((count, units))]
        elif kind == "bn":
            values += [tf.ones((count, units)), tf.zeros((count, units))]
    return values


def flat(blocks):
    """Return all blocks as one vector, one after the other."""
    return tf.concat([tf.reshape(block, [-1]) for block in blocks], axis=0)


def products(inputs, kernels):
    """Bits: one matrix product per network; a batched product runs another kernel."""
    return [tf.matmul(h, kernel) for h, kernel in zip(inputs, tf.unstack(kernels))]


def fused_elu(outputs, biases):
    """Bits: product, bias and elu per network, for the graph optimizer to fuse as it does Keras'.

    The fused kernel takes elu of one row at a time: the exponential of a full packet is another
    approximation than that of the row's last units.
    """
    return [tf.nn.elu(tf.nn.bias_add(h, bias)) for h, bias in zip(outputs, tf.unstack(biases))]


def sum_rows(losses):
    """Bits: adds up each network's rows as a vector; a sum over axis 0 has another order."""
    return tf.reduce_sum(tf.transpose(losses), axis=1)


def moments(h, constant_rows):
    """Bits: tf.nn.moments, with the gradient that Keras' optimized graph gives it.

    Where all batches of TF 2.0's `fit` have the same size, that size is a constant of the graph
    and the optimizer turns a division by it, in the gradient of a mean, into a product.
    """
    if not constant_rows:
        return list(tf.nn.moments(h, [0]))

    @tf.custom_gradient
    def mean(h):
        reciprocal = 1 / tf.cast(tf.shape(h)[0], tf.float32)
        return tf.reduce_mean(h, [0]), lambda g: g * reciprocal * tf.ones_like(h)

    m = mean(h)
    return [m, mean(tf.math.squared_difference(h, tf.stop_gradient(m)))]


def bn_decay(momentum):
    """Bits: subtracted in double precision, then rounded."""
    return np.float32(1.0 - momentum)


def adam(theta, m, v, g, step, learning_rate, tails):
    """Bits: Adam's next theta, m and v, in the order of operations of the framework's kernel."""
    alpha = np.float32(learning_rate) * tf.sqrt(1 - BETA_2**step) / (1 - BETA_1**step)
    m = m + (g - m) * (1 - BETA_1)
    v = v + (g * g - v) * (1 - BETA_2)
    return [theta - m * alpha / (square_root(v, tails) + ADAM_EPSILON), m, v]


def square_root(v, tails):
    """Bits: the kernel's root of a full packet is an approximation, that of the tail is not."""
    exact = tf.cast(tf.sqrt(tf.cast(v, tf.float64)), tf.float32)
    return tf1.where(tails, exact, tf.sqrt(v))


def scalar_tails(sizes, count):
    """True for the elements of theta that follow the last full packet of Keras' variable."""
    return np.concatenate([np.tile(np.arange(n) >= n // PACKET * PACKET, count) for n in sizes])


def one_thread():
    """A session that runs all kernels in the caller's thread; it only optimizes for fused_elu."""
    config = tf1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=-1)
    config.graph_options.rewrite_options.optimizers.extend(["pruning", "remap"])
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
    with tf1.Graph().as_default() as graph:
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
    return [[op.get_attr("seed2") for op in draws]] * len(seeds)


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
