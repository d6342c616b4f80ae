# The workflow is in workflow/, where its catalog and other workflows look for it.
include: "workflow/Snakefile"


workflow.default_target = "all"  # an included file sets none
