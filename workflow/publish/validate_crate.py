"""Validate an RO-Crate against the profile Workflow Run Crate; no network is used.

The validator brings the profile. The one address that it still looks up, the JSON-LD context of
RO-Crate 1.1, is answered from a cache that holds the copy that the rocrate library brings.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from importlib.resources import files
from io import BytesIO
from pathlib import Path

from requests import Request, Response
from requests.structures import CaseInsensitiveDict
from requests_cache import CachedSession
from urllib3 import HTTPResponse

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
PROFILE = "workflow-run-crate-0.5"


def main():
    """Validate, print what the validator says, and keep it; exit with its status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("crate", type=Path, help="folder or .zip")
    parser.add_argument("--output", type=Path, help="write what the validator says, if it is valid")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder, "cache")
        remember(cache, CONTEXT, files("rocrate").joinpath("data/ro-crate.jsonld").read_bytes())
        command = [Path(sys.executable).with_name("rocrate-validator"), "--no-interactive"]
        command += ["--disable-color", "validate", options.crate, "--offline"]
        command += ["--cache-path", cache, "--skip-availability-check", "--no-paging"]
        command += ["--profile-identifier", PROFILE, "--verbose"]
        done = subprocess.run(
            command,
            env=os.environ | {"COLUMNS": "100"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    said = "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n"
    print(said)
    if done.returncode == 0 and options.output:
        options.output.write_text(said, encoding="utf-8")
    sys.exit(done.returncode)


def remember(cache, address, content):
    """Put the answer to a request into a cache, as if it had been asked."""
    kind = {"Content-Type": "application/ld+json"}
    response = Response()
    response.status_code, response.url, response.headers = 200, address, CaseInsensitiveDict(kind)
    response.request = Request("GET", address).prepare()
    response.raw = HTTPResponse(
        BytesIO(content), kind, status=200, preload_content=False, request_url=address
    )
    with CachedSession(str(cache)) as session:
        session.cache.save_response(response)
