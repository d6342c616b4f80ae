# The workflow is in workflow/, where its catalog and other workflows look for it.
include: "workflow/Snakefile"


# An included file sets none; as a module, all rules may have other names.
workflow.default_target = workflow.modifier.modify_rulename("all")
