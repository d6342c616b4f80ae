"""Sweep over releases: the same runs in further releases, and where each takes its seeds from.

In:  config.yaml (sweep), claims.yaml
Out: results/sweep/{environment}/{mode}.jsonl, records as train.smk has them,
     results/sweep/{environment}/{mode}-randomness.jsonl, results/provenance/packages/{release}.csv,
     results/tables/{releases,randomness}.csv, results/figures/releases.{svg,pdf,png}
"""

from plan.runs import plan_release, release_modes

SWEPT = {
    "environment": [release for release, _ in release_modes(config)],
    "mode": [mode for _, mode in release_modes(config)],
}


use rule train_runs as train_releases with:
    output:
        f"{RESULTS}/sweep/{{environment}}/{{mode}}.jsonl",
    log:
        f"{RESULTS}/logs/train_releases/{{environment}}/{{mode}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_releases/{{environment}}/{{mode}}.tsv"
    priority: 0
    group:
        "release"
    threads: 1
    resources:
        mem_mb=grow(1500),
        runtime=grow(20),
    params:
        code=code_of("train.job"),
        plan=partial(plan_release, config, config["variants"], config["protocols"]),
    message:
        "Training every variant in {wildcards.environment}, eager execution: {wildcards.mode}"


rule probe_randomness:
    input:
        EXPERIMENT_FILES,
        program=PROGRAM,
        experiment=EXPERIMENT,
    output:
        f"{RESULTS}/sweep/{{environment}}/{{mode}}-randomness.jsonl",
    log:
        f"{RESULTS}/logs/probe_randomness/{{environment}}/{{mode}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/probe_randomness/{{environment}}/{{mode}}.tsv"
    group:
        "release"
    conda:
        lookup(dpath="{environment}", within=CONDA_FILES)
    threads: 1
    resources:
        mem_mb=grow(800),
        runtime=grow(10),
    params:
        code=code_of("train.probe_randomness"),
        # train.probe_randomness looks at a pair of variants under the first protocol.
        plan=partial(plan_release, config, config["sweep"]["pair"], [*config["protocols"]][:1]),
    message:
        "Varying the sources of randomness in {wildcards.environment}, eager: {wildcards.mode}"
    shell:
        "python -s {input.program:q} train.probe_randomness --experiment {input.experiment:q}"
        " --plan <(printf %s {params.plan:q}) --output {output:q} > {log:q} 2>&1"


rule compare_releases:
    input:
        program=PROGRAM,
        claims=CLAIMS_FILE,
        records=expand(rules.train_releases.output, zip, **SWEPT),
        probes=expand(rules.probe_randomness.output, zip, **SWEPT),
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
        code=code_of("judge.releases"),
        config=settings(
            config,
            "variants/*/layers",
            "protocols",
            "seed",
            "sweep/pair",
            "sweep/releases/*/modes",
        ),
        claims="--claims" if "claims" in config else "",
    message:
        "Comparing the releases, bit for bit"
    shell:
        "python -s {input.program:q} judge.releases --config <(printf %s {params.config:q})"
        " --records {input.records:q} --probes {input.probes:q} {params.claims} {input.claims:q}"
        " --releases {output.releases:q} --randomness {output.randomness:q} > {log:q} 2>&1"


rule sweep:
    input:
        expand(PACKAGE_LIST, environment=RELEASES),
        rules.compare_releases.output,
        expand(FIGURE_FILES, figure="releases"),
    message:
        "The releases are compared"
