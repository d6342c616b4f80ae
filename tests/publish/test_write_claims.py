"""The page of the claims: every verdict leads to what is behind it, every link to a section."""

import csv
import html
import json
import re

import jinja2
import pytest
from plan.claims import read_claims
from plan.documents import read_yaml
from publish import write_claims, write_page
from repository import ROOT

CLAIMS = read_claims(ROOT / "claims.yaml")
TABLES = {
    name: write_claims.read_rows(ROOT / f"results/tables/{name}.csv")
    for name in ("claims", "runs", "layers", "controls", "verdicts", "crossed")
}
TEMPLATE = ROOT / "workflow/report/claims.html"
FIGURES = dict.fromkeys(read_yaml(ROOT / "workflow/schemas/figures.yaml"), "picture")


@pytest.fixture
def sections(planned):
    commands = write_claims.read_rows(ROOT / "docs/claims-to-commands.csv")
    return write_claims.render(TEMPLATE, CLAIMS, planned, TABLES, commands, FIGURES)


def section_of(sections, anchor):
    return re.search(rf'<section id="{anchor}">.*?</section>', sections, re.DOTALL)[0]


def test_every_link_leads_to_a_section(sections):
    targets = set(re.findall(r'href="#([^"]+)"', sections)) - {"top"}
    assert {"claim-question_loss_with_bn"} <= targets
    assert {"comparison-extra_activation_1_14", "figure-weight_sums"} <= targets
    assert targets <= set(re.findall(r'<section id="([^"]+)"', sections))


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim["id"])
def test_every_claim_has_its_verdict_command_and_records(sections, claim):
    text = html.unescape(section_of(sections, f"claim-{claim['id']}"))
    (row,) = (row for row in TABLES["claims"] if row["claim"] == claim["id"])
    assert f"<b>{row['verdict']}</b>: {row['reason']}" in text
    assert f"claims.csv</code>, line {row['line']}" in text
    assert re.search(r"<code>make (study|claim NAME=\w+)</code>, [\d.]+ minutes", text)
    assert re.search(r"<dt>records</dt><dd><code>results/(runs|controls|study)/", text)
    assert claim.get("figure", "") in FIGURES.keys() | {""}


def test_a_line_is_that_of_the_file(planned):
    """The published number is on the line of runs.csv that the page names."""
    (rows,) = write_claims.rows_of(CLAIMS[0], planned, TABLES).values()
    (row,) = rows
    with (ROOT / "results/tables/runs.csv").open(newline="") as stream:
        lines = list(csv.reader(stream))
    assert row["val_loss"] in lines[int(row["line"]) - 1]
    assert row["val_loss"].startswith("0.7751")


def test_a_pair_of_cells_leads_to_the_comparison_of_both_first(planned):
    (claim,) = (one for one in CLAIMS if one["id"] == "extra_activation_changes_result_in_1_14")
    assert write_claims.comparisons_of(claim, planned)[0] == "extra_activation_1_14"


def test_first_page_opens_the_page_at_a_claim():
    listed = write_page.render(
        TEMPLATE.with_name("first_page.rst"),
        claims=TABLES["claims"],
        counts={"refuted": 1},
        page="results/report/claims.html",
        origin="",
    )
    assert listed.startswith("Every number and claim of")
    listed = html.unescape(listed)
    assert listed.count("<li>") == len(CLAIMS)
    assert f"{len(CLAIMS)} claims: " in listed
    assert (
        "results['results/report/claims.html'].data_uri + '#claim-question_loss_with_bn'" in listed
    )


def test_statement_is_text_in_both_templates():
    """Snakemake makes the report's first page of what we make of the template."""
    statement = "{{ 6 * 7 }}\n\n{% endraw %} <script>ran()</script>"
    listed = write_page.render(
        TEMPLATE.with_name("first_page.rst"),
        claims=[{"claim": "one", "verdict": "refuted", "statement": statement}],
        counts={},
        page="claims.html",
        origin="",
    )
    listed = jinja2.Template(listed).render()
    assert "<script>ran" not in listed
    assert statement.replace("\n", " ") in html.unescape(listed)


def test_embedded_picture_is_small():
    address = write_claims.embed(ROOT / "results/figures/releases.png")
    assert address.startswith("data:image/png;base64,")
    assert len(json.dumps(address)) < 80_000
