"""What the runs stand on: the merged configuration and the exact packages.

In:  config.yaml, envs/*.yaml
Out: results/provenance/config.yaml, results/provenance/packages/{environment}.csv
"""


# No benchmark: it runs within Snakemake, whose own seconds would be measured.
rule write_config:
    input:
        "workflow/templates/config.yaml",
    output:
        MERGED_CONFIG,
    log:
        f"{RESULTS}/logs/write_config.log",
    localrule: True
    threads: 1
    resources:
        mem_mb=grow(200),
        runtime=grow(5),
    params:
        config=config,  # whatever its length: a command line would be too short for many seeds
    message:
        "Writing the merged configuration"
    template_engine:
        "yte"


for environment, environment_file in {**RELEASE_FILES, **ENVIRONMENT_FILES}.items():

    rule:
        name:
            name_rule("list_packages", environment)
        input:
            script="workflow/scripts/list_packages.py",
            environment_file=environment_file,
        output:
            PACKAGE_LIST.format(environment=environment),
        log:
            f"{RESULTS}/logs/list_packages/{environment}.log",
        benchmark:
            f"{RESULTS}/benchmarks/list_packages/{environment}.tsv"
        localrule: True
        conda:
            f"../../{environment_file}"
        threads: 1
        resources:
            mem_mb=grow(200),
            runtime=grow(5),
        message:
            f"Listing the packages of {environment}"
        shell:
            "python -s {input.script} --environment-file {input.environment_file}"
            " --output {output} > {log} 2>&1"
