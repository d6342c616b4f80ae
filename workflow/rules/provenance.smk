"""Provenance: what the finished run stood on and what it took.

In:  everything that `rule all` asks for, results/benchmarks/**.tsv
Out: results/provenance/{run.json,resources.csv}
"""

import snakemake

PROVENANCE = expand(f"{RESULTS}/provenance/{{file}}", file=["run.json", "resources.csv"])


rule write_provenance:
    input:
        script="workflow/scripts/write_provenance.py",
        config=MERGED_CONFIG,
        packages=expand(PACKAGE_LIST, environment=ENVIRONMENT_FILES),
        runs=f"{RESULTS}/tables/runs.csv",
        results=[
            rules.compare_controls.output,
            rules.judge_claims.output if "claims" in config else [],
            rules.render_figures.input,
            rules.collect_study.output if "study" in config else [],
            rules.render_seeds.output if "study" in config else [],
        ],
    output:
        run=PROVENANCE[0],
        resources=PROVENANCE[1],
    log:
        f"{RESULTS}/logs/write_provenance.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_provenance.tsv"
    localrule: True
    conda:
        FIGURES_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=grow(300),
        runtime=grow(5),
    params:
        locks=json.dumps(ENVIRONMENT_FILES),
        rules=partial(list_benchmarks, workflow),  # called when all rules are known
        snakemake=snakemake.__version__,
    message:
        "Writing what the run stood on and what it took"
    shell:
        "python -s {input.script} --config {input.config} --runs {input.runs}"
        " --packages {input.packages} --locks {params.locks:q} --rules {params.rules:q}"
        " --snakemake {params.snakemake} --run {output.run} --resources {output.resources}"
        " > {log} 2>&1"
