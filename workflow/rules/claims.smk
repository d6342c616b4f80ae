"""Claims: a verdict, computed from the tables, for every statement of the page.

In:  claims.yaml, results/tables/{runs,layers}.csv and the tables of the controls; of the whole study,
     sensitivity_effects.csv, if this run makes it or has made it
Out: results/tables/claims.csv: every claim; one whose table is not made says what makes it
"""

from page.plans import effects_of_this_run


rule judge_claims:
    input:
        program=PROGRAM,
        code=code_of("judge.claims", "page.study_claims"),
        claims=config["claims"],
        tables=expand(
            f"{RESULTS}/tables/{{table}}.csv", table=["runs", "layers", *control_tables(config)]
        ),
        # The targets are known when the jobs are planned, not while the rules are read.
        effects=lambda _: effects_of_this_run(config, workflow.dag_settings.targets),
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
        "python -s {input.program:q} judge.claims --claims {input.claims:q}"
        " --tests judge.claims page.study_claims --tables {input.tables:q} {input.effects:q}"
        " --output {output:q} > {log:q} 2>&1"
