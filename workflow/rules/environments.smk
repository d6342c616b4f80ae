"""What the runs stand on: the merged configuration and the exact packages.

In:  config.yaml, envs/*.yaml
Out: results/provenance/config.yaml, results/provenance/packages/{environment}.csv
"""


# This rule has no benchmark: it runs within Snakemake, whose own seconds would be measured.
rule write_config:
    input:
        of_workflow("workflow/templates/config.yaml"),
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
        config=WRITTEN_CONFIG,  # whatever its length: a command line would be too short for many seeds
    message:
        "Writing the merged configuration"
    template_engine:
        "yte"


rule list_packages:
    input:
        program=PROGRAM,
        environment_file=lookup(dpath="{environment}", within=ALL_ENVIRONMENT_FILES),
    output:
        PACKAGE_LIST,
    log:
        f"{RESULTS}/logs/list_packages/{{environment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/list_packages/{{environment}}.tsv"
    localrule: True
    conda:
        lookup(dpath="{environment}", within=CONDA_FILES)
    threads: 1
    resources:
        mem_mb=grow(200),
        runtime=grow(5),
    params:
        code=code_of("publish.list_packages"),
    message:
        "Listing the packages of {wildcards.environment}"
    shell:
        "python -s {input.program:q} publish.list_packages"
        " --environment-file {input.environment_file:q}"
        " --output {output:q} > {log:q} 2>&1"
