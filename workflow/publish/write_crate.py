"""Pack a finished run as an RO-Crate (profile: Workflow Run Crate), one archive."""

import argparse
import hashlib
import json
import mimetypes
from pathlib import Path

from plan.documents import read_yaml
from rocrate.model.computationalworkflow import ComputationalWorkflow
from rocrate.model.contextentity import ContextEntity
from rocrate.model.person import Person
from rocrate.rocrate import ROCrate

ROOT = Path(__file__).resolve().parents[2]  # the workflow's repository
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
# A term that the context of RO-Crate 1.1 lacks; given here, so that nothing has to be looked up.
TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
LICENCES = "https://spdx.org/licenses/"
MEDIA_TYPES = {".yaml": "application/yaml", ".py": "text/x-python", ".smk": "text/plain"}
MEDIA_TYPES |= {".csv": "text/csv", ".md": "text/markdown", ".cff": "application/yaml"}


def main():
    """Gather workflow, inputs and results with their hashes, and write the archive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="run.json")
    parser.add_argument("--inputs", nargs="+", required=True, help="configuration, claims, locks")
    parser.add_argument("--results", nargs="+", required=True, help="tables, figures, lists")
    parser.add_argument("--workflow", nargs="+", required=True, help="Snakefile, then its parts")
    parser.add_argument("--citation", type=Path, required=True, help="CITATION.cff")
    parser.add_argument("--output", type=Path, required=True, help="the archive, .zip")
    options = parser.parse_args()
    run = json.loads(options.run.read_text(encoding="utf-8"))
    citation = read_yaml(options.citation)
    crate = start_crate(citation)
    inputs = [add_file(crate, path) for path in options.inputs]
    results = [add_file(crate, path) for path in options.results]
    workflow = add_workflow(crate, options.workflow, citation, run)
    action = add_action(crate, workflow, run, citation)
    action["object"] = inputs + add_settings(crate, run)
    action["result"] = results
    crate.write_zip(options.output)


def start_crate(citation):
    """Return an empty crate with title, licence, authors and profiles."""
    crate = ROCrate(version="1.1")
    crate.metadata.extra_contexts.append(TERMS)
    crate.name, _, crate.description = citation["title"].partition(": ")
    crate.license = crate.add(
        ContextEntity(
            crate,
            LICENCES + citation["license"],
            {"@type": "CreativeWork", "name": citation["license"]},
        )
    )
    crate.root_dataset["conformsTo"] = [
        crate.add(
            ContextEntity(
                crate, address, {"@type": "CreativeWork", "name": name, "version": version}
            )
        )
        for address, (name, version) in PROFILES.items()
    ]
    crate.root_dataset["author"] = [add_author(crate, author) for author in citation["authors"]]
    return crate


def add_author(crate, author):
    """Add one of the authors of CITATION.cff."""
    names = [author.get(key) for key in ("given-names", "family-names", "name")]
    name = " ".join(filter(None, names))
    return crate.add(Person(crate, f"#{name.replace(' ', '-').lower()}", {"name": name}))


def add_file(crate, path):
    """Add a file, with its size, type and SHA-256."""
    path = Path(path)
    content = path.read_bytes()
    kind = MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path)[0] or "text/plain"
    return crate.add_file(
        path,
        name_in_crate(path),
        properties={
            "name": path.name,
            "contentSize": str(len(content)),
            "encodingFormat": kind,
            "sha256": hashlib.sha256(content).hexdigest(),
        },
    )


def name_in_crate(path):
    """Return a file's place in the archive: as in the repository, else as in the working folder."""
    full = Path(path).resolve()
    inside = [folder for folder in (ROOT, Path.cwd()) if full.is_relative_to(folder)]
    return str(full.relative_to(inside[0])) if inside else full.name


def add_workflow(crate, files, citation, run):
    """Add the Snakefile as the crate's workflow, and what it is made of."""
    main, *parts = files
    language = ContextEntity(
        crate,
        "https://w3id.org/workflowhub/workflow-ro-crate#snakemake",
        {
            "@type": "ComputerLanguage",
            "name": "Snakemake",
            "identifier": {"@id": "https://snakemake.github.io"},
            "url": {"@id": "https://snakemake.github.io"},
            "version": run["snakemake"],
        },
    )
    git = run["git"] or {"commit": "unknown", "dirty": False}
    workflow = ComputationalWorkflow(
        crate, main, name_in_crate(main), properties={"name": citation["title"]}
    )
    crate.mainEntity = crate.add(workflow)
    workflow["programmingLanguage"] = crate.add(language)
    workflow["version"] = git["commit"] + (" with changes" if git["dirty"] else "")
    workflow["sha256"] = hashlib.sha256(Path(main).read_bytes()).hexdigest()
    workflow["license"] = crate.license
    workflow["hasPart"] = [add_file(crate, part) for part in parts]
    return workflow


def add_action(crate, workflow, run, citation):
    """Add the run itself: what was executed, by what, when, on which machine."""
    machine = run["machine"]
    description = f"On {machine['cpu_model']} ({machine['cpu_instructions']}), {machine['system']}."
    action = crate.add(
        ContextEntity(
            crate,
            "#run",
            {
                "@type": "CreateAction",
                "name": f"Run of {citation['title']}",
                "description": description,
                "startTime": run["started"],
                "endTime": run["ended"],
                "actionStatus": "http://schema.org/CompletedActionStatus",
            },
        )
    )
    action["instrument"] = workflow
    action["agent"] = crate.root_dataset["author"]
    crate.root_dataset["mentions"] = [action]
    return action


def add_settings(crate, run):
    """Add what a command line may change in the configuration, as values."""
    settings = {
        "threads_per_training": run["threads_per_training"],
        "seeds": run["config"]["seeds"],
    }
    return [
        crate.add(
            ContextEntity(
                crate,
                f"#{name}",
                {"@type": "PropertyValue", "name": name, "value": json.dumps(value)},
            )
        )
        for name, value in settings.items()
    ]
