"""What the rule files share: the checked configuration and the names made from it.

In:  config.yaml or the --configfile of an experiment of your own, claims.yaml
Out: the names below; nothing is written
"""

import json
import sys
from functools import partial

from snakemake.exceptions import WorkflowError

sys.path.insert(0, "workflow")

from plan.claims import modules_of, tables_of
from plan.configuration import (
    ConfigurationError,
    check_config,
    load_claims,
    restore_numbers,
)
from plan.controls import (
    CONTROL_FILE,
    control_files,
    control_jobs,
    control_tables,
    donor_files,
    plan_controls,
    published_files,
)
from plan.dependencies import code_of, settings
from plan.documents import read_schema
from publish.report import list_benchmarks, list_rules
from plan.runs import (
    RUN_FILE,
    grow,
    plan_probe,
    plan_release,
    plan_runs,
    release_modes,
    run_files,
    smoke_files,
    training_jobs,
)
from publish.summary import summarize, takes_colour

restore_numbers(config)
try:
    planned = check_config(config, Path.cwd())
    CLAIMS = load_claims(config["claims"], config) if "claims" in config else []
except ConfigurationError as error:
    raise WorkflowError(str(error)) from None


WRITTEN_CONFIG = config  # with defaults; from here on `config` has its cells in their parts
config = planned
PROGRAM = "workflow/__main__.py"  # starts a module: its name comes next on the command line
RESULTS = config["results"]  # the folder that everything is written to
MERGED_CONFIG = f"{RESULTS}/provenance/config.yaml"
ENVIRONMENTS = config["environments"]
PACKAGE_LIST = f"{RESULTS}/provenance/packages/{{environment}}.csv"
ENVIRONMENT_FILES = {
    **{name: entry["file"] for name, entry in ENVIRONMENTS.items()},
    "figures": "envs/figures.yaml",
    **({"study": "envs/study.yaml"} if "study" in config else {}),
}
RELEASES = config.get("sweep", {}).get("releases", {})
ALL_ENVIRONMENT_FILES = {name: entry["file"] for name, entry in RELEASES.items()}
ALL_ENVIRONMENT_FILES |= ENVIRONMENT_FILES
# Snakemake takes environment files relative to the rule file.
CONDA_FILES = {name: f"../../{file}" for name, file in ALL_ENVIRONMENT_FILES.items()}
FIGURES_ENVIRONMENT = CONDA_FILES["figures"]


wildcard_constraints:
    api=r"[^/]+",
    environment=r"[^/]+",
    first=r"\d+",
    job=r"[^/]+",
    last=r"\d+",
    mode="default|switched",
    part=r"[^/]+",
    process=r"[^/]+",
