"""bn-yes-or-no: every number and claim of the page, trained again and judged.

config.yaml -> runs -> tables -> claims -> figures -> report. One rule file per stage, one script
per rule; `snakemake -n` lists what would be made.
"""

from snakemake.utils import min_version

min_version("9.0")

# A --configfile with an experiment of its own stands alone; any other one amends config.yaml.
if "module" not in config.get("experiment", {}):

    configfile: "config.yaml"


report: "workflow/report/description.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/environments.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/controls.smk"


if "claims" in config:

    include: "workflow/rules/claims.smk"


include: "workflow/rules/figures.smk"


if "sweep" in config:

    include: "workflow/rules/sweep.smk"


if "study" in config:

    include: "workflow/rules/study.smk"


include: "workflow/rules/provenance.smk"
include: "workflow/rules/report.smk"


if "claims" in config and "sweep" in config:

    include: "workflow/rules/paper.smk"


include: "workflow/rules/docs.smk"
include: "workflow/rules/locks.smk"


rule all:
    default_target: True
    input:
        rules.write_config.output,
        expand(PACKAGE_LIST, environment=ENVIRONMENT_FILES),
        TABLES_AND_FIGURES,
        rules.write_provenance.output,
    message:
        "Tables, claims and figures are complete"


rule report:
    input:
        rules.all.input,
        rules.write_pages.input,
    message:
        "All that the report shows is there: --report writes it"


FAILURES = follow(workflow, "envs/build-seconds.csv")


onsuccess:
    print(summarize(config["results"], colour=wants_colour(workflow, sys.stdout)))


onerror:
    print(FAILURES.describe(sys.argv[1:]), file=sys.stderr)
