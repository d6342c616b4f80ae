"""Controls: the same training with one thing changed, and what that says about the cause.

In:  config.yaml (comparisons, controls, control_runs), the records of the published runs
Out: results/controls/{process}/{environment}/{api}.jsonl, records as train.smk has them,
     results/tables/{controls,verdicts}.csv, and those tables that the configuration asks for
"""

from plan.controls import (
    CONTROL_FILE,
    control_files,
    control_jobs,
    donor_files,
    plan_controls,
    published_files,
)

CONTROL_JOBS = control_jobs(config)


use rule train_runs as train_controls with:
    input:
        EXPERIMENT_FILES,
        program=PROGRAM,
        experiment=EXPERIMENT,
        donors=partial(donor_files, config, CONTROL_JOBS),
    output:
        f"{RESULTS}/{CONTROL_FILE}",
    log:
        f"{RESULTS}/logs/train_controls/{{process}}/{{environment}}/{{api}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_controls/{{process}}/{{environment}}/{{api}}.tsv"
    priority: 1  # before the seed study: the page's claims and figures are there first
    group:
        "control"
    resources:
        mem_mb=grow(800),
        runtime=grow(5),
    params:
        code=code_of("train.job"),
        plan=partial(plan_controls, config, CONTROL_JOBS),
    message:
        "Controls ({wildcards.process}) in {wildcards.environment} with {wildcards.api}"


rule compare_controls:
    input:
        program=PROGRAM,
        published=published_files(config),
        controlled=control_files(config, CONTROL_JOBS),
    output:
        **{table: f"{RESULTS}/tables/{table}.csv" for table in control_tables(config)},
    log:
        f"{RESULTS}/logs/compare_controls.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_controls.tsv"
    priority: 3
    conda:
        FIGURES_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        code=code_of("judge.controls"),
        config=settings(
            config,
            "environments/*/apis",
            "variants/*/layers",
            "protocols",
            "repeats",
            "comparisons",
            "controls",
            "control_runs",
            "seed",
            *(f"figures/{table}" for table in control_tables(config)),
        ),
        folder=subpath(output.controls, parent=True),
    message:
        "Comparing the controls, bit for bit"
    shell:
        "python -s {input.program:q} judge.controls --config <(printf %s {params.config:q})"
        " --records @<(printf '%s\\n' {input.published:q} {input.controlled:q})"
        " --output-folder {params.folder:q} > {log:q} 2>&1"
