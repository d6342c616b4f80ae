"""Report: what Snakemake's `--report` shows beside the figures, as pages that sort and filter.

In:  results/tables/*.csv, claims.yaml, docs/claims-to-commands.csv, results/figures/*.png, envs/*.yaml
Out: results/report/{claims,verdicts,environments}.html
"""

PAGES = {
    "verdicts": {
        "title": "Why two results differ",
        "option": "--table",
        "files": f"{RESULTS}/tables/verdicts.csv",
        "whose": whose_table(HERE, "compare_controls"),
    },
    "environments": {
        "title": "What the environments are pinned to",
        "option": "--locks",
        "files": sources(sorted(set(ALL_ENVIRONMENT_FILES.values()))),
        "whose": "",  # no run makes these files
    },
}
INTRODUCTION = of_workflow("workflow/report/description.rst")
TEMPLATES = workflow_files("workflow/report/*.html") + [INTRODUCTION]
FIRST_PAGE = f"{RESULTS}/report/first_page.rst"  # the introduction and the verdicts
# A claim names rows of these.
TABLES_OF_CLAIMS = ["claims", "runs", "layers", "controls", "verdicts"]
TABLES_OF_CLAIMS += ["crossed"] if "crossed" in control_tables(config) else []


# What the report opens with.
report: os.path.abspath(modified(FIRST_PAGE) if exists(modified(FIRST_PAGE)) else INTRODUCTION)


rule write_page:
    input:
        program=PROGRAM,
        template=of_workflow("workflow/report/page.html"),
        parts=TEMPLATES,
        files=lookup(dpath="{page}/files", within=PAGES),
    output:
        report(
            f"{RESULTS}/report/{{page}}.html",
            caption="../report/tables.rst",
            category="Tables",
            labels={"table": "{page}"},
        ),
    log:
        f"{RESULTS}/logs/write_page/{{page}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_page/{{page}}.tsv"
    wildcard_constraints:
        page="|".join(PAGES),
    localrule: True
    conda:
        FIGURES_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=grow(300),
        runtime=grow(5),
    params:
        code=code_of("publish.write_page"),
        title=lookup(dpath="{page}/title", within=PAGES),
        option=lookup(dpath="{page}/option", within=PAGES),
        whose=lookup(dpath="{page}/whose", within=PAGES),
    message:
        "Writing the page of {wildcards.page}"
    shell:
        "python -s {input.program:q} publish.write_page"
        " --template {input.template:q} --title {params.title:q}"
        " {params.option} {input.files:q} --whose={params.whose:q} --output {output:q}"
        " > {log:q} 2>&1"


rule write_claims:
    input:
        program=PROGRAM,
        template=of_workflow("workflow/report/claims.html"),
        parts=TEMPLATES,
        claims=CLAIMS_FILE,
        commands=of_workflow("docs/claims-to-commands.csv"),
        tables=expand(f"{RESULTS}/tables/{{table}}.csv", table=TABLES_OF_CLAIMS),
        # Those of the sweep and of the whole study only where they have been drawn.
        figures=collect(
            f"{RESULTS}/figures/{{figure}}.png",
            figure=[
                figure
                for figure in FIGURES
                if "png" in FORMATS
                and (figure in config["figures"] or exists(f"{HERE}/figures/{figure}.png"))
            ],
        ),
        introduction=of_workflow("workflow/report/first_page.rst"),
    output:
        page=report(
            f"{RESULTS}/report/claims.html",
            caption="../report/tables.rst",
            category="Claims",
            labels={"table": "claims"},
        ),
        first=FIRST_PAGE,
    log:
        f"{RESULTS}/logs/write_claims.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_claims.tsv"
    localrule: True
    conda:
        FIGURES_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=grow(300),
        runtime=grow(5),
    params:
        code=code_of("publish.write_claims"),
        config=settings(
            config,
            "results",
            "seeds",
            "seeds_per_job",
            "variants/*/label",
            "variants_per_job",
            "comparisons",
        ),
        whose=whose_table(HERE, "judge_claims"),
    message:
        "Writing the page of the claims"
    shell:
        "python -s {input.program:q} publish.write_claims"
        " --template {input.template:q} --config <(printf %s {params.config:q})"
        " --claims {input.claims:q} --tables {input.tables:q} --commands {input.commands:q}"
        " --figures {input.figures:q} --whose={params.whose:q} --output {output.page:q}"
        " --introduction {input.introduction:q} --first-page {output.first:q} > {log:q} 2>&1"


rule write_pages:
    input:
        expand(
            f"{RESULTS}/report/{{page}}.html",
            page=[*PAGES, *(["claims"] if "claims" in config else [])],
        ),
    message:
        "The report's pages are in results/report"
