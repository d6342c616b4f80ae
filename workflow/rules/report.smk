"""Report: what Snakemake's `--report` shows beside the figures, as pages that sort and filter.

In:  results/tables/{claims,verdicts}.csv, envs/*.yaml
Out: results/report/{claims,verdicts,environments}.html
"""

# Page -> (title, the option of write_page.py, its files).
PAGES = {
    "verdicts": ("Why two results differ", "--table", f"{RESULTS}/tables/verdicts.csv"),
    "environments": (
        "What the environments are pinned to",
        "--locks",
        sorted({*ENVIRONMENT_FILES.values(), *RELEASE_FILES.values()}),
    ),
}
if "claims" in config:
    PAGES["claims"] = ("The claims of the page", "--table", f"{RESULTS}/tables/claims.csv")
STUDY_CLAIMS = f"{RESULTS}/tables/study_claims.csv"
if Path(STUDY_CLAIMS).is_file():  # only where the whole study has run
    PAGES["study_claims"] = ("The claims that need many seeds", "--table", STUDY_CLAIMS)

for page, (title, option, files) in PAGES.items():

    rule:
        name:
            f"write_{page}_page"
        input:
            script="workflow/scripts/write_page.py",
            code=code_of("workflow/scripts/write_page.py"),
            template="workflow/report/page.html",
            files=files,
        output:
            report(
                f"{RESULTS}/report/{page}.html",
                caption=f"../report/{page}.rst",
                category="Tables",
                labels={"table": page},
            ),
        log:
            f"{RESULTS}/logs/write_{page}_page.log",
        benchmark:
            f"{RESULTS}/benchmarks/write_{page}_page.tsv"
        localrule: True
        conda:
            FIGURES_ENVIRONMENT
        threads: 1
        resources:
            mem_mb=grow(300),
            runtime=grow(5),
        params:
            title=title,
            option=option,
        message:
            f"Writing the page of {page}"
        shell:
            "python -s {input.script} --template {input.template} --title {params.title:q}"
            " {params.option} {input.files} --output {output} > {log} 2>&1"


rule write_pages:
    input:
        expand(f"{RESULTS}/report/{{page}}.html", page=PAGES),
    message:
        "The report's pages are in results/report"
