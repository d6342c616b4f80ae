"""Paper: the reproduction note as PDF, every number in it read from the tables.

In:  paper/*.typ, results/provenance/config.yaml, results/tables/*.csv, results/figures/*.svg
Out: results/paper/note.pdf, the same bytes on every run; results/paper/numbers.csv: the table, line,
     column and value behind each number of the note
"""

from publish.summary import made_here

# The tables of the note, each with the rule that makes it.
TABLES_OF_NOTE = {
    "claims": "judge_claims",
    **dict.fromkeys(
        ["verdicts", "identity_layers", "crossed", "spread", "processor"], "compare_controls"
    ),
    "releases": "compare_releases",
}
FIGURES_OF_NOTE = ["weight_sums", "initial_kernels", "releases"]
if "study" in config:
    TABLES_OF_NOTE["effects"] = "collect_study"
if "seeds" in config["figures"]:
    FIGURES_OF_NOTE.append("seeds")


rule set_paper:
    input:
        program=PROGRAM,
        source=of_workflow("paper/note.typ"),
        parts=workflow_files(
            *("paper/tables.typ", "paper/study.typ"),
            *("CITATION.cff", "workflow/schemas/figures.yaml"),
        ),
        config=MERGED_CONFIG,
        tables=expand(f"{RESULTS}/tables/{{table}}.csv", table=TABLES_OF_NOTE),
        figures=expand(f"{RESULTS}/figures/{{figure}}.svg", figure=FIGURES_OF_NOTE),
    output:
        note=f"{RESULTS}/paper/note.pdf",
        numbers=f"{RESULTS}/paper/numbers.csv",
    log:
        f"{RESULTS}/logs/set_paper.log",
    benchmark:
        f"{RESULTS}/benchmarks/set_paper.tsv"
    localrule: True
    conda:
        "../envs/paper.yaml"
    threads: 1
    resources:
        mem_mb=grow(500),
        runtime=grow(5),
    params:
        code=code_of("publish.set_paper"),
        results=subpath(input.config, ancestor=2),
        study="yes" if "study" in config else "no",
        made=",".join(table for table, rule in TABLES_OF_NOTE.items() if made_here(HERE, rule)),
        all=",".join(TABLES_OF_NOTE),
    message:
        "Setting the reproduction note"
    shell:
        "python -s {input.program:q} publish.set_paper"
        " --source {input.source:q} --results {params.results:q}"
        " --inputs study={params.study} made={params.made} tables={params.all}"
        " --output {output.note:q} > {log:q} 2>&1"
