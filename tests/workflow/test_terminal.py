"""What a person sees at a terminal while the workflow runs, and that nothing else is disturbed."""

import contextlib
import os
import pty
import re
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


def test_terminal_counts_runs_and_colours_verdicts(finished):
    status, output = at_terminal(finished, "--forcerun", "train_runs")
    assert status == 0, output
    todo = re.search(r"^\[ 0:\d\d\] \d+ jobs to do, (\d+) runs in them$", output, re.MULTILINE)
    runs = todo[1]
    assert int(runs) == 6  # two variants in two protocols, two controls
    assert re.search(
        rf"^\[.*\] 0 of {runs} runs done: Training variants1-seed3", output, re.MULTILINE
    )
    assert re.search(rf"^\[.*\] 4 of {runs} runs done: ", output, re.MULTILINE)
    assert f"] All {runs} runs are done\n" in output
    assert "resources:" not in output  # Snakemake's own, longer form
    assert f"{ESCAPE}32mreproduced" in output
    assert f"{ESCAPE}35mrefuted" in output


def test_terminal_says_what_failed_and_how_to_go_on(finished):
    def misspell(config):
        config["variants"]["plain"]["layers"]["between"] = ["Dens"]

    finished.change_config(misspell)
    status, output = at_terminal(finished, "results/tables/runs.csv")
    assert status != 0
    assert "] train_runs failed" in output
    end = output[output.index("The end of results/logs/train_runs/") :]
    assert "  train.job: layer 'Dens': this release" in end
    assert re.search(r"To go on:\n  snakemake --use-conda .* results/tables/runs\.csv\n", end)


@pytest.mark.parametrize("option", ["--quiet", "--printshellcmds"])
def test_options_about_output_keep_the_output_of_snakemake(finished, option):
    figure = "results/figures/val_loss.svg"
    (finished.folder / figure).unlink()
    order = [figure, option] if option == "--quiet" else [option, figure]
    status, output = at_terminal(finished, *order)
    assert status == 0, output
    assert "jobs to do" not in output
    assert "reproduced" in output
    assert (f"{ESCAPE}32mreproduced" in output) == (option != "--quiet")
