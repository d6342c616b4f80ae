"""What the rule files share: the checked configuration and the names made from it.

In:  config.yaml or the --configfile of an experiment of your own, claims.yaml
Out: the names below; nothing is written
"""

import json
import sys
from itertools import product

from snakemake.exceptions import WorkflowError

sys.path.insert(0, "workflow/scripts")

from bnyesno.config import ConfigurationError, check_config, load_claims, restore_numbers
from bnyesno.controls import (
    control_jobs,
    control_tables,
    donor_records,
    job_records,
    names_of,
    process_arguments,
    run_arguments,
    variant_arguments,
)
from bnyesno.dependencies import code_of, settings
from bnyesno.progress import follow, wants_colour
from bnyesno.report import figure_files, list_benchmarks, list_rules
from bnyesno.runs import (
    CHUNK,
    COMPARED,
    RANDOMNESS_RECORD,
    RECORD,
    STUDY_FILES,
    chunk_paths,
    grow,
    name_rule,
    name_seeds,
    record_paths,
    release_modes,
    release_records,
    split_seeds,
    split_variants,
    study_files,
    study_trainings,
    tables_of_study,
    trained_settings,
)
from bnyesno.summary import summarize

restore_numbers(config)
try:
    check_config(config, workflow.basedir)
    if "claims" in config:
        load_claims(config["claims"], config)
except ConfigurationError as error:
    raise WorkflowError(str(error)) from None


RESULTS = config["results"]  # the folder that everything is written to
# By path, not as a rule's output, where there are many inputs: Snakemake 9.27 would hash all of
# them once for each.
MERGED_CONFIG = f"{RESULTS}/provenance/config.yaml"
ENVIRONMENTS = config["environments"]
PACKAGE_LIST = f"{RESULTS}/provenance/packages/{{environment}}.csv"
ENVIRONMENT_FILES = {
    **{name: entry["file"] for name, entry in ENVIRONMENTS.items()},
    "figures": "envs/figures.yaml",
    **({"study": "envs/study.yaml"} if "study" in config else {}),
}
RELEASES = config.get("sweep", {}).get("releases", {})
RELEASE_FILES = {name: entry["file"] for name, entry in RELEASES.items()}
# Snakemake takes environment files relative to the rule file.
FIGURES_ENVIRONMENT = "../../envs/figures.yaml"
# Command-line arguments are JSON, which Python 3.7 reads without further packages.
PROTOCOLS = json.dumps(config["protocols"])
DATA = json.dumps(config["experiment"]["data"])


wildcard_constraints:
    seed=r"\d+",
    mode="default|switched",
