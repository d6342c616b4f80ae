"""Seed study: many seeds side by side, a sample of them against stock Keras, tables and effects.

In:  config.yaml (study), the chunks that it asks for
Out: results/study/{part}/{environment}/seeds{first}-{last}.npz, one chunk of seeds each,
     results/study/{part}/{environment}/compared.jsonl, the sample that stock Keras trained again,
     for the default run results/tables/{study,percentiles,effects,yardsticks}, for the target
     `study` the same of all other parts, and their figures
"""

from page.plans import (
    CHUNK_FILE,
    chunk_files,
    plan_chunk,
    plan_sample,
    study_parts,
    study_trainings,
)
from page.study_check import check_study

check_study(config)
COMPARED = f"{RESULTS}/study/{{part}}/{{environment}}/compared.jsonl"
DEFAULT_PARTS, OTHER_PARTS = study_parts(config)
STUDY_SETTINGS = ["seed", "study/bootstrap"]


rule train_study:
    input:
        program=PROGRAM,
    output:
        f"{RESULTS}/{CHUNK_FILE}",
    log:
        f"{RESULTS}/logs/train_study/{{part}}/{{environment}}/seeds{{first}}-{{last}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_study/{{part}}/{{environment}}/seeds{{first}}-{{last}}.tsv"
    group:
        "study"
    conda:
        lookup(dpath="{environment}", within=CONDA_FILES)
    threads: 1
    resources:
        mem_mb=grow(2500),
        runtime=grow(60),
    params:
        code=code_of("page.train_study"),
        plan=partial(plan_chunk, config),
    message:
        "Training seeds {wildcards.first} to {wildcards.last} of {wildcards.part}"
        " in {wildcards.environment}"
    shell:
        "python -s {input.program:q} page.train_study"
        " --plan <(printf %s {params.plan:q}) --output {output:q}"
        " > {log:q} 2>&1"


rule compare_with_stock:
    input:
        program=PROGRAM,
        chunks=lambda wildcards: chunk_files(config, [wildcards.part], [wildcards.environment]),
    output:
        COMPARED,
    log:
        f"{RESULTS}/logs/compare_with_stock/{{part}}/{{environment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_with_stock/{{part}}/{{environment}}.tsv"
    conda:
        lookup(dpath="{environment}", within=CONDA_FILES)
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(30),
    params:
        code=code_of("page.compare_with_stock"),
        plan=partial(plan_sample, config),
    message:
        "Training a sample of {wildcards.part} again, with stock Keras in {wildcards.environment}"
    shell:
        "python -s {input.program:q} page.compare_with_stock --plan <(printf %s {params.plan:q})"
        " --chunks @<(printf '%s\\n' {input.chunks:q}) --output {output:q} > {log:q} 2>&1"


rule collect_study:
    input:
        program=PROGRAM,
        chunks=chunk_files(config, **study_trainings(config, DEFAULT_PARTS)),
        compared=expand(COMPARED, zip, **study_trainings(config, DEFAULT_PARTS)),
    output:
        expand(f"{RESULTS}/tables/study{{ending}}", ending=[".parquet", ".csv", "_cells.csv"]),
        expand(f"{RESULTS}/tables/{{table}}.csv", table=["percentiles", "effects", "yardsticks"]),
    log:
        f"{RESULTS}/logs/collect_study.log",
    benchmark:
        f"{RESULTS}/benchmarks/collect_study.tsv"
    conda:
        CONDA_FILES["study"]
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(20),
    params:
        code=code_of("page.effects"),
        config=settings(config, *STUDY_SETTINGS, *(f"study/parts/{part}" for part in DEFAULT_PARTS)),
        name="study",
        folder=subpath(output[0], parent=True),
    message:
        "Collecting the chunks into {params.name}.parquet, with effects and intervals"
    shell:
        "python -s {input.program:q} page.effects --config <(printf %s {params.config:q})"
        " --chunks @<(printf '%s\\n' {input.chunks:q}) --compared {input.compared:q}"
        " --name {params.name} --output-folder {params.folder:q} > {log:q} 2>&1"


use rule collect_study as collect_sensitivity with:
    input:
        program=PROGRAM,
        chunks=chunk_files(config, **study_trainings(config, OTHER_PARTS)),
        compared=expand(COMPARED, zip, **study_trainings(config, OTHER_PARTS)),
    output:
        expand(
            f"{RESULTS}/tables/sensitivity{{ending}}",
            ending=[".parquet", ".csv", "_cells.csv", "_effects.csv", "_yardsticks.csv"],
        ),
    log:
        f"{RESULTS}/logs/collect_sensitivity.log",
    benchmark:
        f"{RESULTS}/benchmarks/collect_sensitivity.tsv"
    params:
        code=code_of("page.effects"),
        config=settings(config, *STUDY_SETTINGS, *(f"study/parts/{part}" for part in OTHER_PARTS)),
        name="sensitivity",


rule study:
    input:
        rules.collect_study.output,
        expand(FIGURE_FILES, figure="seeds"),
        branch(
            OTHER_PARTS,
            then=[
                *rules.collect_sensitivity.output,
                *expand(FIGURE_FILES, figure=["bn_effect", "activation_pairs"]),
                *collect(f"{RESULTS}/tables/claims.csv" if "claims" in config else []),
            ],
        ),
    message:
        "The seed study is complete"
