"""What report, documentation and provenance show of the workflow. For rule files."""

import json
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def list_rules(workflow, own, _wildcards):
    """Return all rules as JSON, {rule file: {rule: its message}}, in their order.

    `own` are those of this workflow, which may be a module of another one.
    """
    files = {}
    for rule in filter(own.__contains__, workflow.rules):
        messages = files.setdefault(os.path.relpath(rule.snakefile, ROOT), {})
        messages[rule.name] = re.sub(r"\{wildcards\.(\w+)\}", r"*\1*", rule.message or "")
    return json.dumps(files)


def list_benchmarks(workflow, rules, _wildcards):
    """Return where this run's jobs of these rules have their resources measured, as JSON.

    [rule, environment, part of the study, file] for each job, in the order of the rules; also of
    jobs that had nothing to do this time, and of none of another configuration.
    """
    found = [
        [
            job.rule.name,
            job.wildcards.get("environment", ""),
            job.wildcards.get("part", ""),
            str(job.benchmark),
        ]
        for job in workflow.dag.jobs
        if job.benchmark and job.rule.name in rules
    ]
    return json.dumps(sorted(found, key=lambda row: (rules.index(row[0]), row)))
