"""Two pages, followed literally: their commands one by one, their files, their output.

In docs/your-own.md and docs/own-experiment.md a block `sh` is run; the next block `text` is what
it prints (among more; … stands for any text). A block `python` or `yaml` is (part of) the file that
the lines above it name.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest
from judge.tables import read_table
from repository import ROOT, copy_repository
from waiting import HANGS

TUTORIAL, EXPERIMENT = "docs/your-own.md", "docs/own-experiment.md"
CAUSES = {
    "dropout_0_in_1_14": "draws",
    "dropout_0_in_2_0": "no difference",
    "dropout_20_in_2_0": "computation",
    "training_rows_in_2_0": "evaluation",
}


def blocks(page):
    """Return (kind, text) of every block of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def steps(page):
    """Yield (commands, the lines they have to print) in the order of a page."""
    commands = None
    for kind, text in blocks(page):
        if kind == "sh":
            if commands is not None:
                yield commands, []
            commands = text
        elif kind == "text" and commands is not None:
            yield commands, [line for line in text.splitlines() if line.strip()]
            commands = None
    if commands is not None:
        yield commands, []


def test_shown_files_are_the_real_ones():
    module = (ROOT / "examples/classifier/experiment.py").read_text(encoding="utf-8")
    config = (ROOT / "examples/classifier/config.yaml").read_text(encoding="utf-8")
    assert [text for kind, text in blocks(EXPERIMENT) if kind == "python"] == [module]
    pieces = [text for kind, text in blocks(EXPERIMENT) if kind == "yaml"]
    assert len(pieces) == 5
    places = [config.index(piece) for piece in pieces]
    assert places == sorted(places)


def test_data_are_those_of_their_script():
    folder = ROOT / "examples/classifier"
    made = subprocess.run(
        ["python3", folder / "make_flowers.py"], capture_output=True, check=True
    ).stdout
    assert made == (folder / "flowers.csv").read_bytes()
    assert len(made) < 50_000


@pytest.fixture(scope="module")
def shell(framework_pythons, tmp_path_factory):
    """Run commands in one shell, in a copy that shares the driver and its environments."""
    folder = copy_repository(tmp_path_factory.mktemp("tutorial") / "copy")
    (folder / ".driver").symlink_to(ROOT / ".driver")
    with Shell(folder) as shell:
        yield shell


class Shell:
    """A shell in a folder that stays open, so that a tutorial's commands build on each other."""

    END = "END OF THESE COMMANDS"

    def __init__(self, folder):
        self.folder = folder
        path = (part for part in os.environ["PATH"].split(":") if ".driver" not in part)
        inherited = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
        own = {"PATH": ":".join(path), "SNAKEMAKE_CONDA_PREFIX": str(ROOT / ".snakemake/conda")}
        self.process = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=inherited | own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate(timeout=HANGS)

    def run(self, command):
        """Run a command; return its exit status and what it printed."""
        self.process.stdin.write(f'{{ {command}\n}} < /dev/null\necho "{self.END} $?"\n')
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.startswith(self.END):
                return int(line.removeprefix(self.END)), "".join(lines)
            lines.append(line)
        raise AssertionError("the shell has ended:\n" + "".join(lines))


@pytest.mark.slow
def test_own_experiment(shell):
    for commands, expected in steps(EXPERIMENT):
        printed = []
        for command in commands.replace("make setup\n", "").splitlines():  # test_setup has it
            status, output = shell.run(command)
            printed += output.splitlines()
            wrong = any(".py: " in line for line in expected)  # the message about a mistake
            assert status == 0 or (wrong and status == 1), output
        for line in expected:
            assert line in (each.rstrip() for each in printed), "\n".join(printed)
    results = Path(shell.folder, "examples/classifier/results")
    verdicts = read_table(results / "tables/verdicts.csv").set_index("comparison")
    assert verdicts["causes"].to_dict() == CAUSES
    assert set(verdicts["deterministic"]) == {"yes"}
    assert (results / "figures/trajectories.png").is_file()
    assert not Path(shell.folder, "results").exists()


def printed_as(line):
    """Return the pattern of a line that a page shows."""
    return ".*".join(map(re.escape, line.rstrip().split("…")))


@pytest.mark.long
def test_tutorial(framework_pythons, tmp_path):
    with Shell(tmp_path) as shell:
        for commands, expected in steps(TUTORIAL):
            status, output = shell.run(commands.replace("~/bn-yes-or-no", str(ROOT)))
            assert status == 0, output
            for line in expected:
                found = re.compile(printed_as(line))
                assert any(map(found.fullmatch, map(str.rstrip, output.splitlines()))), output
