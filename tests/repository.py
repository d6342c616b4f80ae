"""What tests and the benchmark share: this repository, copies of it, and smaller experiments."""

import shutil
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
ACTIVATE = '. "$0/.driver/bin/activate" && exec "$@"'


def run_driver(*command, cwd=ROOT, **options):
    """Run a command with the driver environment active; return it finished, output as text."""
    return subprocess.run(
        ["bash", "-c", ACTIVATE, str(ROOT), *map(str, command)],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def copy_repository(target):
    """Copy what git tracks or would track, without committed results; return the copy's path."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in listed.rstrip("\0").split("\0"):
        if (ROOT / name).is_file() and not name.startswith("results/"):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def read_yaml(path):
    """Return the document in a YAML file."""
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def write_yaml(document, path):
    """Write a document as YAML, keys in their order."""
    Path(path).write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def keep_only(folder, environments=(), apis=(), variants=()):
    """Make a copy's experiment smaller: keep these, and the claims that are about them alone.

    An empty selection keeps everything of that kind.
    """
    config = read_yaml(folder / "config.yaml")
    for key, wanted in (("environments", environments), ("variants", variants)):
        config[key] = {name: entry for name, entry in config[key].items() if kept(name, wanted)}
    for entry in config["environments"].values():
        entry["apis"] = [api for api in entry["apis"] if kept(api, apis)]
    drawn = config["figures"]["weight_sums"]
    drawn["variants"] = [name for name in drawn["variants"] if kept(name, variants)]
    drawn["variants"] = drawn["variants"] or list(config["variants"])[:1]
    write_yaml(config, folder / "config.yaml")
    document = read_yaml(folder / "claims.yaml")
    document["claims"] = [
        claim
        for claim in document["claims"]
        if all(
            kept(cell["environment"], environments) and kept(cell["variant"], variants)
            for cell in claim.get("cells", [])
        )
    ]
    write_yaml(document, folder / "claims.yaml")


def kept(name, wanted):
    """Tell whether a selection keeps a name."""
    return not wanted or name in wanted
