"""What was tried of machines, as docs/machines.md lists it.

python tests/machines.py        writes the table there again
"""

import os
import re
from typing import NamedTuple

from repository import ROOT

PAGE = ROOT / "docs/machines.md"
TABLE = re.compile(
    r"(?<=<!-- tests/machines\.py writes this table -->\n\n).*?(?=\n\n|\Z)", re.DOTALL
)


class Planned(NamedTuple):
    """A machine on which a plan has to be the same: `before` comes before the command."""

    variables: dict[str, str | None]  # None: not set
    before: tuple = ()


SHELL = ("sh", "-c")
PLANNED = {
    "`LANG=C`, `LC_ALL=C`": Planned({"LANG": "C", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}),
    "`TERM=dumb`, a terminal of 20 columns": Planned({"TERM": "dumb", "COLUMNS": "20"}),
    "`HOME` not set": Planned({"HOME": None}),
    "`HOME` in which nothing can be written": Planned({"HOME": "/proc/nobody"}),
    "a broken module on `PYTHONPATH`": Planned({"PYTHONPATH": "broken"}),
    "`PYTHONHOME` that leads nowhere": Planned({"PYTHONHOME": "/nowhere"}),
    "`PYTHONOPTIMIZE=2`": Planned({"PYTHONOPTIMIZE": "2"}),
    "`LD_LIBRARY_PATH` that leads nowhere": Planned({"LD_LIBRARY_PATH": "/nowhere"}),
    "one core": Planned({}, ("taskset", "--cpu-list", "0")),
    "no git": Planned({"PATH": f"no git:{os.environ['PATH']}"}),
    "`umask 077`": Planned({}, (*SHELL, 'umask 077; exec "$@"', "sh")),
    "a clone behind a symbolic link": Planned({}, (*SHELL, 'cd ../link; exec "$@"', "sh")),
}
# {machine: (what is said, the test that shows it)}
ELSEWHERE = {
    "spaces in the path of the clone": ("nothing", "paths_with_spaces"),
    "results outside the clone": ("nothing", "snakefile_directory_and_configfile"),
    "`HOME` in which nothing can be written, at set-up": (
        "nothing",
        "home_in_which_nothing_can_be_made",
    ),
    "a Python older than 3.11": ("which Python to install", "python_too_old"),
    "no Python": ("which Python to install", "no_python"),
    "a newer Python under another name": ("nothing", "no_package_index"),
    "a Python without venv": ("what to install", "python_without_venv"),
    "the package index does not answer": ("that it does not", "no_package_index"),
    "a file that was cut in uv's cache": (
        "nothing; it is fetched again",
        "cut_file_in_the_cache_of_uv",
    ),
    "no Python 3.7, and none can be downloaded": ("what to install", "python_that_cannot_be_had"),
    "the Python of an environment has gone": (
        "nothing; the environment is made again",
        "flag_of_an_environment_that_is_not_whole",
    ),
    "a conda whose channels do not answer": (
        "that uv makes the environments",
        "real_conda_that_cannot_plan_comes_after_the_front_end",
    ),
    "a folder on `PATH` that cannot be read": ("nothing", "folder_on_path_that_cannot_be_read"),
    "`.driver` is a file, or a link that leads nowhere": (
        "nothing",
        "what_is_in_the_way_is_removed",
    ),
    "a conda that is too old": ("that uv makes the environments", "conda_too_old"),
    "no Linux on x86-64": ("what is needed", "other_platform"),
    "switches of TensorFlow set": (
        "nothing",
        "a_killed_chunk_is_trained_again_whatever_switches_the_caller_sets",
    ),
    "another matrix kernel": (
        "what `make check` finds",
        "every_column_is_within_what_a_check_allows",
    ),
    "locks as on NFS, which refuses exclusive ones on files that are only read": (
        "nothing",
        "locks_as_on_nfs",
    ),
    "locks that other machines do not see": ("nothing", "lock_that_another_machine_does_not_see"),
}


def write_table() -> str:
    """Return the table of machines in Markdown."""
    rows = [(what, ("nothing; the same jobs", "plan_is_the_same")) for what in PLANNED]
    lines = ["| machine | what is said | shown by |", "|---|---|---|"]
    for what, (said, test) in [*rows, *ELSEWHERE.items()]:
        lines.append(f"| {what} | {said} | `test_{test}` |")
    return "\n".join(lines)


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(TABLE.sub(lambda _: write_table(), text), encoding="utf-8")
