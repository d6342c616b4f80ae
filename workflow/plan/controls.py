"""The cells that the controls train, and how each cell differs from the published cell.

A change says what a control changes at the start of a run: "published" (nothing), the name of a
control, "start_of.ENVIRONMENT.API.VARIANT" (the initial weights of that variant's published run),
or "portable_matrix_kernel".
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, product
from typing import Any, NamedTuple

from plan.cells import Cell
from plan.documents import read_schema
from plan.runs import (
    PUBLISHED,
    RUN_FILE,
    cross,
    jobs_of_seed,
    make_plan,
    run_files,
    training_jobs,
)

CONTROL_FILE = "controls/{process}/{environment}/{api}.jsonl"  # below the results
PORTABLE = "portable_matrix_kernel"
SHARED = "shared"  # all changes that need no process of their own share this process


class Job(NamedTuple):
    """One process: all runs in one environment and API that may share the process."""

    process: str  # SHARED, or the name of the change that needs the process
    environment: str
    api: str


def control_tables(config: dict) -> list[str]:
    """Return the names of the tables made of the controls: two always, the others on request.

    A request is an entry of `control_runs`, or a figure that is drawn from a table of its name.
    """
    figures = read_schema("figures.yaml")
    asked = [name for name in config["control_runs"] if name != "variants"]
    drawn = [name for name in config["figures"] if figures.get(name, {}).get("tables") == [name]]
    return ["controls", "verdicts", *asked, *drawn]


def control_jobs(config: dict) -> dict[Job, list[dict]]:
    """Return {Job: [cell of a plan]}: what the controls train beyond the published runs."""
    jobs: dict[Job, list[dict]] = defaultdict(list)
    for change, cell in wanted_cells(config):
        if change == PUBLISHED and cell["variant"] in config["variants"]:
            continue
        process = change if needs_own_process(config, change) else SHARED
        cells = jobs[Job(process, cell["environment"], cell["api"])]
        (wanted,) = cross(change, [cell["variant"]], [cell["protocol"]])
        if wanted not in cells:
            cells.append(wanted)
    return dict(jobs)


def needs_own_process(config: dict, change: str) -> bool:
    """Tell whether a change is about the process: its threads, mode or kernels, or a new process.

    Published cells need their own process, too, since other cells may start from their weights.
    """
    if change == PUBLISHED or change not in config["controls"]:
        return change in (PUBLISHED, PORTABLE)
    return "initializer_seeds" not in config["controls"][change]["change"]


def wanted_cells(config: dict) -> Iterator[tuple[str, Cell]]:
    """Yield (change, cell) for everything that the controls look at."""
    for _, control, comparison in applicable(config):
        for change, cell in runs_of(config, control, comparison):
            yield change, cell
    for cell in chain(*requested_cells(config, "identity_layers")):
        yield PUBLISHED, cell
    for environment, crossed in requests(config, "crossed"):
        for start, variant in product(crossed["starts_of"], crossed["architectures"]):
            cell = cell_in(environment, crossed, variant)
            yield start_of({**cell, "variant": start}), cell
    for table, change in (("spread", "default_threads"), ("processor", PORTABLE)):
        for cell in chain(*requested_cells(config, table)):
            yield change, cell


def requests(config: dict, table: str) -> Iterator[tuple[str, dict]]:
    """Yield (environment, entry of `control_runs`) for a table, where its API is trained."""
    entry = config["control_runs"].get(table)
    for environment, settings in config["environments"].items():
        if entry and entry["api"] in settings["apis"]:
            yield environment, entry


def requested_cells(config: dict, table: str) -> Iterator[list[Cell]]:
    """Yield the cells that a table shows, those of one environment after the other."""
    for environment, entry in requests(config, table):
        yield [cell_in(environment, entry, variant) for variant in entry["variants"]]


def cell_in(environment: str, entry: dict, variant: str) -> Cell:
    """Return the cell of a variant with an entry's api and protocol."""
    return Cell(
        environment=environment, api=entry["api"], variant=variant, protocol=entry["protocol"]
    )


def applicable(config: dict) -> Iterator[tuple[str, dict, str]]:
    """Yield (control name, control, comparison name) for each control that applies."""
    for name, control in config["controls"].items():
        for comparison in control.get("comparisons", config["comparisons"]):
            yield name, {"name": name, **control}, comparison


def runs_of(config: dict, control: dict, comparison: str) -> list[tuple[str, Cell]]:
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


def start_of(cell: Cell) -> str:
    """Return the name of the change that starts from the initial weights of a cell."""
    return ".".join(("start_of", cell["environment"], cell["api"], cell["variant"]))


def variants_of(config: dict) -> dict[str, dict]:
    """Return every variant, those of the controls included."""
    return {**config["variants"], **config["control_runs"]["variants"]}


def published_files(config: dict) -> list[str]:
    """Return the files that hold the published runs of the controls' seed."""
    jobs = jobs_of_seed(training_jobs(config), config["seed"])
    return run_files(config, jobs)


def control_files(config: dict, jobs: Iterable[Job]) -> list[str]:
    """Return the files of jobs of the controls."""
    return [f"{config['results']}/{CONTROL_FILE}".format(**job._asdict()) for job in jobs]


def donors(config: dict) -> dict[str, dict]:
    """Return {change: file and variant of a published run}, for each change with others' weights.

    Initial weights are drawn before the training, so a run under any protocol will do.
    """
    jobs = training_jobs(config)
    job_of = {
        variant: job for job in jobs_of_seed(jobs, config["seed"]) for variant in jobs[job][0]
    }
    found = {}
    for cell in donor_cells(config):
        variant = cell["variant"]
        pattern = f"{config['results']}/{RUN_FILE if variant in job_of else CONTROL_FILE}"
        file = pattern.format(process=PUBLISHED, job=job_of.get(variant), **cell)
        found[start_of(cell)] = {"file": file, "variant": variant}
    return found


def donor_cells(config: dict) -> Iterator[Cell]:
    """Yield every cell whose initial weights some control starts from."""
    for comparison in config["comparisons"].values():
        yield comparison["first"]
        yield comparison["second"]
    for environment, crossed in requests(config, "crossed"):
        for variant in crossed["starts_of"]:
            yield cell_in(environment, crossed, variant)


def donor_files(config: dict, jobs: dict[Job, list[dict]], wildcards: Any) -> list[str]:
    """Return the files whose initial weights a job's cells start from."""
    job, known = Job(wildcards.process, wildcards.environment, wildcards.api), donors(config)
    found = [known[cell["change"]]["file"] for cell in jobs[job] if cell["change"] in known]
    return list(dict.fromkeys(found))


def plan_controls(config: dict, jobs: dict[Job, list[dict]], wildcards: Any, input: Any) -> str:
    """Return the plan of a job: its cells with what each changes, and what its process changes.

    `input.donors` are its `donor_files` as Snakemake has them, with the prefix of a module.
    """
    job = Job(wildcards.process, wildcards.environment, wildcards.api)
    changes = {name: control.get("change") or {} for name, control in config["controls"].items()}
    known = donors(config)
    files = dict(zip(donor_files(config, jobs, wildcards), input.donors, strict=True))
    cells = [
        {
            **cell,
            "initial_weights": (donor := known.get(cell["change"]))
            and {**donor, "file": files[donor["file"]]},
            "initializer_seeds": changes.get(cell["change"], {}).get("initializer_seeds"),
        }
        for cell in jobs[job]
    ]
    process = changes.get(job.process, {})
    return make_plan(
        config,
        cells,
        [config["seed"]],
        environment=job.environment,
        api=job.api,
        repeats=config["repeats"][job.api],
        threads=process.get("threads", config["training_threads"]),
        eager=process.get("eager", "default"),
        matrix_kernel="portable" if job.process == PORTABLE else "processor",
    )
