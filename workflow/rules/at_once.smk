"""At once: runs beside each other, a run that was killed or told to end, files that were cut since.

In:  .snakemake, the folder of conda environments
Out: lock files there, removed at the end of the run
"""

ENVIRONMENTS_FOLDER = Path(workflow.deployment_settings.conda_prefix or ".snakemake/conda")
MADE_BY_CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method

if workflow.is_main_process and not workflow.output_settings.dryrun:
    HELD = at_once.prepare(
        ENVIRONMENTS_FOLDER if MADE_BY_CONDA else None,
        map(Path, ALL_ENVIRONMENT_FILES.values()),
    )
    # As a module, this workflow has no onstart: others may make environments from now on.
    for lock in HELD[1:] if workflow.modifier.is_module else []:
        lock.release()
if workflow.is_main_process:
    for sentence in whole.set_aside(only_tell=workflow.output_settings.dryrun):
        print(sentence, file=sys.stderr)
elif at_once.belongs_to_an_ended_run():
    raise WorkflowError("This job belongs to a run of Snakemake that has ended: nothing is done.")


onstart:
    at_once.begin(*HELD)


onerror:
    print(at_once.how_to_go_on(sys.argv[1:], RESULTS, log), file=sys.stderr)
