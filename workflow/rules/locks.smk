"""Locks: a bill of materials of each, and what is known against those that always run.

In:  envs/driver.txt, envs/*.yaml; for the audit, an index of vulnerabilities
Out: results/provenance/bills/{environment}.json (CycloneDX); the rule audit shows what is known, and
     fails where anything is known or nothing could be looked up
"""

AUDIT_ENVIRONMENT = "../../envs/audit.yaml"
LOCKS = {Path(file).stem: file for file in workflow_files("envs/*.yaml", "envs/driver.txt")}
BILL = f"{RESULTS}/provenance/bills/{{environment}}.json"


rule write_bill:
    input:
        program=PROGRAM,
        code=code_of("publish.locks"),
        lock=lookup(dpath="{environment}", within=LOCKS),
    output:
        BILL,
    log:
        f"{RESULTS}/logs/write_bill/{{environment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_bill/{{environment}}.tsv"
    localrule: True
    conda:
        AUDIT_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=grow(200),
        runtime=grow(5),
    message:
        "Writing the bill of materials of {wildcards.environment}"
    shell:
        "(python -s {input.program:q} publish.locks {input.lock:q}"
        " | python -s -m cyclonedx_py requirements --output-reproducible --validate"
        " --output-file {output:q} -) > {log:q} 2>&1"


rule write_bills:
    input:
        expand(BILL, environment=LOCKS),
    message:
        "All bills of materials are in results/provenance/bills"


rule audit:
    input:
        program=PROGRAM,
        code=code_of("publish.audit_locks"),
        locks=[LOCKS["driver"], LOCKS["figures"]],
    log:
        f"{RESULTS}/logs/audit.log",
    benchmark:
        f"{RESULTS}/benchmarks/audit.tsv"
    localrule: True
    conda:
        AUDIT_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=grow(300),
        runtime=grow(10),
    message:
        "Looking up what is known against the driver's and the figures' packages"
    shell:
        # Snakemake itself shows the log of a job that failed.
        "python -s {input.program:q} publish.audit_locks {input.locks:q} > {log:q} 2>&1 && cat {log:q}"
