"""Every rule says what it needs and where it writes; everything is formatted and lints clean."""

import re

import pytest
from bnyesno.runs import grow
from repository import ROOT, run_driver

RULE_FILES = [ROOT / "Snakefile", *sorted(ROOT.glob("workflow/rules/*.smk"))]
RULE = re.compile(r"^( *)(?:rule|checkpoint)\b[^\n]*:\n((?:\1 +[^\n]*\n|\n)*)", re.MULTILINE)


def rules_in(path):
    """Yield the text of each rule of a file."""
    for match in RULE.finditer(path.read_text(encoding="utf-8")):
        yield match[0]


RULES = [
    pytest.param(text, id=f"{path.stem}-{number}")
    for path in RULE_FILES
    for number, text in enumerate(rules_in(path))
]


def directives(text):
    """Return the names of a rule's directives."""
    indent = re.search(r"\n( +)\w+:", text)[1]
    return set(re.findall(rf"^{indent}(\w+):", text, re.MULTILINE))


def test_all_rules_are_found():
    assert len(RULES) >= 8


@pytest.mark.parametrize("text", RULES)
def test_rule_is_complete(text):
    found = directives(text)
    assert "message" in found
    if "use rule" not in text and "shell" in found:
        wanted = {"log", "benchmark", "conda", "threads", "resources", "shell"}
        assert wanted - found == set()
    assert not found & {"run", "script"}  # the host's Python must not leak into an environment


@pytest.mark.parametrize("text", [one for one in RULES if "resources:" in one.values[0]])
def test_resources_grow_and_name_no_site(text):
    assert re.search(r"\bmem_mb=grow\(", text)
    assert re.search(r"\bruntime=grow\(", text)
    assert not re.search("slurm|partition|account", text)  # those belong to a profile


def test_every_attempt_gets_more():
    assert [grow(800)(None, attempt) for attempt in (1, 2, 3)] == [800, 1600, 2400]


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.stem)
def test_file_opens_with_what_goes_in_and_out(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith('"""')
    if path.suffix == ".smk":
        assert "\nIn:  " in text
        assert "\nOut: " in text


@pytest.mark.parametrize(
    "command",
    ["snakemake --lint", "snakefmt --check .", "ruff check", "ruff format --check"],
)
def test_lint(command):
    done = run_driver(*command.split())
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def rule_names():
    """The names of all rules."""
    return run_driver("snakemake", "--list-rules").stdout.split()


def test_rules_that_the_documentation_names_exist(rule_names):
    """Rule names of training jobs are computed, so a page that shows one can go stale."""
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md")]
    named = {
        name
        for page in pages
        for name in re.findall(r"(\w+):(?:runtime|mem_mb|threads)=", page.read_text("utf-8"))
    }
    assert named
    assert named <= set(rule_names)


def test_logs_of_grouped_jobs_can_be_named(rule_names):
    """Slurm's executor makes a folder group_GROUP_RULE..., of up to five rules; else it hangs."""
    grouped = ("train_", "control_", "render_", "collect_tables", "judge_", "compare_controls")
    alone = ("train_study_",)  # one chunk to a job
    names = [name for name in rule_names if name.startswith(grouped)]
    names = [name for name in names if not name.startswith(alone)]
    longest = sorted(map(len, names))[-5:]
    assert len(longest) == 5
    assert len("group_control_") + sum(longest) + len("____") + len("_...") <= 255


@pytest.mark.parametrize("text", RULES)
def test_what_waits_for_every_run_is_in_no_group(text):
    """Whenever a job is done, Snakemake goes through all that a job in a group waits for."""
    inputs = text.partition("input:")[2].partition("output:")[0]
    if re.search(r"\b(record_paths|job_records|study_files|chunk_paths|release_records)\(", inputs):
        assert "group" not in directives(text)
