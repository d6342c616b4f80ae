"""Sweep over releases: the same runs in further releases, and where each takes its seeds from.

In:  config.yaml (sweep), claims.yaml
Out: results/sweep/{release}/{mode}/{variant}/{protocol}/*.json, as train.smk writes them,
     results/sweep/{release}/{mode}/randomness.json, results/provenance/packages/{release}.csv,
     results/tables/{releases,randomness}.csv, results/figures/releases.{svg,pdf,png}
"""

SWEEP_OPTIONS = (
    f"--data-seed {config['experiment']['data_seed']}"
    f" --python-seed {config['experiment']['python_seed']}"
    f" --seed {config['sweep']['seed']} --threads 1"
)

for release, entry in RELEASES.items():

    rule:
        name:
            name_rule("train", "release", release)
        input:
            script="workflow/scripts/train.py",
            code=code_of("workflow/scripts/train.py"),
            experiment=config["experiment"]["module"],
            files=config["experiment"].get("files", []),
        output:
            release_records(config, release, "{mode}"),
        log:
            f"{RESULTS}/logs/sweep/{release}-{{mode}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/sweep/{release}-{{mode}}.tsv"
        conda:
            f"../../{entry['file']}"
        threads: 1
        resources:
            mem_mb=grow(1500),
            runtime=grow(20),
        params:
            release=release,
            variants=variant_arguments(config, config["variants"]),
            protocols=PROTOCOLS,
            data=DATA,
            options=SWEEP_OPTIONS,
            folder=subpath(output[0], ancestor=3),
        message:
            f"Training every variant in {release}, eager execution: {{wildcards.mode}}"
        shell:
            "python -s {input.script} --experiment {input.experiment}"
            " --environment {params.release} --api tf.keras {params.variants}"
            " --protocols {params.protocols:q} --data {params.data:q} {params.options}"
            " --eager {wildcards.mode} --output-folder {params.folder}/{{variant}} > {log} 2>&1"

    rule:
        name:
            name_rule("probe", "randomness", release)
        input:
            script="workflow/scripts/probe_randomness.py",
            code=code_of("workflow/scripts/probe_randomness.py"),
            experiment=config["experiment"]["module"],
            files=config["experiment"].get("files", []),
        output:
            RANDOMNESS_RECORD.format(results=config["results"], release=release, mode="{mode}"),
        log:
            f"{RESULTS}/logs/sweep/{release}-{{mode}}-randomness.log",
        benchmark:
            f"{RESULTS}/benchmarks/sweep/{release}-{{mode}}-randomness.tsv"
        conda:
            f"../../{entry['file']}"
        threads: 1
        resources:
            mem_mb=grow(800),
            runtime=grow(10),
        params:
            release=release,
            variants=variant_arguments(config, config["sweep"]["pair"]),
            protocols=PROTOCOLS,
            data=DATA,
            options=SWEEP_OPTIONS,
            folder=subpath(output[0], parent=True),
        message:
            f"Varying each source of randomness in {release}, eager execution: {{wildcards.mode}}"
        shell:
            "python -s {input.script} --experiment {input.experiment}"
            " --environment {params.release} --api tf.keras {params.variants}"
            " --protocols {params.protocols:q} --data {params.data:q} {params.options}"
            " --eager {wildcards.mode} --output-folder {params.folder} > {log} 2>&1"


rule compare_releases:
    input:
        script="workflow/scripts/compare_releases.py",
        code=code_of("workflow/scripts/compare_releases.py"),
        claims=config.get("claims", []),
        records=[
            record
            for release, mode in release_modes(config)
            for record in release_records(config, release, mode)
        ],
        randomness=[
            RANDOMNESS_RECORD.format(results=config["results"], release=release, mode=mode)
            for release, mode in release_modes(config)
        ],
    output:
        releases=f"{RESULTS}/tables/releases.csv",
        randomness=f"{RESULTS}/tables/randomness.csv",
    log:
        f"{RESULTS}/logs/compare_releases.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_releases.tsv"
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
            "variants/*/layers",
            "protocols",
            "sweep/seed",
            "sweep/pair",
            "sweep/releases/*/modes",
        ),
        claims="--claims" if "claims" in config else "",
    message:
        "Comparing the releases, bit for bit"
    shell:
        "python -s {input.script} --config <(printf %s {params.config:q})"
        " {params.claims} {input.claims}"
        " --releases {output.releases} --randomness {output.randomness} > {log} 2>&1"


rule render_releases:
    input:
        script="workflow/scripts/render_releases.py",
        code=code_of("workflow/scripts/render_releases.py"),
        table=rules.compare_releases.output.releases,
    output:
        figure_files(config, "releases", "releases"),
    log:
        f"{RESULTS}/logs/render_releases.log",
    benchmark:
        f"{RESULTS}/benchmarks/render_releases.tsv"
    group:
        "figure"
    conda:
        FIGURES_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=grow(500),
        runtime=grow(5),
    params:
        config=settings(config, *FIGURE_SETTINGS, "sweep"),
    message:
        "Drawing releases from releases.csv"
    shell:
        "python -s {input.script} --config <(printf %s {params.config:q})"
        " --table {input.table} --output {output} > {log} 2>&1"


rule sweep:
    input:
        expand(PACKAGE_LIST, environment=RELEASES),
        rules.compare_releases.output,
        rules.render_releases.output,
    message:
        "The releases are compared"
