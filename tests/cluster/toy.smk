"""Chunks that note when they start and finish: training would add nothing here.

Config: chunks (how many), and for some chunks what their first attempt does before: hang, train
(hang, as a job of the workflow does, which ends with its run), overrun (hang, with a minute's
time), fill (more memory than it asked for), reserve (more address space).
With `held`, no chunk finishes before the file `go` is there: a test decides by an event what
happens meanwhile, never by seconds.
"""

import sys

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

WORKFLOW = str(Path(workflow.basedir).parents[1] / "workflow")
sys.path.insert(0, WORKFLOW)

from deploy import at_once, whole

ALL_ENVIRONMENT_FILES = {}
RESULTS = "."


include: "../../workflow/rules/at_once.smk"


TRAIN = "import time; from train.end_with_run import end_with_run; end_with_run(); time.sleep(3600)"
FIRST_ATTEMPT = {
    "train": f"PYTHONPATH='{WORKFLOW}' python -c '{TRAIN}';",
    "hang": "sleep 3600;",
    "overrun": "sleep 3600;",
    "fill": """python -c 'import time; full = b"x" * 1_200_000_000; time.sleep(3600)';""",
    "reserve": """python -c 'bytearray(3_000_000_000)';""",
}
HOLD = "until [ -e go ]; do sleep 0.2; done;" if config.get("held") else ""


def first_attempt(wildcards, attempt):
    """Return a shell command for the chunks that fail at first, nothing for the others."""
    what = config.get(f"chunk{wildcards.number}", "")
    return FIRST_ATTEMPT.get(what, "") if attempt == 1 else ""


def minutes(wildcards, attempt):
    """Return what a chunk asks for: an hour and more, whatever the machine, but for `overrun`."""
    overrun = config.get(f"chunk{wildcards.number}") == "overrun"
    return 1 if overrun and attempt == 1 else 60 * attempt


rule all:
    input:
        expand("chunk{number}.txt", number=range(1, int(config["chunks"]) + 1)),


rule chunk:
    output:
        "chunk{number}.txt",
    resources:
        mem_mb=lambda wildcards, attempt: 700 * attempt,
        runtime=minutes,
        before=first_attempt,
    params:
        hold=HOLD,
    shell:
        # The job's id as Slurm or as Grid Engine has it.
        "echo start {wildcards.number} ${{SLURMD_NODENAME:-$HOSTNAME}} ${{SLURM_JOB_ID:-${{JOB_ID:-none}}}}"
        " >> history.txt;"
        " {resources.before} {params.hold}"
        " echo finish {wildcards.number} >> history.txt; touch {output}"
