"""Figures: SVG, PDF and PNG, the same bytes on every run.

In:  config.yaml (figures, labels), results/tables/*.csv
Out: results/figures/{figure}.{svg,pdf,png}, for each figure below
"""

# Figure -> the tables that it is drawn from. The default run draws those that the configuration
# lists; the others belong to the targets `study` and `sweep`.
FIGURES = {
    "weight_sums": ["steps"],
    "val_loss": ["epochs"],
    "published_and_measured": ["claims"],
    "initial_kernels": ["initial_kernels"],
    "trajectories": ["trajectories"],
    "seeds": ["percentiles", "study_cells", "yardsticks"],
    "bn_effect": ["sensitivity_effects"],
    "activation_pairs": ["sensitivity_cells", "sensitivity_effects"],
    "releases": ["releases"],
}
# What a figure is told of the configuration besides its own entry and the labels.
FIGURE_SETTINGS = {
    "initial_kernels": "comparisons",
    "trajectories": "comparisons/*/label",
    "releases": "sweep",
}
LABELS = ["figures/seed", "experiment/loss", "environments/*/label", "variants/*/label"]
FORMATS = config["figures"]["formats"]
SHOWN = "svg" if "svg" in FORMATS else FORMATS[0]  # in the report: sharp at every size of a window
FIGURE_FILES = expand(
    f"{RESULTS}/figures/{{figure}}.{{format}}", format=FORMATS, allow_missing=True
)


rule render_figure:
    input:
        script="workflow/scripts/render_{figure}.py",
        code=lambda wildcards: code_of(f"workflow/scripts/render_{wildcards.figure}.py"),
        tables=collect(
            f"{RESULTS}/tables/{{table}}.csv", table=lookup(dpath="{figure}", within=FIGURES)
        ),
    output:
        report(
            f"{RESULTS}/figures/{{figure}}.{SHOWN}",
            caption="../report/figures.rst",
            category="Figures",
            labels=lambda wildcards: {
                "figure": wildcards.figure.replace("_", " "),
                "from": ", ".join(FIGURES[wildcards.figure]),
            },
        ),
        [file for file in FIGURE_FILES if not file.endswith(SHOWN)],
    log:
        f"{RESULTS}/logs/render_figure/{{figure}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/render_figure/{{figure}}.tsv"
    group:
        "figure"
    conda:
        FIGURES_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=grow(500),
        runtime=grow(5),
    params:
        config=lambda wildcards: settings(
            config,
            *LABELS,
            f"figures/{wildcards.figure}",
            FIGURE_SETTINGS.get(wildcards.figure, "figures/seed"),
        ),
    message:
        "Drawing {wildcards.figure}"
    shell:
        "python -s {input.script:q} --config <(printf %s {params.config:q})"
        " --table {input.tables:q} --output {output:q} > {log:q} 2>&1"


rule render_figures:
    input:
        expand(FIGURE_FILES, figure=[figure for figure in FIGURES if figure in config["figures"]]),
    message:
        "All figures are in results/figures"
