"""Environment files, and where channels are: what the front-end honours of conda's settings.

`channel_alias` and `custom_channels` are read from the files that conda reads them from (`CONDARC`,
`.condarc` in the home folder, ...), so that a mirror set up for conda serves here too; the file
that our set-up writes where conda-forge does not answer comes last.
"""

import os
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
ALIAS = "https://conda.anaconda.org"


def condarc_files() -> list[Path]:
    """Return configuration files, the one that wins first."""
    home = Path.home()
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [home / ".condarc", home / ".conda/condarc", home / ".conda/.condarc"]
    files += [settings / "conda/.condarc", Path("/etc/conda/.condarc")]
    files = [Path(os.environ["CONDARC"]), *files] if os.environ.get("CONDARC") else files
    return [*files, ROOT / ".driver/condarc"]


def read_settings(files: list[Path]) -> dict:
    """Merge `channel_alias` and `custom_channels` of the files."""
    merged: dict[str, Any] = {"channel_alias": ALIAS, "custom_channels": {}}
    for path in reversed([path for path in files if path.is_file()]):
        found = yaml.safe_load(path.read_text()) or {}
        merged["custom_channels"] |= found.get("custom_channels") or {}
        merged["channel_alias"] = found.get("channel_alias") or merged["channel_alias"]
    if os.environ.get("CONDA_CHANNEL_ALIAS"):
        merged["channel_alias"] = os.environ["CONDA_CHANNEL_ALIAS"]
    return merged


def channel_url(name: str, settings: dict) -> str:
    """Return the address of a channel, as conda would find it."""
    if "://" in name:
        return name.rstrip("/")
    if name.startswith(("/", ".", "~")):
        return Path(name).expanduser().resolve().as_uri()
    base = settings["custom_channels"].get(name, settings["channel_alias"])
    base = base if "://" in base else Path(base).as_uri()
    return f"{base.rstrip('/')}/{name}"


def channel_urls(names: list[str]) -> list[str]:
    """Addresses of an environment file's channels."""
    settings = read_settings(condarc_files())
    return [channel_url(name, settings) for name in names or ["conda-forge"]]


def read_environment(file: Path) -> tuple[list[str], list[str], list[str]]:
    """Return the channels, conda specs and pip lines of an environment file."""
    content = yaml.safe_load(file.read_text()) or {}
    dependencies = content.get("dependencies") or []
    specs = [entry for entry in dependencies if isinstance(entry, str)]
    pip = [line for entry in dependencies if isinstance(entry, dict) for line in entry["pip"]]
    return content.get("channels") or [], specs, pip
