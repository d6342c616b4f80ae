"""Validate an RO-Crate against the profile Provenance Run Crate; no network is used.

The validator brings the profile. The one address that it still looks up, the JSON-LD context of
RO-Crate 1.1, is answered from a cache that holds the copy that the rocrate library brings. Needs
the environment of envs/crate.yaml.
"""

import argparse
import hashlib
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
from rocrate.rocrate import ROCrate
from urllib3 import HTTPResponse

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
PROFILE = "provenance-run-crate-0.5"


def main() -> None:
    """Check the hashes, then validate; exit with the validator's status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("crate", type=Path, help="folder or .zip")
    options = parser.parse_args()
    count = check_hashes(options.crate)
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder, "cache")
        remember(cache, CONTEXT, files("rocrate").joinpath("data/ro-crate.jsonld").read_bytes())
        command = [str(Path(sys.executable).with_name("rocrate-validator")), "--no-interactive"]
        command += ["--disable-color", "validate", str(options.crate), "--offline"]
        command += ["--cache-path", str(cache), "--skip-availability-check", "--no-paging"]
        command += ["--profile-identifier", PROFILE, "--verbose"]
        print(f"All {count} files are there, each with its SHA-256.", flush=True)
        sys.exit(subprocess.run(command, env=os.environ | {"COLUMNS": "100"}).returncode)


def check_hashes(path: Path) -> int:
    """Open a crate; return how many files it has.

    Raises ValueError for a file that is missing or has not the content that the crate says.
    """
    files = [entity for entity in ROCrate(path).data_entities if "sha256" in entity]
    for entity in files:
        source = Path(entity.source)
        found = hashlib.sha256(source.read_bytes()).hexdigest() if source.is_file() else "no file"
        if found != entity["sha256"]:
            raise ValueError(f"{path}: {entity.id}: expected {entity['sha256']}, found {found}")
    return len(files)


def remember(cache: Path, address: str, content: bytes) -> None:
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


if __name__ == "__main__":
    main()
