"""Every rule says what it needs and where it writes; everything is formatted and lints clean.

Snakemake is asked for its rules, so that a rule of another name or file is looked at, too.
"""

import re
from pathlib import Path

import pytest
from plan.runs import grow
from repository import ROOT, copy_repository, copy_results, list_jobs, run_driver
from rule_graph import PAGE, draw_graph

RULE_FILES = [
    *(ROOT / "workflow/Snakefile", ROOT / "page/study.smk", ROOT / "paper/paper.smk"),
    *sorted(ROOT.glob("workflow/rules/*.smk")),
]


@pytest.fixture(scope="module")
def rules(asked):
    """{name: rule}."""
    return {rule["name"]: rule for rule in asked["rules"]}


def test_all_rules_are_found(rules):
    assert {"train_runs", "train_controls", "collect_tables", "render_figure", "all"} <= set(rules)
    written = [Path(rule["file"]).resolve() for rule in rules.values()]
    assert {path.name for path in RULE_FILES} - {path.name for path in written} == {
        "at_once.smk",
        "common.smk",
        "source.smk",
    }
    words = sum(len(re.findall(r"^(?:use )?rule ", p.read_text("utf-8"), re.M)) for p in RULE_FILES)
    assert words == len(rules)  # none is made in a loop


def test_the_graph_fits_on_a_screen_and_is_the_one_that_is_shown():
    graph = draw_graph()
    assert 10 < len(set(re.findall(r"\w+(?= -->)|(?<=--> )\w+", graph))) <= 30
    assert graph in PAGE.read_text(encoding="utf-8"), "run: python tests/rule_graph.py"


def test_rules_are_complete(rules):
    for name, rule in rules.items():
        assert rule["message"], name
        assert not rule["runs_python"], name  # the host's Python must not leak into an environment
        if rule["shell"]:
            assert rule["log"], name
            assert rule["benchmark"], name
            assert rule["conda"], name
            assert {"_cores", "mem_mb", "runtime"} <= set(rule["resources"]), name
        sites = [key for key in rule["resources"] if re.search("slurm|partition|account", key)]
        assert sites == []  # those belong to a profile


def test_paths_in_shell_lines_are_quoted(rules):
    paths = r"\{(?:input|output|log|params\.(?:folder|results))\b[^}]*(?<!:q)\}"
    shells = [rule["shell"] for rule in rules.values() if rule["shell"]]
    assert len(shells) > 20
    assert [re.findall(paths, shell) for shell in shells if re.search(paths, shell)] == []


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
    [
        *("snakemake --lint", "snakefmt --check .", "ruff check", "ruff format --check"),
        *("mypy", "codespell"),
    ],
)
def test_lint(command):
    done = run_driver(*command.split())
    assert done.returncode == 0, done.stdout


def test_rules_that_the_documentation_names_exist(rules):
    """A page that shows one can go stale."""
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md")]
    named = {
        name
        for page in pages
        for name in re.findall(r"(\w+):(?:runtime|mem_mb|threads)=", page.read_text("utf-8"))
    }
    assert named
    assert named <= set(rules)


def test_logs_of_grouped_jobs_can_be_named(rules):
    """Slurm's executor makes a folder group_GROUP_RULE..., of up to five rules; else it hangs."""
    grouped = [rule for rule in rules.values() if rule["group"]]
    assert {"train", "control", "figure"} <= {rule["group"] for rule in grouped}
    longest = sorted(len(rule["name"]) for rule in grouped)[-5:]
    assert len("group_control_") + sum(longest) + len("____") + len("_...") <= 255


def test_what_waits_for_every_run_is_in_no_group(asked):
    """Whenever a job is done, Snakemake goes through all that a job in a group waits for."""
    trained = [
        path for job in asked["jobs"] if job["rule"].startswith("train_") for path in job["output"]
    ]
    waiting = [
        job
        for job in asked["jobs"]
        if set(trained) & set(job["input"]) and job["rule"] != "train_controls"
    ]
    assert len({job["rule"] for job in waiting}) == 7
    assert [job["rule"] for job in waiting if job["group"]] == []


def test_a_page_says_whether_a_run_here_made_its_table(asked, tmp_path):
    """Each page by its own table: a run without claims makes verdicts, too."""
    folder = copy_results(copy_repository(tmp_path / "copy"))

    def said(jobs):
        shells = "\n".join(job["shell"] or "" for job in jobs)
        told = re.findall(r"--whose=(.*) --output .*?(\w+)\.html", shells)
        return {page: sentence for sentence, page in told}

    committed = "'The table came with the repository; no run here has made it.'"
    assert said(asked["jobs"]) == {"claims": committed, "verdicts": committed, "environments": ""}
    (folder / "results/logs").mkdir()
    (folder / "results/logs/compare_controls.log").touch()
    jobs = list_jobs(folder, "write_pages")
    assert said(jobs) == {"claims": committed, "verdicts": "", "environments": ""}
