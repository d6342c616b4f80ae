"""Source: where the files of the workflow are on this disk, whatever its Snakefile is read from.

In:  the place of the Snakefile: a folder, or a git repository (github(...), gitlab(...), git+file:)
Out: .snakemake/source/{commit}, a clone, where that place is no folder
"""

import os
import subprocess
import sys

SOURCE = workflow.current_basedir
if hasattr(SOURCE, "ref"):
    # Snakemake caches single files of a repository; the modules of the workflow need each other.
    git = ["git", "-C", str(SOURCE.repo_path if SOURCE.is_local else SOURCE.hosted_repo.repo_clone)]
    asked = [*git, "rev-parse", "--verify", f"{SOURCE.ref}^{{commit}}"]
    commit = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    SOURCE = Path(".snakemake/source", commit, "workflow/rules")
    if not SOURCE.exists():
        clone = Path(f".snakemake/source/{commit}.{os.getpid()}")
        subprocess.run(
            [*git, "clone", "--quiet", "--no-checkout", ".", clone.absolute()], check=True
        )
        subprocess.run(["git", "-C", clone, "checkout", "--quiet", commit], check=True)
        clone.rename(SOURCE.parents[1])  # the clone is there as a whole or not at all
sys.path[:0] = [os.path.realpath(f"{SOURCE}/{folder}") for folder in ("..", "../..")]

from plan.places import ROOT, amend, find_files, of_workflow, source, sources, workflow_files
