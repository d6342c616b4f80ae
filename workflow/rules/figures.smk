"""Figures: SVG, PDF and PNG, the same bytes on every run.

In:  config.yaml (figures, labels), results/tables/*.csv
Out: results/figures/{figure}.{svg,pdf,png}, for each figure below
"""

FORMATS = config["figures"]["formats"]
# Figure -> the one table that it is drawn from; drawn are those that the configuration lists.
TABLE_OF_FIGURE = {
    "weight_sums": "steps",
    "val_loss": "epochs",
    "published_and_measured": "claims",
    "initial_kernels": "initial_kernels",
    "trajectories": "trajectories",
}
# What a figure is told besides its own entry.
FIGURE_SETTINGS = [
    "figures/seed",
    "experiment/loss",
    "environments/*/label",
    "variants/*/label",
    "comparisons",
]
FIGURES = {
    figure: table for figure, table in TABLE_OF_FIGURE.items() if figure in config["figures"]
}

for figure, table in FIGURES.items():

    rule:
        name:
            f"render_{figure}"
        input:
            script=f"workflow/scripts/render_{figure}.py",
            code=code_of(f"workflow/scripts/render_{figure}.py"),
            table=f"{RESULTS}/tables/{table}.csv",
        output:
            figure_files(config, figure, table),
        log:
            f"{RESULTS}/logs/render_{figure}.log",
        benchmark:
            f"{RESULTS}/benchmarks/render_{figure}.tsv"
        group:
            "figure"
        conda:
            FIGURES_ENVIRONMENT
        threads: 1
        resources:
            mem_mb=grow(500),
            runtime=grow(5),
        params:
            config=settings(config, *FIGURE_SETTINGS, f"figures/{figure}"),
        message:
            f"Drawing {figure} from {table}.csv"
        shell:
            "python -s {input.script} --config <(printf %s {params.config:q})"
            " --table {input.table} --output {output} > {log} 2>&1"


rule render_figures:
    input:
        expand(f"{RESULTS}/figures/{{figure}}.{{format}}", figure=FIGURES, format=FORMATS),
    message:
        "All figures are in results/figures"
