"""Copies of the repository in which the small experiment, tests/small.yaml, has run to its end."""

import pytest


@pytest.fixture
def finished(finished_run, tmp_path):
    """A copy of one's own in which the small experiment has run."""
    return finished_run[0].copy(tmp_path / "copy")


@pytest.fixture(scope="module")
def finished_for_file(finished_run, tmp_path_factory):
    """The same for all tests of a file together."""
    return finished_run[0].copy(tmp_path_factory.mktemp("finished_for_file") / "copy")
