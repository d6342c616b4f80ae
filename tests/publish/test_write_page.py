"""Pages of the report: cells as they are in the table, safe as HTML, numbers short to read."""

import html
import re

import pandas
import pytest
from plan.claims import read_claims
from publish import write_page
from repository import ROOT

TEMPLATE = (ROOT / "workflow/report/page.html").read_text(encoding="utf-8")


def test_cells_are_escaped():
    table = pandas.DataFrame({"statement": ['<b>"1" & 2</b>'], "verdict": ["refuted"]})
    page = write_page.render(TEMPLATE, "A <title>", table, {})
    assert '<td data-column="statement">&lt;b&gt;&quot;1&quot; &amp; 2&lt;/b&gt;</td>' in page
    assert '<td data-column="verdict" data-value="refuted">refuted</td>' in page
    assert "<title>A &lt;title&gt;</title>" in page


def test_page_asks_for_nothing_from_elsewhere():
    assert "//" not in TEMPLATE
    assert "src=" not in TEMPLATE
    assert "href=" not in TEMPLATE


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
    cell = write_page.render_cell("measured", text)
    assert f">{short}<" in cell
    assert (f'title="{text}"' in cell) is (text != short)


def test_locks_are_listed_with_their_pins():
    table = write_page.read_locks([ROOT / "envs/figures.yaml", ROOT / "envs/tf1.13.yaml"])
    rows = {(row.environment, row.package): row for row in table.itertuples()}
    assert rows["figures", "matplotlib"].version == "3.10.9"
    assert rows["tf1.13", "python"].version == "=3.7"
    assert int(rows["tf1.13", "numpy"].files) >= 1
    assert rows["tf1.13", "numpy"].where == ""
    assert "python" in rows["figures", "contourpy"].where  # one version for old, one for new ones


def test_every_shown_column_is_in_its_table():
    for table in write_page.SHOWN:
        assert len(write_page.read_csv(ROOT / f"results/tables/{table}.csv")) > 0


def test_every_figure_has_a_caption():
    figures = {path.stem for path in (ROOT / "results/figures").glob("*.svg")}
    captions = (ROOT / "workflow/report/figures.rst").read_text(encoding="utf-8")
    assert figures
    assert figures == set(re.findall(r'figure == "(\w+)" %}\n\w', captions))


def test_page_of_claims_has_every_claim_and_its_statement():
    """The page that is made from the committed table has what claims.yaml has, in its order."""
    table = write_page.read_csv(ROOT / "results/tables/claims.csv")
    page = html.unescape(write_page.render(TEMPLATE, "Claims", table, {}))
    claims = read_claims(ROOT / "claims.yaml")
    for column, key in (("claim", "id"), ("statement", "statement")):
        cells = re.findall(rf'<td data-column="{column}"[^>]*>(.*?)</td>', page, re.DOTALL)
        assert cells == [claim[key] for claim in claims]
