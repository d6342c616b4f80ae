"""The obvious form of each function of the engine that is written otherwise for bits or for speed.

Expressions for Python 3.7, with `engine`, `np`, `tf` and `itertools` in scope.
"""

BITS = {  # these give other bits: tests/page/test_engine.py
    "sum_rows": "lambda losses: tf.reduce_sum(losses, 0)",
    "bn_decay": "lambda momentum: np.float32(1) - np.float32(momentum)",
    "square_root": "lambda v, tails: tf.sqrt(v)",
    "adam": """lambda theta, m, v, g, powers, rate, tails: (
        lambda m, v: [theta - rate * (m / (1 - powers[0])) / (
            engine.square_root(v, tails) / tf.sqrt(1 - powers[1]) + engine.ADAM_EPSILON), m, v]
    )(engine.BETA_1 * m + (1 - engine.BETA_1) * g,
      engine.BETA_2 * v + (1 - engine.BETA_2) * g * g)""",
    "weighted_mean": """lambda losses, batches: np.average(
        losses, 0, [len(batch) for batch in batches]).astype(np.float32)""",
    "held_out_order": """lambda settings, stock, rng, drawn=engine.held_out_order: (
        drawn(settings, stock._replace(shuffle_held_out=not stock.shuffle_held_out), rng))""",
    "per_row": "lambda g, h, constant, drawn=engine.per_row: drawn(g, h, not constant)",
    "add_terms": "lambda scale, variance, mean: scale + (variance + mean)",
    "fused_elu": """lambda h, kernel, bias, count: [tf.nn.elu(tf.nn.bias_add(
        engine.by_blocks(tf.split(h, count, axis=1), engine.block_diagonal(kernel, 1)), bias))]""",
}

SPEED = {  # these give the same bits, later: benchmarks/study_engine.py
    "choose_products": "lambda *_: engine.ALONE",
    "build_networks": "engine.build_networks.__wrapped__",
    "on_batches": """lambda session, data, rows, batches, build: (
        lambda number, first, last, ends: (lambda call, numbers: lambda: (
            lambda n, i: call(n % (20 * len(batches)) + 1, ends[i] - len(batches[i]), ends[i])[0]
        )(*next(numbers)))(
            session.make_callable(
                build(tf.gather(data, tf.convert_to_tensor(rows)[first:last]), number),
                (number, first, last)),
            zip(itertools.count(), itertools.cycle(range(len(batches)))))
    )(*[tf.compat.v1.placeholder(t, ()) for t in (tf.float32, tf.int32, tf.int32)],
      np.cumsum([len(batch) for batch in batches]))""",
    "squared_errors": """lambda y, x, count: tf.keras.losses.mean_squared_error(
        x[:, None], tf.reshape(y, (-1, count, 12)))""",
    "normalize_batch": """lambda h, gamma, beta, _: (lambda moments: (
        tf.nn.batch_normalization(h, *moments, beta, gamma, engine.BN_EPSILON), moments
    ))(list(tf.nn.moments(h, [0])))""",
    "on_rows": "lambda vector, times: vector",
    "graph_op_seeds": "engine.graph_op_seeds.__wrapped__",
    "undisturbed": "__import__('contextlib').nullcontext",
}
