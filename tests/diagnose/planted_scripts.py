"""Scripts with planted causes: what differs from the plain script is known.

python planted_scripts.py plan FOLDER [VERSION...]         writes scripts and configurations
python planted_scripts.py share FOLDER VERSION...          hands the plain script's runs on
python planted_scripts.py tell FOLDER > docs/planted.md    what was said of them, as tables

The folder of Snakemake is FOLDER/VERSION, for three steps: diagnose plain-VERSION.yaml, share, and
diagnose pairs-VERSION.yaml.
"""

import itertools
import json
import shutil
import sys
from collections import Counter
from pathlib import Path

import yaml

DENSE = '''"""Planted: {planted}."""

import random

import numpy
import tensorflow
from {api} import layers, models, optimizers

set_seed = getattr(tensorflow, "set_random_seed", None) or tensorflow.random.set_seed
random.seed(2)
set_seed(3)
numpy.random.seed(1)
x = numpy.random.normal(size=(96, 6)).astype("float32")
y = numpy.sin(x.sum(axis=1, keepdims=True))
train, held_out = (x[:64], y[:64]), (x[64:], y[64:])
{data}
{initial_draws}
model = models.Sequential()
model.add(layers.Dense(8, activation="{activation}", input_shape=(6,)))
model.add(layers.Dense(1, activation={output}))
model.compile(optimizer=optimizers.SGD(0.05), loss="mse")
{draws}
model.fit(*train, batch_size=16, epochs=4, shuffle=True, verbose=0)
{evaluation}
print(model.evaluate(*held_out, verbose=0))
'''
# Another release draws other weights and another order of rows: both are set, unless planted.
RECURRENT = '''"""Planted: {planted}."""

import random

import numpy
import tensorflow
from {api} import layers, models, optimizers

set_seed = getattr(tensorflow, "set_random_seed", None) or tensorflow.random.set_seed
random.seed(2)
set_seed(3)
numpy.random.seed(1)
x = numpy.random.normal(size=(96, 5, 3)).astype("float32")
y = x[:, -2:, 0].sum(axis=1, keepdims=True)
train, held_out = (x[:64], y[:64]), (x[64:], y[64:])
{data}
model = models.Sequential()
model.add(layers.LSTM(4, {activation}input_shape=(5, 3)))
model.add(layers.Dense(1))
model.compile(optimizer=optimizers.SGD(0.05), loss="mse")
draw = numpy.random.RandomState({seed}).normal
model.set_weights([0.5 * draw(size=part.shape) for part in model.get_weights()])
model.fit(*train, batch_size=16, epochs=4, shuffle={shuffle}, verbose=0)
{evaluation}
print(model.evaluate(*held_out, verbose=0))
'''
FORMULA, ROUNDING, DEFAULT = "computation", "rounding", "changed default"
# The generator that draws initial weights also draws the order of rows: where its state is moved
# before the model, both differ unless the state is set again.
PLAIN = {"data": "", "initial_draws": "", "activation": "relu", "output": "None", "evaluation": ""}
PLAIN["draws"] = "set_seed(6)\nnumpy.random.seed(6)\nrandom.seed(6)"
PLANTED = {
    "data": {"data": "train = train[0], train[1] + 0.2 * train[0][:, :1]"},
    "initial draws": {
        "initial_draws": "random.seed(5)\nset_seed(4)\nnumpy.random.normal(size=7)",
    },
    "draws during training": {"draws": "set_seed(8)\nnumpy.random.seed(7)\nrandom.seed(9)"},
    FORMULA: {"activation": "tanh"},
    ROUNDING: {"output": "lambda z: -tensorflow.math.log(tensorflow.exp(-z))"},
    "evaluation": {"evaluation": "held_out = held_out[0][:20], held_out[1][:20]"},
}
RECURRENT_PLAIN = {"data": "", "activation": "", "seed": 0, "shuffle": False, "evaluation": ""}
RECURRENT_PLANTED = {
    "data": {"data": "train = train[0], train[1] + 0.2 * train[0][:, 0, :1]"},
    "initial draws": {"seed": 5},
    "draws during training": {"shuffle": True},
    FORMULA: {"activation": "activation='relu', "},
    "evaluation": {"evaluation": "held_out = held_out[0][:20], held_out[1][:20]"},
}
# {name of the column: (environment, API, the environment in which the default was another one)}
OLD = "tf1.14-keras2.2.4"
CELLS = {
    "tf1.14": (OLD, "tensorflow.keras", None),
    "tf2.0": ("tf2.0-keras2.3.1", "tensorflow.keras", OLD),
    "tf2.6": ("tf2.6", "tensorflow.keras", OLD),
    "tf2.11": ("tf2.11", "tensorflow.keras", OLD),
    "current": ("tf-current-keras3", "tensorflow.keras", OLD),
    "keras2.2.4": (OLD, "keras", None),
    "keras2.3.1": ("tf2.0-keras2.3.1", "keras", OLD),
}
# Where the default's old value, hard_sigmoid, is another formula: x / 6 + 0.5 between 0 and 1, not
# 0.2 x + 0.5. hard_sigmoid(0.5) is 0.58333 in Keras 3.15.1, and 0.6 in TensorFlow 2.11.
OTHER_HARD_SIGMOID = ("current",)
# Where the bare script does not repeat itself: keras 2.2.4 updates weights in no fixed order. Seven
# runs of the plain script, without a recorder and on a busy machine, printed three numbers.
RACING = ("keras2.2.4",)
NOT_REPRODUCIBLE = "not reproducible"
PAGE = """# Planted causes

One or two causes were planted into a plain script. Then the plain script and the other script were
diagnosed. `tests/diagnose/planted_scripts.py` has written this page from the verdicts. The columns
of the last table are versions of tf.keras, or of standalone keras; `current` is Keras 3 on the
newest TensorFlow. A changed default is planted by two versions: the first script runs in TensorFlow
1.14, where an LSTM has another recurrent activation. Two versions also round differently. In
Keras 3 this activation, `hard_sigmoid`, is another formula, so computation is planted as well. In
keras 2.2.4 the plain script does not always repeat itself; there, *not reproducible* may be named
beside the planted causes. A cause that moves the number by less than the repeats differ cannot be
found there, and rounding never can. The first script of a changed default of keras 2.3.1 runs in
keras 2.2.4, so the same holds for these pairs.

The plain script is the first script of most pairs. Its runs are made once for a version, and all
these pairs take them: as it is, and with moved weights or without the processor's matrix kernel.
The runs of the other script are each pair's own. Two thirds of a run's time is the import of the
framework. So most of the runs behind this page are processes that were forked from one process that
had imported the framework. The first run of each script, and the run without the matrix kernel, are
fresh processes. If a forked run were not the same as a fresh one, the pair would be called *not
reproducible*.

**{tried} pairs were diagnosed, {right} of them with exactly the planted causes.** The tests plan
{planned} pairs.

{versions}

## Confusion matrix

Rows: what is planted, alone or with another cause. Columns: in how many pairs a cause was named. A
pair with two causes counts in two rows; a row leaves out what is planted beside its own cause. So
each number off the diagonal is a cause that was named and is not there, or a pair without a
verdict. That the script of keras 2.2.4 is *not reproducible* is true.

{matrix}

## Each pair

`yes`: exactly the planted causes were named. Otherwise the cell holds what was named. A planned
pair without a cell or a row was not tried. A version without an older one has no changed default.

{each}
"""


def combinations(causes: dict) -> list[tuple[str, ...]]:
    """Return nothing, every cause, and every pair of causes; what rounds is no other formula."""
    sets = [part for size in (0, 1, 2) for part in itertools.combinations(causes, size)]
    return [part for part in sets if set(part) != {FORMULA, ROUNDING}]


def plant(folder: Path, column: str) -> dict[str, dict]:
    """Write the scripts of a column; return its pairs as a configuration has them.

    A pair is named by its causes. `both` stands for a cause that is planted in both scripts, and
    so is none: the negative controls.
    """
    environment, api, before = CELLS[column]
    folder = folder / "scripts" / column
    folder.mkdir(parents=True, exist_ok=True)

    def write(template: str, plain: dict, planted: dict, causes: tuple[str, ...]) -> str:
        changes = dict(plain)
        for cause in causes:
            changes |= planted.get(cause, {})
        word = "recurrent" if template is RECURRENT else "dense"
        path = folder / f"{word}-{'.'.join(causes) or 'nothing'}.py".replace(" ", "_")
        words = ", ".join(causes) or "nothing"
        path.write_text(template.format(planted=words, api=api, **changes), encoding="utf-8")
        return str(path)

    pairs = {}
    for causes in combinations(PLANTED):
        first, second = (write(DENSE, PLAIN, PLANTED, part) for part in ((), causes))
        pairs[name_of(causes)] = {"first": first, "second": second, "in": environment}
        if len(causes) == 1:
            pairs[f"both.{name_of(causes)}"] = {
                "first": second,
                "second": second,
                "in": environment,
            }
    if before:
        for causes in [(), *((cause,) for cause in RECURRENT_PLANTED)]:
            first, second = (
                write(RECURRENT, RECURRENT_PLAIN, RECURRENT_PLANTED, part) for part in ((), causes)
            )
            name = name_of((DEFAULT, *causes))
            pairs[name] = {"first": first, "second": second, "in": f"{before} {environment}"}
    return pairs


def share(folder: Path, pairs: dict[str, dict]) -> list[Path]:
    """Hand the runs of the plain script to the pairs whose first script is the plain one.

    These runs depend on the script and the version alone. A pair that switches draws off in both
    scripts moves the weights of other runs; this may be so where two releases are compared.

    Args:
        folder: of Snakemake, in which the pairs of `givers` have been diagnosed.
        pairs: those of a column.

    Returns the files that were copied.
    """
    copied = []
    for name, pair in pairs.items():
        giver = next(
            (part for part in givers(pairs) if pairs[part]["first"] == pair["first"]), name
        )
        kinds = ["as_is-*", *(() if " " in pair["in"] else ("ulp_*", "portable-*"))]
        for path in [path for kind in kinds for path in folder.glob(f"{giver}/runs/first/{kind}")]:
            target = folder / name / "runs/first" / path.name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                copied.append(Path(shutil.copyfile(path, target)))
    return copied


def givers(pairs: dict[str, dict]) -> list[str]:
    """Return the names of the pairs whose runs of the plain script are shared."""
    return [name for name in (name_of((ROUNDING,)), name_of((DEFAULT,))) if name in pairs]


def name_of(causes: tuple[str, ...]) -> str:
    """Return the name of a pair."""
    return ".".join(causes).replace(" ", "_") or "nothing"


def races(name: str, column: str) -> bool:
    """Say whether a script of a pair may not repeat itself; a changed default has an old one."""
    api = CELLS[column][1]
    return column in RACING or (api == "keras" and name.startswith(name_of((DEFAULT,))))


def planted_in(name: str, column: str) -> set[str]:
    """Return the causes that are planted in a pair; two releases round differently, too."""
    causes = set() if name.startswith("both.") else set(name.replace("_", " ").split("."))
    causes -= {"nothing"}
    if DEFAULT in causes:
        causes |= {FORMULA} if column in OTHER_HARD_SIGMOID else set()
        causes |= set() if FORMULA in causes else {ROUNDING}
    return causes - beneath_spread(name, column)


def beneath_spread(name: str, column: str) -> set[str]:
    """Return what may be named or not: how two releases round, where a script may not repeat."""
    two_releases = name.startswith(name_of((DEFAULT,)))
    return {ROUNDING} if two_releases and races(name, column) else set()


def is_right(named: set[str], name: str, column: str) -> bool:
    """Say whether exactly the planted causes are named, and that a script races if it may."""
    allowed = {NOT_REPRODUCIBLE} if races(name, column) else set()
    return named - allowed - beneath_spread(name, column) == planted_in(name, column)


def named_in(verdict: dict) -> set[str]:
    """Return the causes that a verdict names; rounding is one where anything is left of it."""
    if verdict["undecided"]:
        return {"undecided"}
    left = any(row["cause"] == ROUNDING and row["contribution"] for row in verdict["rows"])
    parted = verdict["place"] and FORMULA not in verdict["causes"]
    return set(verdict["causes"]) | ({ROUNDING} if left or parted else set())


def read_verdicts(folder: Path) -> dict[str, dict[str, set[str]]]:
    """Return {column: {pair: causes that are named}}."""
    found: dict[str, dict[str, set[str]]] = {}
    for column in CELLS:
        for path in sorted((folder / column).glob("*/verdict.json")):
            verdict = json.loads(path.read_text(encoding="utf-8"))
            found.setdefault(column, {})[path.parent.name] = named_in(verdict)
    return found


def tell(found: dict[str, dict[str, set[str]]]) -> str:
    """Return the page: the confusion matrix, and what was named for each pair."""
    pairs = [
        (planted_in(name, column), named - beneath_spread(name, column))
        for column, part in found.items()
        for name, named in part.items()
    ]
    right = {
        column: sum(is_right(named, name, column) for name, named in part.items())
        for column, part in found.items()
    }
    versions = [
        [column, planned(column), len(part), right[column]] for column, part in found.items()
    ]
    causes = [*PLANTED, DEFAULT]
    heads = [*causes, NOT_REPRODUCIBLE, "undecided"]
    matrix = []
    for cause in [None, *causes]:
        rows = [
            named - (planted - {cause})
            for planted, named in pairs
            if (cause in planted if cause else not planted)
        ]
        count = Counter(part for named in rows for part in named)
        matrix.append([cause or "nothing", len(rows), *(count[head] for head in heads)])
    each = [
        [
            in_words(name),
            *(describe(part.get(name), name, column) for column, part in found.items()),
        ]
        for name in all_names()
        if any(name in part for part in found.values())
    ]
    return PAGE.format(
        tried=len(pairs),
        right=sum(right.values()),
        planned=sum(map(planned, CELLS)),
        versions=table(["version", "planned", "diagnosed", "exactly the planted causes"], versions),
        matrix=table(["planted", "pairs", *heads], matrix),
        each=table(["planted", *found], each),
    )


def all_names() -> list[str]:
    """Return the names of all pairs, in the order of the page."""
    names = [name_of(part) for part in combinations(PLANTED)]
    names += [f"both.{name_of((cause,))}" for cause in PLANTED]
    return names + [name_of((DEFAULT, *part)) for part in [(), *((c,) for c in RECURRENT_PLANTED)]]


def planned(column: str) -> int:
    """Return how many pairs a column has; there is a changed default where it has two releases."""
    two_releases = CELLS[column][2] is not None
    return sum(two_releases or not name.startswith(name_of((DEFAULT,))) for name in all_names())


def in_words(name: str) -> str:
    """Return the name of a pair for readers."""
    return name.replace("both.", "in both scripts: ").replace(".", ", ").replace("_", " ")


def describe(named: set[str] | None, name: str, column: str) -> str:
    """Return a cell of the table of pairs."""
    if named is None:
        return ""
    if not is_right(named, name, column):
        return ", ".join(sorted(named)) or "nothing"
    return f"yes, {NOT_REPRODUCIBLE}" if NOT_REPRODUCIBLE in named else "yes"


def table(head: list[str], rows: list[list]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def main() -> None:
    """Write scripts and configurations, share runs, or tell what was said."""
    action, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    if action == "tell":
        sys.stdout.write(tell(read_verdicts(folder)))
        return
    for column in sys.argv[3:] or CELLS:
        if action == "share":
            text = (folder / f"pairs-{column}.yaml").read_text(encoding="utf-8")
            share(folder / column, yaml.safe_load(text)["pairs"])
            continue
        pairs = plant(folder, column)
        plain = {name: pairs[name] for name in givers(pairs)}
        for word, part in (("plain", plain), ("pairs", pairs)):
            path = folder / f"{word}-{column}.yaml"
            path.write_text(yaml.safe_dump({"pairs": part}, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    main()
