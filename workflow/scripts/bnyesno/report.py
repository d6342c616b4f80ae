"""What report, documentation and provenance show of the workflow. For rule files."""

import json
import os
import re

from snakemake.io import report


def figure_files(config, figure, table):
    """Return the paths of a figure's files; one is marked for the report.

    `table` is the name of the table that it is drawn from; the caption is in workflow/report/.
    """
    folder, formats = f"{config['results']}/figures", config["figures"]["formats"]
    best = "svg" if "svg" in formats else formats[0]  # sharp at every size of a window
    shown = report(
        f"{folder}/{figure}.{best}",
        caption=f"../report/{figure}.rst",
        category="Figures",
        labels={"figure": figure.replace("_", " "), "from": f"{table}.csv"},
    )
    return [shown, *(f"{folder}/{figure}.{format}" for format in formats if format != best)]


def list_rules(workflow, _wildcards):
    """Return all rules as JSON, {rule file: {rule: its message}}, in their order."""
    files = {}
    for rule in workflow.rules:
        messages = files.setdefault(os.path.relpath(rule.snakefile, workflow.basedir), {})
        messages[rule.name] = re.sub(r"\{wildcards\.(\w+)\}", r"*\1*", rule.message or "")
    return json.dumps(files)


def list_benchmarks(workflow, _wildcards):
    """Return where this run's jobs have their resources measured as JSON, {rule: [paths]}.

    Also those of jobs that had nothing to do this time; none of another configuration.
    """
    found = {rule.name: [] for rule in workflow.rules}
    for job in workflow.dag.jobs:
        if job.benchmark:
            found[job.rule.name].append(str(job.benchmark))
    return json.dumps({name: sorted(paths) for name, paths in found.items() if paths})
