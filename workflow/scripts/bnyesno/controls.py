"""Which runs the controls need, and how each one differs from the published runs.

A change is what a control changes in how a run starts. Its name is a folder's:
"published" (nothing), the name of a control, "start_of.ENVIRONMENT.API.VARIANT" (the
initial weights of that variant's published run), or "portable_matrix_kernel".
"""

import json
import shlex
from collections import defaultdict
from itertools import product
from typing import NamedTuple

from bnyesno.runs import RECORD

CONTROL_RECORD = (
    "{results}/controls/{change}/{environment}/{api}/{variant}/{protocol}"
    "/seed{seed}-repeat{repeat}.json"
)
PUBLISHED = "published"
PORTABLE = "portable_matrix_kernel"
SHARED = "shared"  # the process of all changes that do not need one of their own
CELL = ("environment", "api", "variant", "protocol")
# Made when `control_runs` or `figures` has an entry of that name.
TABLES_ON_REQUEST = (
    "identity_layers",
    "crossed",
    "evaluation_swap",
    "spread",
    "processor",
    "trajectories",
    "initial_kernels",
)


class Job(NamedTuple):
    """One process: all runs in one environment and API that may share it."""

    process: str  # SHARED, or the name of the change that it is made for
    environment: str
    api: str


class Run(NamedTuple):
    """One training of a job, `repeats` times."""

    change: str
    variant: str
    protocol: str


def control_tables(config):
    """Return the names of the tables made of the controls: two always, the others on request."""
    requests = {**config["control_runs"], **config["figures"]}
    return ["controls", "verdicts", *(name for name in TABLES_ON_REQUEST if name in requests)]


def control_jobs(config):
    """Return {Job: [Run]}: every run that the controls need beyond the published ones."""
    jobs = defaultdict(list)
    for change, cell in wanted_runs(config):
        if change == PUBLISHED and cell["variant"] in config["variants"]:
            continue
        process = change if needs_own_process(config, change) else SHARED
        runs = jobs[Job(process, cell["environment"], cell["api"])]
        run = Run(change, cell["variant"], cell["protocol"])
        if run not in runs:
            runs.append(run)
    return dict(jobs)


def needs_own_process(config, change):
    """Tell whether a change is about the process: its threads, mode or kernels, or just another.

    Runs as published need one, too, since others may start from their initial weights.
    """
    if change == PUBLISHED or change not in config["controls"]:
        return change in (PUBLISHED, PORTABLE)
    return "initializer_seeds" not in config["controls"][change]["change"]


def wanted_runs(config):
    """Yield (change, cell) for everything that the controls look at."""
    for _, control, comparison in applicable(config):
        for change, cell in runs_of(config, control, comparison):
            yield change, cell
    for environment, series in requests(config, "identity_layers"):
        for variant in series["variants"]:
            yield PUBLISHED, cell_in(environment, series, variant)
    for environment, crossed in requests(config, "crossed"):
        for start, variant in product(crossed["starts_of"], crossed["architectures"]):
            cell = cell_in(environment, crossed, variant)
            yield start_of({**cell, "variant": start}), cell
    for environment, spread in requests(config, "spread"):
        for variant in spread["variants"]:
            yield "default_threads", cell_in(environment, spread, variant)
    for environment, processor in requests(config, "processor"):
        for variant in processor["variants"]:
            yield PORTABLE, cell_in(environment, processor, variant)


def requests(config, table):
    """Yield (environment, entry of `control_runs`) for a table, where its API is trained."""
    entry = config["control_runs"].get(table)
    for environment, settings in config["environments"].items():
        if entry and entry["api"] in settings["apis"]:
            yield environment, entry


def cell_in(environment, entry, variant):
    """Return the cell of a variant with an entry's api and protocol."""
    return dict(zip(CELL, (environment, entry["api"], variant, entry["protocol"]), strict=True))


def applicable(config):
    """Yield (control name, control, comparison name) for each control that applies."""
    for name, control in config["controls"].items():
        for comparison in control.get("comparisons", config["comparisons"]):
            yield name, {"name": name, **control}, comparison


def runs_of(config, control, comparison):
    """Return [(change, cell), (change, cell)]: the two runs that a control compares.

    For `trajectory_and_published_one` the comparison's pair is returned under the change.
    """
    pair = config["comparisons"][comparison]
    change = control.get("change")
    if change is None:
        names = [PUBLISHED, PUBLISHED]
    elif "initial_weights" in change:
        names = [start_of(pair[change["initial_weights"]])] * 2
    else:
        names = [control["name"]] * 2
    return [(name, pair[side]) for name, side in zip(names, ("first", "second"), strict=True)]


def start_of(cell):
    """Return the name of the change that starts from the initial weights of a cell."""
    return ".".join(("start_of", cell["environment"], cell["api"], cell["variant"]))


def variants_of(config):
    """Return every variant, those of the controls included."""
    return {**config["variants"], **config["control_runs"]["variants"]}


def record_path(config, change, cell, repeat=1):
    """Return the path of a run's record."""
    published = change == PUBLISHED and cell["variant"] in config["variants"]
    return (RECORD if published else CONTROL_RECORD).format(
        results=config["results"],
        change=change,
        seed=config["control_runs"]["seed"],
        repeat=repeat,
        **{key: cell[key] for key in CELL},
    )


def job_records(config, job, runs):
    """Return the paths of all records that a job writes."""
    return [
        record_path(config, run.change, {**job._asdict(), **run._asdict()}, repeat)
        for run in runs
        for repeat in range(1, config["repeats"][job.api] + 1)
    ]


def donor_records(config, runs):
    """Return {change: the record whose initial weights its runs start from}, where there is one.

    Initial weights are drawn before the training, so any protocol's record will do.
    """
    donors = {start_of(cell): record_path(config, PUBLISHED, cell) for cell in donor_cells(config)}
    return {run.change: donors[run.change] for run in runs if run.change in donors}


def donor_cells(config):
    """Yield every cell whose initial weights some control starts from."""
    for comparison in config["comparisons"].values():
        yield comparison["first"]
        yield comparison["second"]
    for environment, crossed in requests(config, "crossed"):
        for variant in crossed["starts_of"]:
            yield cell_in(environment, crossed, variant)


def process_arguments(config, job):
    """Return the options of train.py that a job's process is started with."""
    change = config["controls"].get(job.process, {}).get("change") or {}
    arguments = ["--threads", str(change.get("threads", config["training_threads"]))]
    if "eager" in change:
        arguments += ["--eager", change["eager"]]
    if job.process == PORTABLE:
        arguments += ["--matrix-kernel", "portable"]
    return " ".join(arguments)


def run_arguments(config, runs):
    """Return what train.py has to run and to change, as it wants it for --runs."""
    donors = donor_records(config, runs)
    described = []
    for run in runs:
        change = config["controls"].get(run.change, {}).get("change") or {}
        entry = {**run._asdict(), "initial_weights": donors.get(run.change)}
        described.append({**entry, "initializer_seeds": change.get("initializer_seeds")})
    return described


def names_of(key, runs):
    """Return every value of a field of runs, once each."""
    return list(dict.fromkeys(getattr(run, key) for run in runs))


def variant_arguments(config, variants):
    """Return the options of train.py that name the variants and their layers, quoted."""
    layers = {name: entry["layers"] for name, entry in variants_of(config).items()}
    return " ".join(
        f"--variant {variant} --layers {shlex.quote(json.dumps(layers[variant]))}"
        for variant in variants
    )
