"""Figures: SVG, PDF and PNG, the same bytes on every run.

In:  results/provenance/config.yaml, results/tables/*.csv
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
FIGURES = {
    figure: table for figure, table in TABLE_OF_FIGURE.items() if figure in config["figures"]
}

for figure, table in FIGURES.items():

    rule:
        name:
            f"render_{figure}"
        input:
            script=f"workflow/scripts/render_{figure}.py",
            code="workflow/scripts/bnyesno/figures.py",
            config=rules.write_config.output,
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
        message:
            f"Drawing {figure} from {table}.csv"
        shell:
            "python -s {input.script} --config {input.config} --table {input.table}"
            " --output {output} > {log} 2>&1"


rule render_figures:
    input:
        expand(f"{RESULTS}/figures/{{figure}}.{{format}}", figure=FIGURES, format=FORMATS),
    message:
        "All figures are in results/figures"
