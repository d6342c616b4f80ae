"""What is to be run, in Snakemake's process: the checked configuration, the plan of each job."""
