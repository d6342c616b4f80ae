"""Tables: every record becomes rows of tidy CSV files (columns: bnyesno/tables.py).

In:  the records that config.yaml asks for
Out: results/tables/{runs,epochs,steps,layers}.csv
"""

TABLES = ["runs", "epochs", "steps", "layers"]


rule collect_tables:
    input:
        script="workflow/scripts/collect_tables.py",
        code=code_of("workflow/scripts/collect_tables.py"),
        records=record_paths(config),
    output:
        **{table: f"{RESULTS}/tables/{table}.csv" for table in TABLES},
    log:
        f"{RESULTS}/logs/collect_tables.log",
    benchmark:
        f"{RESULTS}/benchmarks/collect_tables.tsv"
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
            "seeds",
            "repeats",
        ),
    message:
        "Collecting the records into tables"
    shell:
        "python -s {input.script} --config <(printf %s {params.config:q})"
        " --runs {output.runs} --epochs {output.epochs} --steps {output.steps} --layers {output.layers}"
        " > {log} 2>&1"
