"""Rules and jobs of the workflow, for documentation and provenance. For rule files."""

import json
import os
import re
from collections.abc import Container
from pathlib import Path

from snakemake.workflow import Workflow

ROOT = Path(__file__).resolve().parents[2]


def list_rules(workflow: Workflow, own: Container, _wildcards: object) -> str:
    """Return all rules as JSON, {rule file: {rule: its message}}, in their order.

    `own` are those of this workflow, which may be a module of another one.
    """
    files: dict[str, dict[str, str]] = {}
    for rule in filter(own.__contains__, workflow.rules):
        messages = files.setdefault(os.path.relpath(rule.snakefile, ROOT), {})
        messages[rule.name] = re.sub(r"\{wildcards\.(\w+)\}", r"*\1*", rule.message or "")
    return json.dumps(files)


def list_jobs(workflow: Workflow, rules: list[str], _wildcards: object) -> str:
    """Return this run's jobs of these rules as JSON, in the order of the rules.

    Jobs that had nothing to do are among them. A job has its rule, the values of its wildcards, its
    input files, its output files, the lock of its environment, and the file with its times and
    memory.
    """
    jobs = [job for job in workflow.dag.jobs if job.benchmark and job.rule.name in rules]
    described = (
        {
            "rule": job.rule.name,
            "wildcards": job.wildcards_dict,
            "input": sorted({*job.input} - {job.input.program}),
            "output": list(job.output),
            "lock": os.path.relpath(job.conda_env_spec.file.get_path_or_uri(secret_free=True)),
            "benchmark": job.benchmark,
        }
        for job in sorted(jobs, key=lambda job: (rules.index(job.rule.name), job.output))
    )
    return f"[{','.join(map(json.dumps, described))}]"  # one by one: less memory for many jobs
