"""Training: one process for some variants and seeds, in one framework version and API.

In:  config.yaml (variants, protocols, seeds, repeats), workflow/experiments/
Out: results/runs/{environment}/{api}/{job}.jsonl, one record in a line for each run of a job: its
     variants under all protocols, with each of its seeds and repeats
"""

from plan.runs import RUN_FILE, plan_runs, training_jobs

TRAINING_JOBS = training_jobs(config)


rule train_runs:
    input:
        EXPERIMENT_FILES,  # a name would be one more list for each job
        program=PROGRAM,
        experiment=EXPERIMENT,
    output:
        f"{RESULTS}/{RUN_FILE}",
    log:
        f"{RESULTS}/logs/train_runs/{{environment}}/{{api}}/{{job}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_runs/{{environment}}/{{api}}/{{job}}.tsv"
    priority: 2  # before the controls, some of which start from these runs
    group:
        "train"
    conda:
        lookup(dpath="{environment}", within=CONDA_FILES)
    threads: max(1, config["training_threads"])
    resources:
        mem_mb=grow(800),
        runtime=grow(5 * config["seeds_per_job"]),
    params:
        code=code_of("train.job"),
        plan=plan_runs(config, TRAINING_JOBS),
    message:
        "Training {wildcards.job} in {wildcards.environment} with {wildcards.api}"
    shell:
        "python -s {input.program:q} train.job --experiment {input.experiment:q}"
        " --plan <(printf %s {params.plan:q}) --output {output:q} > {log:q} 2>&1"
