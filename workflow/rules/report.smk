"""Report: what Snakemake's `--report` shows beside the figures, as pages that sort and filter.

In:  results/tables/{claims,verdicts}.csv, envs/*.yaml
Out: results/report/{claims,verdicts,environments}.html
"""

AS_COMMITTED = "The table came with the repository; no run here has made it."
PAGES = {
    "verdicts": {
        "title": "Why two results differ",
        "option": "--table",
        "files": f"{RESULTS}/tables/verdicts.csv",
        "made": f"{RESULTS}/logs/compare_controls.log",
    },
    "environments": {
        "title": "What the environments are pinned to",
        "option": "--locks",
        "files": sources(sorted(set(ALL_ENVIRONMENT_FILES.values()))),
        "made": None,  # no run makes these files
    },
}
if "claims" in config:
    PAGES["claims"] = {
        "title": "The claims of the page",
        "option": "--table",
        "files": f"{RESULTS}/tables/claims.csv",
        "made": f"{RESULTS}/logs/judge_claims.log",
    }


rule write_page:
    input:
        program=PROGRAM,
        code=code_of("publish.write_page"),
        template=of_workflow("workflow/report/page.html"),
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
    localrule: True
    conda:
        FIGURES_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=grow(300),
        runtime=grow(5),
    params:
        title=lookup(dpath="{page}/title", within=PAGES),
        option=lookup(dpath="{page}/option", within=PAGES),
        # Right after cloning, the tables are those of the repository: `made` is not there.
        whose=branch(
            lambda wildcards: (
                not PAGES[wildcards.page]["made"]
                or exists(modified(PAGES[wildcards.page]["made"]))
            ),
            then="",
            otherwise=AS_COMMITTED,
        ),
    message:
        "Writing the page of {wildcards.page}"
    shell:
        "python -s {input.program:q} publish.write_page"
        " --template {input.template:q} --title {params.title:q}"
        " {params.option} {input.files:q} --whose={params.whose:q} --output {output:q}"
        " > {log:q} 2>&1"


rule write_pages:
    input:
        expand(f"{RESULTS}/report/{{page}}.html", page=PAGES),
    message:
        "The report's pages are in results/report"
