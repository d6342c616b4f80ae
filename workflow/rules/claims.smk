"""Claims: a verdict, computed from the tables, for every statement of the page.

In:  claims.yaml, and what its tests read of results/tables/{runs,layers}.csv, the tables of the controls
     and, if this run makes it or has made it, sensitivity_effects.csv of the whole study
Out: results/tables/claims.csv: every claim; one whose table is not made says what makes it
"""

from page.plans import effects_of_this_run
from plan.claims import modules_of, tables_of


rule judge_claims:
    input:
        program=PROGRAM,
        claims=CLAIMS_FILE,
        tables=[
            f"{RESULTS}/tables/{table}.csv"
            for table in ["runs", "layers", *control_tables(config)]
            if table in tables_of(CLAIMS)
        ],
        # The targets are known when the jobs are planned, not while the rules are read.
        effects=lambda _: effects_of_this_run(
            config, renamed("study") in workflow.dag_settings.targets, modified
        ),
    output:
        f"{RESULTS}/tables/claims.csv",
    log:
        f"{RESULTS}/logs/judge_claims.log",
    benchmark:
        f"{RESULTS}/benchmarks/judge_claims.tsv"
    priority: 3
    group:
        "figure"
    conda:
        FIGURES_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=grow(500),
        runtime=grow(5),
    params:
        code=code_of("judge.claims", *modules_of(CLAIMS)),
        # All claims, or the one that the configuration names.
        only=[claim["id"] for claim in CLAIMS] if "claim" in WRITTEN_CONFIG else [],
    message:
        "Judging the claims of the page"
    shell:
        "python -s {input.program:q} judge.claims --claims {input.claims:q}"
        " --only {params.only} --tables {input.tables:q} {input.effects:q}"
        " --output {output:q} > {log:q} 2>&1"
