"""Tables: every record becomes rows of tidy CSV files (columns: workflow/schemas/tables.yaml).

In:  the records of the training jobs
Out: results/tables/{runs,epochs,steps,layers}.csv
"""

from plan.runs import run_files

TABLES = ["runs", "epochs", "steps", "layers"]


rule collect_tables:
    input:
        program=PROGRAM,
        records=run_files(config, TRAINING_JOBS),
    output:
        **{table: f"{RESULTS}/tables/{table}.csv" for table in TABLES},
    log:
        f"{RESULTS}/logs/collect_tables.log",
    benchmark:
        f"{RESULTS}/benchmarks/collect_tables.tsv"
    priority: 3
    conda:
        FIGURES_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        code=code_of("judge.records"),
    message:
        "Collecting the records into tables"
    shell:
        "python -s {input.program:q} judge.records"
        " --records @<(printf '%s\\n' {input.records:q})"
        " --runs {output.runs:q} --epochs {output.epochs:q} --steps {output.steps:q}"
        " --layers {output.layers:q} > {log:q} 2>&1"
