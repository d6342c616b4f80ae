"""Documentation: the site, with pages generated from the schema, the tables' columns and the rules.

In:  docs/, mkdocs.yml, CHANGELOG.md, pyproject.toml, what the generated pages are made from
Out: results/site/index.html and the rest of the site; a warning is an error
"""


rule build_documentation:
    input:
        pages=sorted(map(str, Path("docs").rglob("*.*"))),
        settings=["mkdocs.yml", "pyproject.toml", "CHANGELOG.md", "config.yaml"],
        code=code_of("publish.documentation"),
        schema="workflow/schemas/config.schema.yaml",
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
        rules=partial(list_rules, workflow),  # called when all rules are known
        folder=subpath(output[0], parent=True),
    message:
        "Building the documentation"
    shell:
        "PYTHONPATH=workflow WORKFLOW_RULES={params.rules:q} python -s -m mkdocs build"
        " --strict --site-dir {params.folder:q} > {log:q} 2>&1"
