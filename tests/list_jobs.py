"""Print every job that these targets need as JSON: what Snakemake itself made of the rules.

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
    jobs = [
        {
            "rule": job.rule.name,
            "group": job.group,
            "input": list(map(str, job.input)),
            "output": list(map(str, job.output)),
            "shell": job.shellcmd,
        }
        for job in workflow._workflow.dag.jobs
    ]
print(json.dumps(jobs))
