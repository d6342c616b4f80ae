"""Chunks that note when they start and finish, and sleep in between: training adds nothing here.

Config: chunks (how many), seconds (of sleep), and for some chunks what their first attempt does
before: hang, fill (more memory than it asked for), reserve (more address space).
"""

FIRST_ATTEMPT = {
    "hang": "sleep 600;",
    "fill": """python -c 'import time; full = b"x" * 1_200_000_000; time.sleep(30)';""",
    "reserve": """python -c 'bytearray(3_000_000_000)';""",
}


def first_attempt(wildcards, attempt):
    """Return a shell command for the chunks that fail at first, nothing for the others."""
    what = config.get(f"chunk{wildcards.number}", "")
    return FIRST_ATTEMPT.get(what, "") if attempt == 1 else ""


rule all:
    input:
        expand("chunk{number}.txt", number=range(1, int(config["chunks"]) + 1)),


rule chunk:
    output:
        "chunk{number}.txt",
    resources:
        mem_mb=lambda wildcards, attempt: 700 * attempt,
        runtime=lambda wildcards, attempt: attempt,
        before=first_attempt,
    params:
        seconds=config["seconds"],
    shell:
        # The job's id as Slurm or as Grid Engine has it.
        "echo start {wildcards.number} ${{SLURMD_NODENAME:-$HOSTNAME}} ${{SLURM_JOB_ID:-$JOB_ID}}"
        " >> history.txt;"
        " {resources.before} sleep {params.seconds};"
        " echo finish {wildcards.number} >> history.txt; touch {output}"
