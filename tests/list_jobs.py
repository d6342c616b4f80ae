"""Print every rule, and every job that these targets need: what Snakemake itself made of them.

python list_jobs.py TARGET...        in the folder of a Snakefile, in the driver environment
"""

import contextlib
import io
import json
import sys
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.settings.types import DAGSettings, OutputSettings, Quietness, ResourceSettings

with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
    workflow = api.workflow(ResourceSettings(cores=1), snakefile=Path("Snakefile"))
    with contextlib.redirect_stdout(io.StringIO()):
        workflow.dag(DAGSettings(targets=set(sys.argv[1:]))).summary()  # finds the jobs
    rules = [
        {
            "name": rule.name,
            "file": str(rule.snakefile),
            "shell": rule.shellcmd,
            "runs_python": bool(rule.is_script or (rule.is_run and not rule.is_template_engine)),
            "message": rule.message,
            "group": rule._group,  # `group` is None where nothing is submitted
            "log": list(map(str, rule.log)),
            "benchmark": rule.benchmark and str(rule.benchmark),
            "conda": rule._conda_env is not None,
            "resources": list(rule.resources),
        }
        for rule in workflow._workflow.rules
    ]
    jobs = [
        {
            "rule": job.rule.name,
            "group": job.rule._group,
            "code": job.params.get("code"),
            "input": list(map(str, job.input)),
            "output": list(map(str, job.output)),
            "log": list(map(str, job.log)),
            "shell": job.shellcmd,
            "conda": Path(str(job.conda_env_spec.file)).name if job.conda_env_spec else None,
        }
        for job in workflow._workflow.dag.jobs
    ]
print(json.dumps({"rules": rules, "jobs": jobs}))
