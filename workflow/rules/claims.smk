"""Claims: a verdict, computed from the tables, for every statement of the page.

In:  claims.yaml, results/tables/{runs,layers}.csv and the tables of the controls; of the whole study,
     sensitivity_effects.csv, if this run makes it or has made it
Out: results/tables/claims.csv: every claim; one whose table is not made says what makes it
"""

# The committed table of effects is another run's: only with the chunks behind it, it is this one's.
STUDY_CHUNKS = (
    chunk_files(config, **study_trainings(config, study_parts(config)[1]))
    if "study" in config
    else []
)
STUDY_IS_PART = STUDY_CHUNKS and (
    "study" in getattr(workflow.dag_settings, "targets", ())  # None while linting
    or all(Path(chunk).is_file() for chunk in STUDY_CHUNKS)
)


rule judge_claims:
    input:
        script="workflow/scripts/judge_claims.py",
        code=code_of("workflow/scripts/judge_claims.py"),
        claims=config["claims"],
        tables=[
            f"{RESULTS}/tables/{table}.csv"
            for table in [
                *["runs", "layers", *control_tables(config)],
                *(["sensitivity_effects"] if STUDY_IS_PART else []),
            ]
        ],
    output:
        f"{RESULTS}/tables/claims.csv",
    log:
        f"{RESULTS}/logs/judge_claims.log",
    benchmark:
        f"{RESULTS}/benchmarks/judge_claims.tsv"
    group:
        "figure"
    conda:
        FIGURES_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=grow(500),
        runtime=grow(5),
    message:
        "Judging the claims of the page"
    shell:
        "python -s {input.script:q} --claims {input.claims:q} --tables {input.tables:q}"
        " --output {output:q} > {log:q} 2>&1"
