"""Controls: the same training with one thing changed, and what that says about the cause.

In:  config.yaml (comparisons, controls, control_runs), the records of the published runs
Out: results/controls/{change}/{environment}/{api}/{variant}/{protocol}/*.json,
     results/tables/{controls,verdicts}.csv, and those tables that the configuration asks for
"""

CONTROL_JOBS = control_jobs(config)

# Numbered: Slurm's executor names a log after up to five rules of a group, and a file name ends at
# 255 characters.
for number, (job, runs) in enumerate(CONTROL_JOBS.items(), start=1):

    rule:
        name:
            name_rule("control", job.process, str(number))
        input:
            script="workflow/scripts/train.py",
            code=code_of("workflow/scripts/train.py"),
            experiment=config["experiment"]["module"],
            files=config["experiment"].get("files", []),
            donors=donor_records(config, runs).values(),
        output:
            job_records(config, job, runs),
        log:
            f"{RESULTS}/logs/controls/{job.process}/{job.environment}-{job.api}.log",
        benchmark:
            f"{RESULTS}/benchmarks/controls/{job.process}/{job.environment}-{job.api}.tsv"
        group:
            "control"
        conda:
            f"../../{ENVIRONMENTS[job.environment]['file']}"
        threads: max(1, config["training_threads"])
        resources:
            mem_mb=grow(800),
            runtime=grow(5),
        params:
            environment=job.environment,
            api=job.api,
            variants=variant_arguments(config, names_of("variant", runs)),
            runs=json.dumps(run_arguments(config, runs)),
            protocols=PROTOCOLS,
            data=DATA,
            seed=config["control_runs"]["seed"],
            data_seed=config["experiment"]["data_seed"],
            python_seed=config["experiment"]["python_seed"],
            repeats=config["repeats"][job.api],
            process=process_arguments(config, job),
            folder=subpath(output[0], ancestor=6),
        message:
            f"Controls in {job.environment} with {job.api}: {', '.join(names_of('change', runs))}"
        shell:
            "python -s {input.script} --experiment {input.experiment}"
            " --environment {params.environment} --api {params.api} {params.variants}"
            " --runs {params.runs:q}"
            " --protocols {params.protocols:q} --data {params.data:q}"
            " --seed {params.seed} --data-seed {params.data_seed}"
            " --python-seed {params.python_seed} --repeats {params.repeats}"
            " {params.process} --output-folder"
            " {params.folder}/{{change}}/{params.environment}/{params.api}/{{variant}} > {log} 2>&1"


rule compare_controls:
    input:
        script="workflow/scripts/compare_controls.py",
        code=code_of("workflow/scripts/compare_controls.py"),
        published=record_paths(config | {"seeds": [config["control_runs"]["seed"]]}),
        controlled=[
            record
            for job, runs in CONTROL_JOBS.items()
            for record in job_records(config, job, runs)
        ],
    output:
        **{table: f"{RESULTS}/tables/{table}.csv" for table in control_tables(config)},
    log:
        f"{RESULTS}/logs/compare_controls.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_controls.tsv"
    conda:
        FIGURES_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        config=settings(
            config,
            "results",
            "environments/*/apis",
            "variants/*/layers",
            "protocols",
            "repeats",
            "comparisons",
            "controls",
            "control_runs",
            *(f"figures/{table}" for table in control_tables(config)),
        ),
        folder=subpath(output.controls, parent=True),
    message:
        "Comparing the controls, bit for bit"
    shell:
        "python -s {input.script} --config <(printf %s {params.config:q})"
        " --output-folder {params.folder}"
        " > {log} 2>&1"
