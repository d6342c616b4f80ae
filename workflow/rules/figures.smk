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


# Those of the sweep and of the whole study are drawn by `make figures` where their tables are there.
DRAWN_FROM = {
    figure: expand(f"{RESULTS}/tables/{{table}}.csv", table=entry["tables"])
    for figure, entry in FIGURES.items()
}
DRAWN = [
    figure
    for figure, tables in DRAWN_FROM.items()
    if figure in config["figures"] or any(map(exists, tables))
]
# What each is told of the configuration.
TOLD = {
    figure: settings(config, *LABELS, f"figures/{figure}", *entry["settings"])
    for figure, entry in FIGURES.items()
}


rule render_figure:
    input:
        program=PROGRAM,
        tables=lookup(dpath="{figure}", within=DRAWN_FROM),
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
        code=lambda wildcards: code_of("plot.figures", FIGURES[wildcards.figure]["module"]),
        module=lookup(dpath="{figure}/module", within=FIGURES),
        config=lookup(dpath="{figure}", within=TOLD),
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


# `make figures`: all of them in forks of one process, as imports take longer than a figure. The rule
# has no outputs: what Snakemake knows of a figure is how `render_figure` makes it.
rule redraw_figures:
    input:
        program=PROGRAM,
        tables=sorted({table for figure in DRAWN for table in DRAWN_FROM[figure]}),
    log:
        expand(f"{RESULTS}/logs/render_figure/{{figure}}.log", figure=DRAWN),
    benchmark:
        f"{RESULTS}/benchmarks/redraw_figures.tsv"
    localrule: True
    conda:
        FIGURES_ENVIRONMENT
    threads: 4
    resources:
        mem_mb=grow(1000),
        runtime=grow(5),
    params:
        code=code_of("plot.all_figures", *(FIGURES[figure]["module"] for figure in DRAWN)),
        figures=json.dumps(
            [
                [
                    FIGURES[figure]["module"],
                    TOLD[figure],
                    DRAWN_FROM[figure],
                    expand(FIGURE_FILES, figure=figure),
                ]
                for figure in DRAWN
            ]
        ),
    message:
        "Plotting all figures"
    shell:
        "python -s {input.program:q} plot.all_figures --processes {threads}"
        " <(printf %s {params.figures:q}) 2>&1 | tee {log:q} > /dev/null"
