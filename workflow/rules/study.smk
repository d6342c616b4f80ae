"""Seed study: many seeds side by side, a sample of them against stock Keras, tables and effects.

In:  config.yaml (study), the chunks that it asks for
Out: results/study/{part}/{environment}/seeds{first}-{last}.npz, one chunk of seeds each,
     results/study/{part}/{environment}/compared.json, the sample that stock Keras trained again,
     for the default run results/tables/{study,distributions,effects,yardsticks}, for the target
     `study` the same of all other parts, the claims that need them, and their figures
"""

# Table -> the parts of the study in it: those of the default run, and all others.
STUDY_TABLES = tables_of_study(config)
# Figure -> the tables that it is drawn from.
STUDY_FIGURES = {
    "seeds": ["percentiles", "study_cells", "yardsticks"],
    "bn_effect": ["sensitivity_effects"],
    "activation_pairs": ["sensitivity_cells", "sensitivity_effects"],
}
STUDY_ENVIRONMENT = "../../envs/study.yaml"
EXPERIMENT = json.dumps(config["experiment"])

for part, environment in study_trainings(config):

    rule:
        name:
            name_rule("train_study", part, environment)
        input:
            script="workflow/scripts/train_study.py",
            code=code_of("workflow/scripts/train_study.py"),
        output:
            CHUNK.format(
                results=config["results"],
                part=part,
                environment=environment,
                first="{first}",
                last="{last}",
            ),
        log:
            f"{RESULTS}/logs/study/{part}/{environment}/seeds{{first}}-{{last}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/study/{part}/{environment}/seeds{{first}}-{{last}}.tsv"
        priority: 2  # before everything else: these take longest
        group:
            "study"
        conda:
            f"../../{ENVIRONMENTS[environment]['file']}"
        threads: 1
        resources:
            mem_mb=grow(2500),
            runtime=grow(60),
        params:
            part=json.dumps(trained_settings(config, part)),
            experiment=EXPERIMENT,
            protocols=PROTOCOLS,
        message:
            f"Training seeds {{wildcards.first}} to {{wildcards.last}} of {part} in {environment}"
        shell:
            "python -s {input.script} --part {params.part:q} --experiment {params.experiment:q}"
            " --protocols {params.protocols:q} --first-seed {wildcards.first}"
            " --last-seed {wildcards.last} --output {output} > {log} 2>&1"

    rule:
        name:
            name_rule("compare_with_stock", part, environment)
        input:
            script="workflow/scripts/compare_with_stock.py",
            code=code_of("workflow/scripts/compare_with_stock.py"),
            stock="workflow/scripts/train_stock.py",
            chunks=chunk_paths(config, part, environment),
        output:
            COMPARED.format(results=config["results"], part=part, environment=environment),
        log:
            f"{RESULTS}/logs/study/{part}/{environment}/compare_with_stock.log",
        benchmark:
            f"{RESULTS}/benchmarks/study/{part}/{environment}/compare_with_stock.tsv"
        conda:
            f"../../{ENVIRONMENTS[environment]['file']}"
        threads: 1
        resources:
            mem_mb=grow(4000),
            runtime=grow(30),
        params:
            protocols=PROTOCOLS,
            layers=json.dumps({name: entry["layers"] for name, entry in config["variants"].items()}),
            runs=config["study"]["parts"][part]["compared"],
            seed=config["study"]["sample_seed"],
        message:
            f"Training {{params.runs}} runs of {part} again, with stock Keras in {environment}"
        shell:
            "python -s {input.script} --protocols {params.protocols:q} --layers {params.layers:q}"
            " --count {params.runs} --sample-seed {params.seed} --chunks {input.chunks}"
            " --output {output} > {log} 2>&1"


for table, parts in STUDY_TABLES.items():

    rule:
        name:
            f"collect_{table}"
        input:
            script="workflow/scripts/collect_study.py",
            code=code_of("workflow/scripts/collect_study.py"),
            chunks=study_files(config, parts),
        output:
            expand(f"{RESULTS}/tables/{{file}}", file=STUDY_FILES[table]),
        log:
            f"{RESULTS}/logs/collect_{table}.log",
        benchmark:
            f"{RESULTS}/benchmarks/collect_{table}.tsv"
        conda:
            STUDY_ENVIRONMENT
        threads: 1
        resources:
            mem_mb=grow(2000),
            runtime=grow(20),
        params:
            config=settings(
                config,
                "results",
                "study/published_seed",
                "study/bootstrap",
                *(f"study/parts/{part}" for part in parts),
            ),
            parts=parts,
            table=table,
            folder=subpath(output[0], parent=True),
        message:
            f"Collecting {', '.join(parts)} into {table}.parquet, with effects and intervals"
        shell:
            "python -s {input.script} --config <(printf %s {params.config:q})"
            " --parts {params.parts} --name {params.table} --output-folder {params.folder} > {log} 2>&1"


for figure, tables in STUDY_FIGURES.items():

    rule:
        name:
            f"render_{figure}"
        input:
            script=f"workflow/scripts/render_{figure}.py",
            code=code_of(f"workflow/scripts/render_{figure}.py"),
            tables=expand(f"{RESULTS}/tables/{{table}}.csv", table=tables),
        output:
            figure_files(config, figure, tables[0]),
        log:
            f"{RESULTS}/logs/render_{figure}.log",
        benchmark:
            f"{RESULTS}/benchmarks/render_{figure}.tsv"
        group:
            "figure"
        conda:
            FIGURES_ENVIRONMENT
        threads: 1
        resources:
            mem_mb=grow(500),
            runtime=grow(5),
        params:
            config=settings(config, *FIGURE_SETTINGS, f"figures/{figure}"),
        message:
            f"Drawing {figure} from {' and '.join(tables)}"
        shell:
            "python -s {input.script} --config <(printf %s {params.config:q})"
            " --table {input.tables} --output {output} > {log} 2>&1"


rule judge_study_claims:
    input:
        script="workflow/scripts/judge_claims.py",
        code=code_of("workflow/scripts/judge_claims.py"),
        claims=config.get("claims", []),
        tables=f"{RESULTS}/tables/sensitivity_effects.csv",
    output:
        f"{RESULTS}/tables/study_claims.csv",
    log:
        f"{RESULTS}/logs/judge_study_claims.log",
    benchmark:
        f"{RESULTS}/benchmarks/judge_study_claims.tsv"
    conda:
        FIGURES_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=grow(500),
        runtime=grow(5),
    message:
        "Judging the claims that need the whole study"
    shell:
        "python -s {input.script} --claims {input.claims} --tables {input.tables} --study"
        " --output {output} > {log} 2>&1"


rule study:
    input:
        expand(
            f"{RESULTS}/tables/{{file}}",
            file=[file for table in STUDY_TABLES for file in STUDY_FILES[table]],
        ),
        expand(
            f"{RESULTS}/figures/{{figure}}.{{format}}",
            figure=STUDY_FIGURES,
            format=config["figures"]["formats"],
        ),
        rules.judge_study_claims.output,
    message:
        "The seed study is complete"
