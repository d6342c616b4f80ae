"""Training: one rule per framework version and API, the same command line for all.

In:  config.yaml (variants, protocols, seeds, repeats), workflow/experiments/
Out: results/runs/{environment}/{api}/{variant}/{protocol}/seed{seed}-repeat{repeat}.json,
     one record per run; a job trains all protocols and repeats of some variants and seeds
"""

TRAINED = [(name, api) for name, entry in ENVIRONMENTS.items() for api in entry["apis"]]

TRAINING_JOBS = list(enumerate(product(split_variants(config), split_seeds(config)), start=1))

for (environment, api), (number, (variants, seeds)) in product(TRAINED, TRAINING_JOBS):
    job = f"{environment}/{api}/{number}-{name_seeds(seeds)}"

    rule:
        name:
            name_rule("train", environment, api, str(number))
        input:
            script="workflow/scripts/train.py",
            code=code_of("workflow/scripts/train.py"),
            experiment=config["experiment"]["module"],
            files=config["experiment"].get("files", []),
        output:
            expand(
                RECORD,
                results=config["results"],
                environment=environment,
                api=api,
                variant=variants,
                protocol=config["protocols"],
                seed=seeds,
                repeat=range(1, config["repeats"][api] + 1),
            ),
        log:
            f"{RESULTS}/logs/train/{job}.log",
        benchmark:
            f"{RESULTS}/benchmarks/train/{job}.tsv"
        priority: 1  # before the controls, some of which start from these runs
        group:
            "train"
        conda:
            f"../../{ENVIRONMENTS[environment]['file']}"
        threads: max(1, config["training_threads"])
        resources:
            mem_mb=grow(800),
            runtime=grow(5 * len(seeds)),
        params:
            environment=environment,
            api=api,
            variants=variant_arguments(config, variants),
            protocols=PROTOCOLS,
            data=DATA,
            seeds=seeds,
            data_seed=config["experiment"]["data_seed"],
            python_seed=config["experiment"]["python_seed"],
            repeats=config["repeats"][api],
            threads=config["training_threads"],
            folder=subpath(output[0], ancestor=3),
        message:
            f"Training {', '.join(variants)}, seed {{params.seeds}}, in {environment} with {api}"
        shell:
            "python -s {input.script} --experiment {input.experiment}"
            " --environment {params.environment} --api {params.api} {params.variants}"
            " --protocols {params.protocols:q} --data {params.data:q}"
            " --seed {params.seeds} --data-seed {params.data_seed}"
            " --python-seed {params.python_seed} --repeats {params.repeats}"
            " --threads {params.threads} --output-folder {params.folder}/{{variant}} > {log} 2>&1"
