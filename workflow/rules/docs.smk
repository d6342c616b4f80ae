"""Documentation: the site, with pages generated from the schema, the tables' columns and the rules.

In:  docs/, mkdocs.yml, CHANGELOG.md, pyproject.toml, what the generated pages are made from
Out: results/site/index.html and the rest of the site; a warning is an error
"""

from publish.report import list_rules


rule build_documentation:
    input:
        settings=of_workflow("mkdocs.yml"),
        pages=workflow_files(
            *("docs/*.*", "docs/assets/*", "pyproject.toml"),
            *("CHANGELOG.md", "config.yaml", "claims.yaml"),
        ),
        schema=of_workflow("workflow/schemas/config.schema.yaml"),
    output:
        f"{RESULTS}/site/index.html",
    log:
        f"{RESULTS}/logs/build_documentation.log",
    benchmark:
        f"{RESULTS}/benchmarks/build_documentation.tsv"
    localrule: True
    conda:
        "../../envs/docs.yaml"
    threads: 1
    resources:
        mem_mb=grow(500),
        runtime=grow(5),
    params:
        code=code_of("publish.write_claims"),
        rules=partial(list_rules, workflow, OWN_RULES),  # called when all rules are known
        folder=subpath(output[0], parent=True),
        path=f"{ROOT}/workflow:{ROOT}",
    message:
        "Building the documentation"
    shell:
        "PYTHONPATH={params.path:q} WORKFLOW_RULES={params.rules:q} python -s -m mkdocs build --strict"
        ' --config-file {input.settings:q} --site-dir "$(realpath -m {params.folder:q})"'
        " > {log:q} 2>&1"
