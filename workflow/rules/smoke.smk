"""Smoke: the claims marked `smoke` alone, from the runs that the whole experiment trains, too.

In:  claims.yaml, the records of the training jobs that these claims rest on
Out: results/smoke/tables/{runs,epochs,steps,layers,claims}.csv
"""

SMOKE = f"{RESULTS}/smoke"


use rule collect_tables as collect_smoke with:
    input:
        program=PROGRAM,
        code=code_of("judge.records"),
        records=smoke_files(config, TRAINING_JOBS, CLAIMS),
    output:
        **{table: f"{SMOKE}/tables/{table}.csv" for table in TABLES},
    log:
        f"{SMOKE}/logs/collect_tables.log",
    benchmark:
        f"{SMOKE}/benchmarks/collect_tables.tsv"
    message:
        "Collecting the records of the smoke test into tables"


use rule judge_claims as judge_smoke with:
    input:
        program=PROGRAM,
        code=code_of("judge.claims", *modules_of(CLAIMS)),
        claims=CLAIMS_FILE,
        tables=[rules.collect_smoke.output.runs, rules.collect_smoke.output.layers],
        effects=[],
    output:
        f"{SMOKE}/tables/claims.csv",
    log:
        f"{SMOKE}/logs/judge_claims.log",
    benchmark:
        f"{SMOKE}/benchmarks/judge_claims.tsv"
    params:
        only=[claim["id"] for claim in CLAIMS if claim.get("smoke")],
    message:
        "Judging the claims of the smoke test"


rule smoke:
    input:
        rules.judge_smoke.output,
    message:
        "The published numbers are judged"
