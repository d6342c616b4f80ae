"""The committed figures are, byte for byte, what the committed tables give."""

import subprocess

import pytest
from repository import ROOT

pytestmark = pytest.mark.slow

DRAW_ALL = ROOT / "tests/unit/draw_all.py"


def is_committed(path):
    """Tell whether git tracks a file."""
    command = ["git", "ls-files", "--error-unmatch", path]
    return subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0


def test_committed_figures_are_those_of_the_committed_tables(framework_pythons, tmp_path):
    if not is_committed("results/tables/runs.csv"):
        pytest.skip("there are no committed results yet")
    tables, output = tmp_path / "tables", tmp_path / "figures"
    tables.mkdir()
    output.mkdir()
    (tables / "config.yaml").symlink_to(ROOT / "config.yaml")
    for table in (ROOT / "results/tables").glob("*.csv"):
        (tables / table.name).symlink_to(table)
    subprocess.run([framework_pythons["figures"], "-s", DRAW_ALL, tables, output], check=True)
    committed = {path.name: path for path in (ROOT / "results/figures").iterdir()}
    drawn = {path.name: path for path in output.iterdir()}
    assert set(drawn) == set(committed)
    differing = [name for name in drawn if drawn[name].read_bytes() != committed[name].read_bytes()]
    assert differing == []
