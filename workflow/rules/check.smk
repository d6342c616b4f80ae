"""Check: what differs from the committed tables, and whether that is within the spread.

In:  results/tables/*.csv as they are, and as the commit has them; nothing is made for the check
Out: the answer on the terminal; the rule fails where a column is beyond the spread
"""


rule check:
    input:
        program=PROGRAM,
    log:
        f"{RESULTS}/logs/check.log",
    benchmark:
        f"{RESULTS}/benchmarks/check.tsv"
    localrule: True
    conda:
        FIGURES_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=grow(500),
        runtime=grow(5),
    params:
        code=code_of("judge.check"),
        folder=f"{RESULTS}/tables",
    message:
        "Comparing the tables with those of the commit"
    shell:
        # 1: what differs is within the spread. Snakemake itself shows the log of a job that failed.
        "{{ python -s {input.program:q} judge.check --tables {params.folder:q} > {log:q} 2>&1"
        " || [ $? -eq 1 ]; }} && cat {log:q}"
