"""Figures: SVG, PDF and PNG, the same bytes on every run.

In:  config.yaml (figures, labels), results/tables/*.csv
Out: results/figures/{figure}.{svg,pdf,png}, for each figure below
"""

from plan.documents import read_schema

FIGURES = read_schema("figures.yaml")
LABELS = ["seed", "experiment/loss", "environments/*/label", "variants/*/label"]
FORMATS = config["figures"]["formats"]
SHOWN = "svg" if "svg" in FORMATS else FORMATS[0]  # in the report: sharp at every size of a window
FIGURE_FILES = expand(
    f"{RESULTS}/figures/{{figure}}.{{format}}", format=FORMATS, allow_missing=True
)


rule render_figure:
    input:
        program=PROGRAM,
        code=lambda wildcards: code_of("plot.figures", FIGURES[wildcards.figure]["module"]),
        tables=collect(
            f"{RESULTS}/tables/{{table}}.csv",
            table=lookup(dpath="{figure}/tables", within=FIGURES),
        ),
    output:
        report(
            f"{RESULTS}/figures/{{figure}}.{SHOWN}",
            caption="../report/figures.rst",
            category="Figures",
            labels=lambda wildcards: {
                "figure": wildcards.figure.replace("_", " "),
                "from": ", ".join(FIGURES[wildcards.figure]["tables"]),
            },
        ),
        [file for file in FIGURE_FILES if not file.endswith(SHOWN)],
    log:
        f"{RESULTS}/logs/render_figure/{{figure}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/render_figure/{{figure}}.tsv"
    priority: 3
    group:
        "figure"
    conda:
        FIGURES_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=grow(500),
        runtime=grow(5),
    params:
        module=lookup(dpath="{figure}/module", within=FIGURES),
        config=lambda wildcards: settings(
            config,
            *LABELS,
            f"figures/{wildcards.figure}",
            *FIGURES[wildcards.figure]["settings"],
        ),
    message:
        "Plotting {wildcards.figure}"
    shell:
        "python -s {input.program:q} plot.figures --module {params.module} --config <(printf %s {params.config:q})"
        " --table {input.tables:q} --output {output:q} > {log:q} 2>&1"


rule render_figures:
    input:
        expand(FIGURE_FILES, figure=[figure for figure in FIGURES if figure in config["figures"]]),
    message:
        "All figures are in results/figures"
