"""Pages of the report: cells as they are in the table, safe as HTML, numbers short to read."""

import html
import re

import pytest
from plan.claims import read_claims
from publish import write_page
from publish.summary import read_rows
from repository import ROOT

TEMPLATES = ROOT / "workflow/report"


def page_of(*rows, title="A <title>"):
    """Return the page of some rows, whose columns mean nothing."""
    columns = dict.fromkeys(rows[0], "")
    values = {"title": title, "rows": rows, "columns": columns, "whose": ""}
    return write_page.render(TEMPLATES / "page.html", **values)


def test_cells_are_escaped():
    page = page_of({"statement": '<b>"1" & 2</b>', "verdict": "refuted"})
    assert '<td data-column="statement">&lt;b&gt;&#34;1&#34; &amp; 2&lt;/b&gt;</td>' in page
    assert '<td data-column="verdict" data-value="refuted">refuted</td>' in page
    assert "<title>A &lt;title&gt;</title>" in page


def test_page_asks_for_nothing_from_elsewhere():
    for path in TEMPLATES.glob("*.html"):
        template = path.read_text(encoding="utf-8")
        assert "//" not in template
        assert set(re.findall(r"(?:src|href)=\"([^\"]{1,2})", template)) <= {"#c", "#f", "#t", "{{"}


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("0.77510166168212891", "0.7751017"),
        ("0.85718375444412231 and 0.53653806447982788", "0.8571838 and 0.5365381"),
        ("5.9604644775390625e-08", "5.960464e-08"),
        ("1.1230", "1.1230"),
        ("activation/Identity:0", "activation/Identity:0"),
    ],
)
def test_long_numbers_are_shown_short_and_whole_on_hover(text, short):
    page = page_of({"measured": text})
    assert f">{short}<" in page
    assert (f'title="{text}"' in page) is (text != short)


def test_locks_are_listed_with_their_pins():
    table = write_page.read_locks([ROOT / "envs/figures.yaml", ROOT / "envs/tf1.13.yaml"])
    rows = {(row["environment"], row["package"]): row for row in table}
    assert rows["figures", "matplotlib"]["version"] == "3.10.9"
    assert rows["tf1.13", "python"]["version"] == "=3.7"
    assert int(rows["tf1.13", "numpy"]["files"]) >= 1
    assert rows["tf1.13", "numpy"]["where"] == ""
    # one version for old Pythons, one for new ones
    assert "python" in rows["figures", "contourpy"]["where"]


def test_every_shown_column_is_in_its_table():
    for table in write_page.SHOWN:
        first, *_ = read_rows(ROOT / f"results/tables/{table}.csv")
        assert write_page.shown(table).keys() <= first.keys()


def test_every_figure_has_a_caption():
    figures = {path.stem for path in (ROOT / "results/figures").glob("*.svg")}
    captions = (ROOT / "workflow/report/figures.rst").read_text(encoding="utf-8")
    assert figures
    assert figures == set(re.findall(r'figure == "(\w+)" %}\n\w', captions))


def test_page_of_claims_has_every_claim_and_its_statement():
    """The page that is made from the committed table has what claims.yaml has, in its order."""
    page = html.unescape(page_of(*read_rows(ROOT / "results/tables/claims.csv")))
    claims = read_claims(ROOT / "claims.yaml")
    for column, key in (("claim", "id"), ("statement", "statement")):
        cells = re.findall(rf'<td data-column="{column}"[^>]*>(.*?)</td>', page, re.DOTALL)
        assert cells == [claim[key] for claim in claims]
