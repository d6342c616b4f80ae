"""What the rule files share: the checked configuration and the names made from it.

In:  config.yaml or the --configfile of an experiment of your own, claims.yaml
Out: the names below; nothing is written
"""

import gc
import json
import sys
from functools import partial

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

from deploy import at_once, whole
from plan.configuration import ConfigurationError, check_config, load_claims, restore_numbers
from plan.controls import control_tables
from plan.dependencies import code_of, settings
from plan.documents import read_mapping
from plan.reduce import find_claims, reduce_config
from plan.runs import grow
from publish.summary import summarize, takes_colour, whose_table

# The objects of a plan stay until the end: to look for garbage among them takes a sixth of its time.
gc.set_threshold(1_000_000)
# What a configuration names is beside it, in the working directory or in the workflow, in this order.
BESIDE = [Path(file).resolve().parent for file in reversed(workflow.configfiles)]
find_files(config, [*(folder for folder in BESIDE if folder != ROOT), ".", ROOT])
# With an experiment of its own a configuration stands alone; any other one amends config.yaml.
experiment = config.get("experiment")
try:
    if not isinstance(experiment, dict) or "module" not in experiment:
        workflow.configfiles.append(of_workflow("config.yaml"))
        amend(config, read_mapping(workflow.configfiles[-1]))
    restore_numbers(config)
    planned = check_config(config, Path.cwd())
    CLAIMS = load_claims(config["claims"], config) if "claims" in config else []
    if "claim" in config:
        CLAIMS = find_claims(config, CLAIMS)
        planned = reduce_config(planned, CLAIMS)
except ValueError as error:
    raise ConfigurationError(str(error)) from None


# From here on `config` has all defaults, and its cells in their parts.
WRITTEN_CONFIG, config = config, planned
# This program starts a module, whose name comes next on the command line.
PROGRAM = of_workflow("workflow/__main__.py")
RESULTS = config["results"]  # the folder that everything is written to
EXPERIMENT = source(config["experiment"]["module"])
EXPERIMENT_FILES = sources(config["experiment"].get("files", []))
CLAIMS_FILE = source(config["claims"]) if "claims" in config else []
# As a module, this workflow may get another prefix for its paths and names for its rules.
modified = workflow.modifier.modify_path
renamed = workflow.modifier.modify_rulename
HERE = modified(RESULTS)  # where a run looks for what earlier runs have made
MERGED_CONFIG = f"{RESULTS}/provenance/config.yaml"
PACKAGE_LIST = f"{RESULTS}/provenance/packages/{{environment}}.csv"
ENVIRONMENT_FILES = {
    **{name: entry["file"] for name, entry in config["environments"].items()},
    "figures": of_workflow("envs/figures.yaml"),
    **({"study": of_workflow("envs/study.yaml")} if "study" in config else {}),
}
RELEASES = config.get("sweep", {}).get("releases", {})
ALL_ENVIRONMENT_FILES = {name: entry["file"] for name, entry in RELEASES.items()}
ALL_ENVIRONMENT_FILES |= ENVIRONMENT_FILES
ALL_ENVIRONMENT_FILES = {name: source(file) for name, file in ALL_ENVIRONMENT_FILES.items()}
# Snakemake takes a relative path from the folder of the rule file.
CONDA_FILES = {name: os.path.abspath(file) for name, file in ALL_ENVIRONMENT_FILES.items()}
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
