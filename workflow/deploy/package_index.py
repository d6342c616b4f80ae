"""uv, with the package index that the user has set for pip, unless uv has one of its own."""

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any


def uv(
    *arguments: str | Path, python: Path | str = sys.executable, **options: Any
) -> subprocess.CompletedProcess:
    """Run the uv beside a Python; the options are those of `subprocess.run`, `env` what to add."""
    options["env"] = uv_environment(python) | options.get("env", {})
    return subprocess.run([Path(python).with_name("uv"), *arguments], **options)


def uv_environment(python: Path | str = sys.executable) -> dict[str, str]:
    """Return the environment for uv: this one, with pip's index and certificates in uv's terms."""
    translated = {"UV_DEFAULT_INDEX": "index-url", "SSL_CERT_FILE": "cert"}
    if os.environ.get("UV_INDEX_URL"):
        del translated["UV_DEFAULT_INDEX"]
    settings = pip_settings(python) if translated.keys() - os.environ.keys() else {}
    found = {name: settings[key] for name, key in translated.items() if key in settings}
    return {"UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "manual"} | found | os.environ


@cache
def pip_settings(python: Path | str) -> dict[str, str]:
    """Return what `pip config list` tells; the environment wins over files, as it does for pip."""
    command = [python, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    pairs = re.findall(r"^(?:global|install|:env:)\.([\w-]+)='([^']*)'", listed, re.MULTILINE)
    own = {"index-url": "PIP_INDEX_URL", "cert": "PIP_CERT"}
    return dict(pairs) | {k: os.environ[v] for k, v in own.items() if os.environ.get(v)}
