"""What a person sees at a terminal while the workflow runs, and that nothing else is disturbed."""

import contextlib
import os
import pty
import subprocess

import pytest
from repository import ACTIVATE, ROOT
from waiting import HANGS

pytestmark = pytest.mark.slow

ESCAPE = "\033["


def at_terminal(workspace, *arguments):
    """Run the workflow with a pseudo-terminal for all its output; return (status, output)."""
    command = ["snakemake", "--use-conda", "--conda-prefix", str(ROOT / ".snakemake/conda")]
    command = ["bash", "-c", ACTIVATE, str(ROOT), *command, "--cores", "2", *arguments]
    ours, theirs = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        command,
        cwd=workspace.folder,
        env=environ | {"TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    chunks = []
    with contextlib.suppress(OSError):  # what reading gives once the other side is closed
        while chunk := os.read(ours, 65536):
            chunks.append(chunk)
    os.close(ours)
    return process.wait(timeout=HANGS), b"".join(chunks).decode().replace("\r\n", "\n")


def test_terminal_colours_verdicts(finished):
    status, output = at_terminal(finished, "--forcerun", "judge_claims", "--", "judge_claims")
    assert status == 0, output
    assert f"{ESCAPE}32mreproduced" in output
    assert f"{ESCAPE}35mrefuted" in output
