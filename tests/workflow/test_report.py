"""The report, opened in a real browser: figures and claims are rendered, nothing goes wrong."""

import re

import pytest
from repository import ROOT, copy_repository, copy_results, run_make

pytestmark = pytest.mark.slow

MENU = "//nav//*[normalize-space()='{}']"
ROW = "//nav//tr[td[normalize-space()='{}']]"
LARGEST = 5_000_000  # bytes; reports are sent by mail and kept in archives


@pytest.fixture(scope="module")
def report(finished_for_file):
    """The report of the small experiment, which has run to its end."""
    done = run_make("report", finished_for_file.folder)
    assert done.returncode == 0, done.stdout
    return finished_for_file.folder / "results/report.html"


@pytest.fixture
def page(browser, report):
    """A browser that shows it; at the end of a test nothing may have gone wrong."""
    browser.open(report)
    yield browser
    assert browser.errors() == []
    asked = [address.partition(":")[0] for address in browser.requested()]
    assert set(asked) <= {"file", "data", "blob"}


def view(page, row):
    """Click on the eye of a row of the menu's table."""
    page.click(ROW.format(row) + "//a[1]")


def test_report_is_small(report):
    assert report.stat().st_size < LARGEST


@pytest.mark.parametrize("width", [400, 800, 1300])
def test_it_opens_with_an_introduction_that_can_be_read(page, width):
    page.set_window_size(width, 900)
    page.find("//*[@id='rulegraph']//*[name()='canvas' or name()='svg']")
    text, graph, shown, wide = page.run(
        "const box = query => document.querySelector(query).getBoundingClientRect();"
        "const [text, graph] = [box('.prose p'), box('#rulegraph')];"
        "return [[text.top, text.width], [graph.top, graph.height],"
        " window.innerWidth, document.documentElement.scrollWidth]"
    )
    assert text[1] >= min(0.6 * shown, 480)
    assert text[0] < graph[0]  # first the introduction, then the graph
    assert graph[1] <= 400
    assert wide <= shown


def test_a_verdict_on_the_first_page_opens_its_claim(page):
    page.click("//li[contains(., 'extra Activation')]/a")
    page.enter_frame("//iframe")
    page.find("//h1[text()='The claims of the page']")
    target = "return document.querySelector('section:target')?.id ?? ''"
    assert page.run(target).startswith("claim-extra_activation")
    page.click("//section[contains(@id, 'extra_activation')]//a[starts-with(@href, '#figure-')]")
    assert page.run(target).startswith("figure-")
    page.leave_frame()


@pytest.mark.parametrize("size", [(1400, 900), (700, 900)])
def test_figure_is_rendered_as_a_whole(page, tmp_path, size):
    page.set_window_size(*size)
    page.click(MENU.format("Figures"))
    view(page, "weight sums")
    page.find("//img[@src and not(ancestor::nav)]")
    box = page.run(
        "const img = document.querySelector('.grow > .p-3 > img');"
        "return img.decode().then(() => { const box = img.getBoundingClientRect();"
        "return [img.naturalWidth, box.width, box.top, window.innerHeight - box.bottom] });"
    )
    natural, width, above, below = box
    assert natural > 100
    assert width > 150
    assert above >= 0
    assert below >= 0  # not cut off


def test_caption_leads_from_the_figure_to_its_table(page):
    page.click(MENU.format("Figures"))
    page.click(ROW.format("weight sums") + "//a[2]")
    text = page.run("return document.querySelector('nav').innerText")
    assert "Drawn from steps.csv" in text
    assert "Graph-level seed 3" in text


@pytest.mark.parametrize("width", [400, 1300])
def test_claims_are_a_table_that_sorts_and_filters(page, width):
    page.set_window_size(width, 900)
    page.click(MENU.format("Claims"))
    view(page, "claims")
    page.enter_frame("//iframe")
    page.find("//h1[text()='The claims of the page']")
    verdicts = (
        "return [...document.querySelectorAll('td[data-column=verdict]')]"
        ".filter(cell => cell.checkVisibility()).map(cell => cell.textContent)"
    )
    before = page.run(verdicts)
    assert "reproduced" in before
    page.click("//th/button[text()='verdict']")
    assert page.run(verdicts) == sorted(before) != before
    page.click("//th/button[text()='verdict']")
    assert page.run(verdicts) == sorted(before, reverse=True)
    page.type("//input", "extra Activation")
    assert 0 < len(page.run(verdicts)) < len(before)
    page.leave_frame()


def test_numbers_sort_as_numbers(page):
    page.click(MENU.format("Tables"))
    view(page, "environments")
    page.enter_frame("//iframe")
    page.click("//th/button[text()='files']")
    counts = page.run(
        "return [...document.querySelectorAll('td[data-column=files]')].map(c => c.textContent)"
    )
    numbers = [int(count) for count in counts if count]
    assert len(numbers) > 40
    assert numbers == sorted(numbers)
    page.leave_frame()


# What axe-core finds serious in the menu and the frame that Snakemake 9.27 puts around every page.
OF_SNAKEMAKE = {"image-alt", "label-title-only", "link-name", "summary-name", "frame-title"}


@pytest.mark.parametrize(
    ("menu", "row"),
    [(None, None), ("Claims", "claims"), ("Tables", "verdicts"), ("Tables", "environments")],
)
def test_nothing_that_we_write_is_hard_to_reach(page, node_modules, menu, row):
    """No serious finding of axe-core, and no page within the report that is cut at its side."""
    axe = node_modules / "axe-core/axe.min.js"
    page.set_window_size(1300, 900)
    page.find("//*[@id='rulegraph']//*[name()='canvas' or name()='svg']")
    if menu:
        page.click(MENU.format(menu))
        view(page, row)
        page.find("//iframe")
    for width in (1300, 800, 400):
        page.set_window_size(width, 900)
        assert [found for found in page.findings(axe) if found[0] not in OF_SNAKEMAKE] == []
        if menu:
            page.enter_frame("//iframe")
            page.find("//h1")
            assert page.findings(axe) == []
            wide, shown = page.run("return [document.documentElement.scrollWidth, innerWidth]")
            assert wide <= shown  # no table has to be moved sideways
            page.leave_frame()


def test_run_times_are_drawn(page):
    page.click(MENU.format("Statistics"))
    page.find("//*[@id='runtimes']//*[name()='canvas' or name()='svg']")
    page.find("//*[@id='timeline']//*[name()='canvas' or name()='svg']")
    assert page.run("return Object.keys(rules).filter(r => r.startsWith('train_')).length") > 0


def test_rule_shows_its_environment(page):
    dependencies = page.run("return rules['render_figure'].conda_env.dependencies")
    assert any("matplotlib==" in str(each) for each in dependencies)


def test_committed_results_are_reported_without_training(tmp_path, framework_pythons):
    if not (ROOT / "results/tables/claims.csv").is_file():
        pytest.skip("there are no committed results yet")
    folder = copy_results(copy_repository(tmp_path / "copy"))
    done = run_make("report", folder)
    assert done.returncode == 0, done.stdout
    text = (folder / "results/report.html").read_text(encoding="utf-8")
    assert re.search(r'"results/figures/releases.svg": \{"name"', text)  # the sweep's, too
    assert not (folder / "results/runs").exists()
    assert len(text) < LARGEST
