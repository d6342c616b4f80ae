"""Claims: a verdict, computed from the tables, for every statement of the page.

In:  claims.yaml, results/tables/{runs,layers,controls,verdicts,crossed}.csv
Out: results/tables/claims.csv
"""


rule judge_claims:
    input:
        script="workflow/scripts/judge_claims.py",
        code="workflow/scripts/bnyesno/claims.py",
        claims=config["claims"],
        runs="results/tables/runs.csv",
        layers="results/tables/layers.csv",
        controls="results/tables/controls.csv",
        verdicts="results/tables/verdicts.csv",
        crossed="results/tables/crossed.csv",
    output:
        "results/tables/claims.csv",
    log:
        "results/logs/judge_claims.log",
    benchmark:
        "results/benchmarks/judge_claims.tsv"
    conda:
        FIGURES_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    message:
        "Judging the claims of the page"
    shell:
        "python -s {input.script} --claims {input.claims} --runs {input.runs}"
        " --layers {input.layers} --controls {input.controls}"
        " --verdicts {input.verdicts} --crossed {input.crossed} --output {output} > {log} 2>&1"
