"""Provenance: what the finished run stood on and what it took.

In:  everything that `rule all` asks for, results/benchmarks/**.tsv
Out: results/provenance/{run.json,resources.csv,jobs.json}, results/run.crate.zip
"""

import snakemake

from publish.report import list_jobs

PARTS = ["*.py", "*/*.py", "rules/*.smk", "schemas/*.yaml", "defaults/*.yaml", "templates/*.yaml"]
BESIDE_WORKFLOW = ["page/*.py", "page/*.smk", "paper/*.smk"]
WORKFLOW_FILES = workflow_files(*(f"workflow/{part}" for part in PARTS), *BESIDE_WORKFLOW)
# What `rule all` is for; provenance and crate are about it.
TABLES_AND_FIGURES = [
    rules.collect_tables.output,
    rules.compare_controls.output,
    rules.judge_claims.output if "claims" in config else [],
    rules.render_figures.input,
    rules.collect_study.output if "study" in config else [],
]
RECORDS = [
    rules.collect_tables.input.records,
    rules.compare_controls.input.controlled,
    (
        [*rules.collect_study.input.chunks, *rules.collect_study.input.compared]
        if "study" in config
        else []
    ),
]
OWN_RULES = workflow.modifier.rules  # other than those of a workflow that has this one as a module
# Those so far: what comes after looks at them.
MEASURED = [one.name for one in workflow.rules if one in OWN_RULES]


rule write_provenance:
    input:
        program=PROGRAM,
        config=MERGED_CONFIG,
        packages=expand(PACKAGE_LIST, environment=ENVIRONMENT_FILES),
        locks=sources(ENVIRONMENT_FILES.values()),
        runs=f"{RESULTS}/tables/runs.csv",
        results=TABLES_AND_FIGURES,
    output:
        run=f"{RESULTS}/provenance/run.json",
        resources=f"{RESULTS}/provenance/resources.csv",
        jobs=f"{RESULTS}/provenance/jobs.json",
    log:
        f"{RESULTS}/logs/write_provenance.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_provenance.tsv"
    localrule: True
    conda:
        FIGURES_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=grow(300),
        runtime=grow(5),
    params:
        code=code_of("publish.write_provenance"),
        jobs=partial(list_jobs, workflow, MEASURED),  # called when all jobs are known
        snakemake=snakemake.__version__,
    message:
        "Writing what the run stood on and what it took"
    shell:
        "python -s {input.program:q} publish.write_provenance"
        " --config {input.config:q} --runs {input.runs:q}"
        " --packages {input.packages:q} --locks {input.locks:q}"
        " --jobs <(printf %s {params.jobs:q}) --snakemake {params.snakemake}"
        " --output {output:q} > {log:q} 2>&1"


rule write_crate:
    input:
        program=PROGRAM,
        citation=of_workflow("CITATION.cff"),
        run=rules.write_provenance.output.run,
        jobs=rules.write_provenance.output.jobs,
        records=RECORDS,  # and what else the jobs hand on to one another
        inputs=[
            sources(sorted(ENVIRONMENT_FILES.values())),
            EXPERIMENT,
            EXPERIMENT_FILES,
            CLAIMS_FILE,
            MERGED_CONFIG,
        ],
        results=[
            rules.write_provenance.output,
            rules.write_provenance.input.packages,
            TABLES_AND_FIGURES,
        ],
        workflow=[of_workflow("workflow/Snakefile"), *WORKFLOW_FILES],
    output:
        f"{RESULTS}/run.crate.zip",
    log:
        f"{RESULTS}/logs/write_crate.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_crate.tsv"
    localrule: True
    conda:
        "../../envs/crate.yaml"
    threads: 1
    resources:
        mem_mb=grow(300),
        runtime=grow(5),
    params:
        code=code_of("publish.write_crate"),
    message:
        "Packing the run as an RO-Crate"
    shell:
        "python -s {input.program:q} publish.write_crate"
        " --run {input.run:q} --jobs {input.jobs:q} --inputs {input.inputs:q}"
        " --results {input.results:q} --workflow {input.workflow:q} --citation {input.citation:q}"
        " --output {output:q} > {log:q} 2>&1"
