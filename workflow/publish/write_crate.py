"""Pack a finished run as an RO-Crate (profile: Provenance Run Crate), one archive."""

import argparse
import hashlib
import json
import mimetypes
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from plan.documents import read_yaml
from rocrate.model import ContextEntity, Entity
from rocrate.rocrate import ROCrate

ROOT = Path(__file__).resolve().parents[2]  # the workflow's repository
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
# A term that the context of RO-Crate 1.1 lacks; given here, so that nothing has to be looked up.
TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
LICENCES = "https://spdx.org/licenses/"
MEDIA_TYPES = {".yaml": "application/yaml", ".py": "text/x-python", ".smk": "text/plain"}
MEDIA_TYPES |= {".csv": "text/csv", ".md": "text/markdown", ".cff": "application/yaml"}
MEDIA_TYPES |= {".jsonl": "application/jsonl"}
DESCRIPTION = "On {cpu_model} ({cpu_instructions}), {system}."
COMPLETED = {"actionStatus": "http://schema.org/CompletedActionStatus"}


def main() -> None:
    """Gather workflow, inputs, results and records with their hashes, and write the archive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="run.json")
    parser.add_argument("--jobs", type=Path, required=True, help="jobs.json")
    parser.add_argument("--inputs", nargs="+", required=True, help="configuration, claims, locks")
    parser.add_argument("--results", nargs="+", required=True, help="tables, figures, lists")
    parser.add_argument("--workflow", nargs="+", required=True, help="Snakefile, then its parts")
    parser.add_argument("--citation", type=Path, required=True, help="CITATION.cff")
    parser.add_argument("--output", type=Path, required=True, help="the archive, .zip")
    options = parser.parse_args()
    run, jobs = (json.loads(path.read_text("utf-8")) for path in (options.run, options.jobs))
    citation = read_yaml(options.citation)
    crate = start_crate(citation)
    workflow = add_workflow(crate, options.workflow, citation, run)
    action = crate.add_action(
        workflow,
        "#run",
        [*add_files(crate, options.inputs), *add_settings(crate, run)],
        add_files(crate, options.results),
        {
            "name": f"Run of {citation['title']}",
            "description": DESCRIPTION.format_map(run["machine"]),
            "startTime": run["started"],
            "endTime": run["ended"],
            **COMPLETED,
        },
    )
    action["agent"] = crate.root_dataset["author"]
    crate.root_dataset["mentions"] = [action]
    add_jobs(crate, workflow, action, jobs)
    crate.write_zip(options.output)


def start_crate(citation: dict[str, Any]) -> ROCrate:
    """Return an empty crate with title, licence, authors and profiles."""
    crate = ROCrate(version="1.1")
    crate.metadata.extra_contexts.append(TERMS)
    crate.name, _, crate.description = citation["title"].partition(": ")
    licence = citation["license"]
    crate.license = add(crate, LICENCES + licence, "CreativeWork", name=licence)
    crate.root_dataset["conformsTo"] = [
        add(crate, address, "CreativeWork", name=name, version=version)
        for address, (name, version) in PROFILES.items()
    ]
    names = [
        " ".join(author[key] for key in ("given-names", "family-names", "name") if key in author)
        for author in citation["authors"]
    ]
    crate.root_dataset["author"] = [
        add(crate, f"#{name.replace(' ', '-').lower()}", "Person", name=name) for name in names
    ]
    return crate


def add(crate: ROCrate, identifier: str, kind: str, /, **properties: Any) -> Entity:
    """Add an entity that is no file, unless the crate has the entity; return the entity."""
    known = crate.dereference(identifier)
    return known or crate.add(ContextEntity(crate, identifier, {"@type": kind, **properties}))


def add_files(crate: ROCrate, paths: Iterable[str | Path]) -> list[Entity]:
    """Add files with their size, type and SHA-256, unless the crate has them; return them."""
    return [
        crate.dereference(name_in_crate(path))
        or crate.add_file(path, name_in_crate(path), properties=describe(Path(path)))
        for path in paths
    ]


def describe(path: Path) -> dict[str, str]:
    """Return what a crate says of a file."""
    content = path.read_bytes()
    return {
        "name": path.name,
        "contentSize": str(len(content)),
        "encodingFormat": MEDIA_TYPES.get(path.suffix)
        or mimetypes.guess_type(path)[0]
        or "text/plain",
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def name_in_crate(path: str | Path) -> str:
    """Return a file's place in the archive: as in the repository, else as in the working folder."""
    full = Path(path).resolve()
    inside = [folder for folder in (ROOT, Path.cwd()) if full.is_relative_to(folder)]
    return str(full.relative_to(inside[0])) if inside else full.name


def add_workflow(crate: ROCrate, files: list[str], citation: dict, run: dict) -> Entity:
    """Add the Snakefile as the crate's workflow, and the files of the workflow."""
    main, *parts = files
    git = run["git"] or {"commit": "unknown", "dirty": False}
    workflow = crate.add_workflow(
        main,
        name_in_crate(main),
        main=True,
        lang="snakemake",
        lang_version=run["snakemake"],
        properties={
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
            "name": citation["title"],
            "version": git["commit"] + (" with changes" if git["dirty"] else ""),
            "sha256": describe(Path(main))["sha256"],
        },
    )
    workflow["license"] = crate.license
    add_files(crate, parts)
    return workflow


def add_settings(crate: ROCrate, run: dict[str, Any]) -> list[Entity]:
    """Add the settings that a command line may change, as values."""
    settings = {
        "threads_per_training": run["threads_per_training"],
        "seeds": run["config"]["seeds"],
    }
    return [
        add(crate, f"#{name}", "PropertyValue", name=name, value=json.dumps(value))
        for name, value in settings.items()
    ]


def add_jobs(crate: ROCrate, workflow: Entity, run: Entity, jobs: list[dict[str, Any]]) -> None:
    """Add an action for each job, and the step of the job: a rule in an environment."""
    tools: dict[Entity, Entity] = {}  # {what was run: its step of the workflow}
    controls = []
    for number, job in enumerate(jobs, 1):
        name = f"{job['rule']} in {Path(job['lock']).stem}"
        tool = add(crate, f"#{name.replace(' ', '-')}", "SoftwareApplication", name=name)
        if tool not in tools:
            (tool["softwareRequirements"],) = add_files(crate, [job["lock"]])
            tool["softwareVersion"] = workflow["version"]
            tools[tool] = add(crate, f"{tool.id}-step", "HowToStep", name=name)
            tools[tool]["workExample"] = tool
        name = " ".join([job["rule"], *job["wildcards"].values()])
        action = crate.add_action(
            tool,
            f"#job-{number}",
            add_files(crate, job["input"]),
            add_files(crate, job["output"]),
            {"name": name, "startTime": job["started"], "endTime": job["ended"], **COMPLETED},
        )
        step = {"@type": "ControlAction", "name": name, **COMPLETED}
        controls.append(crate.add_action(tools[tool], f"#step-{number}", action, None, step))
        crate.root_dataset.append_to("mentions", action)
    workflow["hasPart"] = [*tools]  # the profile wants tools only there
    workflow["step"] = [*tools.values()]
    engine = add(crate, "#engine", "SoftwareApplication", name="Snakemake")
    engine["softwareVersion"] = workflow["programmingLanguage"]["version"]
    organized = {"@type": "OrganizeAction", "name": "Snakemake", **COMPLETED}
    crate.add_action(engine, "#organized", controls, run, organized)
