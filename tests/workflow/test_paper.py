"""The reproduction note: every number from the tables, the same bytes on every run."""

import csv
import re
from collections import Counter
from functools import cache

import pytest
from plan.documents import read_yaml
from pypdf import PdfReader
from repository import ROOT, copy_repository, copy_results, run_make

SOURCES = sorted((ROOT / "paper").glob("*.typ"))
UNITS = r"(?:pt|em|cm|mm|fr|%)"
DECIMAL = re.compile(r"\d+\.\d{2,}")


def prose(path):
    """Return a source without comments, lengths, and names that have a number in them."""
    text = re.sub(r"^\s*//.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = re.sub(r'"(within 0\.001|tf[0-9.]+-keras[0-9.]+)"', "", text)
    return re.sub(rf"\b\d+(?:\.\d+)?{UNITS}", "", text)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_measured_number_is_typed(path):
    assert DECIMAL.findall(prose(path)) == []


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Return a function that makes a copy of the repository, with its committed results."""
    if not (ROOT / "results/tables/claims.csv").is_file():
        pytest.skip("there are no committed results yet")

    def copy():
        return copy_results(copy_repository(tmp_path_factory.mktemp("paper") / "copy"))

    return copy


@cache
def text_of(path):
    """Return the text of a PDF, words on one line."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(path).pages).split())


@pytest.fixture(scope="module")
def note(repository):
    """The note of the committed results."""
    folder = repository()
    done = run_make("paper", folder)
    assert done.returncode == 0, done.stdout
    return folder / "results/paper/note.pdf"


@pytest.mark.slow
def test_note_has_a_few_pages_and_says_what_it_has_to(note):
    assert 2 <= len(PdfReader(note).pages) <= 4
    text = text_of(note)
    for heading in (
        "What was claimed",
        "Method",
        "Results",
        "Controls",
        "Processors",
        "What was easy",
        "Limits",
        "run it again",
    ):
        assert heading in text


@pytest.mark.slow
def test_note_names_every_claim(note):
    """Each claim of claims.yaml stands in the note, and the note counts all of them."""
    claims = read_yaml(ROOT / "claims.yaml")["claims"]
    text = re.sub(r"[\s\u200b]", "", text_of(note))
    assert [claim["id"] for claim in claims if claim["id"] not in text] == []
    assert f"Of{len(claims)}statementsofthepage" in text


@pytest.mark.slow
def test_note_says_that_its_tables_came_with_the_repository(note):
    assert "came with the repository; no run has made them again here" in text_of(note)


@pytest.mark.slow
def test_fonts_are_embedded(note):
    for page in PdfReader(note).pages:
        for font in page["/Resources"]["/Font"].values():
            descendant = font.get_object()["/DescendantFonts"][0].get_object()
            descriptor = descendant["/FontDescriptor"].get_object()
            assert "/FontFile3" in descriptor or "/FontFile2" in descriptor


@pytest.mark.slow
def test_same_bytes_in_another_folder_at_another_time(note, repository):
    folder = repository()
    assert run_make("paper", folder).returncode == 0
    assert (folder / "results/paper/note.pdf").read_bytes() == note.read_bytes()


SENTENCES = ("reason", "measured", "statement")  # shown as they are, but for long decimals
# Decimals that are no measurements: versions, and the tolerance in the name of a verdict.
NOT_MEASURED = re.compile(r"\d+\.\d+\.\d+|within 0\.001|level 0\.05|TF \d\.\d+|TensorFlow \d\.\d+")


def numbers_of(note):
    """The rows of numbers.csv beside a note."""
    with note.with_name("numbers.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def decimals_in(text):
    """Return {decimal number with two digits or more: how often} in a text."""
    return Counter(DECIMAL.findall(NOT_MEASURED.sub("", text)))


@pytest.mark.slow
def test_each_number_says_the_cell_of_a_table_that_it_is_from(note):
    rows = numbers_of(note)
    assert len(rows) > 50
    tables = {}
    for row in rows:
        if row["table"] == "config":
            continue
        path = ROOT / f"results/tables/{row['table']}.csv"
        if path not in tables:
            with path.open(newline="", encoding="utf-8") as stream:
                tables[path] = list(csv.DictReader(stream))
        assert tables[path][int(row["row"]) - 2][row["column"]] == row["value"]
    derived = Counter(row["text"] for row in rows)
    for row in rows:
        if row["column"] in SENTENCES and not re.fullmatch(r"-?[\d.e-]+", row["value"]):
            shown = re.sub(r"\d+\.\d{7,}", lambda found: f"{float(found[0]):.6f}", row["value"])
            assert row["text"] in (row["value"], shown)
        elif derived[row["text"]] == 1 or row["text"][-1] == "%":
            assert is_rounded(row["value"], row["text"]), row


def links_of(note):
    """The addresses that a note leads to."""
    return {
        annotation.get_object()["/A"]["/URI"]
        for page in PdfReader(note).pages
        for annotation in page.get("/Annots", [])
        if "/A" in annotation.get_object() and "/URI" in annotation.get_object()["/A"]
    }


@pytest.mark.slow
def test_numbers_are_links_to_lines_of_tables(note):
    rows = {f"../tables/{row['table']}.csv#L{row['row']}" for row in numbers_of(note)}
    to_lines = {link for link in links_of(note) if "#L" in link}
    assert len(to_lines) > 30
    assert to_lines <= rows


@pytest.mark.slow
def test_figures_are_links_to_their_script_and_tables(note):
    links = {link for link in links_of(note) if link.startswith("../") and "#" not in link}
    assert {"../tables/releases.csv", "../../workflow/plot/releases.py"} <= links
    assert {"../tables/study_cells.csv", "../../page/seeds.py"} <= links
    assert [link for link in links if not (note.parent / link).is_file()] == []


@pytest.mark.slow
def test_each_cause_has_its_size(note):
    """The parts of every cause that verdicts.csv names stand in the note, each from its cell."""
    with (ROOT / "results/tables/verdicts.csv").open(newline="", encoding="utf-8") as stream:
        expected = {
            (row[f"{cause}_part"], f"{cause}_part")
            for row in csv.DictReader(stream)
            for cause in ("computation", "draws", "evaluation")
            if cause in row["causes"]
        }
    assert len(expected) > 6
    assert expected <= {(row["value"], row["column"]) for row in numbers_of(note)}


@pytest.mark.slow
def test_a_link_leaves_no_gap(note):
    """What numbers.csv notes of a number takes no room in the text."""
    assert "( " not in text_of(note)


def is_rounded(value, text):
    """Tell whether a number in the note is a value, or its size, rounded to the digits shown."""
    text = text.replace("−", "-")
    shown = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    mantissa, _, exponent = text.rstrip("%").partition("e")
    digits = len(mantissa.partition(".")[2]) + (2 if text.endswith("%") else 0)
    half = 0.5 * 10.0 ** (int(exponent or 0) - digits) * (1 + 1e-9)
    return min(abs(float(value) - shown), abs(abs(float(value)) - shown)) <= half


@pytest.mark.slow
def test_every_decimal_number_in_the_note_is_from_a_table(note):
    """As often as it stands there: a number that somebody types is one too many."""
    accounted = sum((decimals_in(row["text"]) for row in numbers_of(note)), Counter())
    found = decimals_in(text_of(note))
    assert sum(found.values()) > 50
    assert found - accounted == Counter()


@pytest.fixture(scope="module")
def changed_note(repository):
    """The note of other tables, in which somebody has typed a number."""
    folder = repository()
    source = folder / "paper/note.typ"
    text = source.read_text(encoding="utf-8")
    source.write_text(
        text.replace("= Method", "The loss is 0.7751.\n\n= Method", 1), encoding="utf-8"
    )
    table = folder / "results/tables/claims.csv"
    old = next(line for line in table.read_text().splitlines() if "question_loss_without" in line)
    measured = re.search(r"0\.7751\d{10,}", old)[0]
    table.write_text(table.read_text().replace(f",{measured},", ",0.77514321,"))
    effects = folder / "results/tables/effects.csv"  # a part of the study may have any name
    effects.write_text(re.sub(r"^protocols,", "renamed,", effects.read_text(), flags=re.MULTILINE))
    for rule in ("judge_claims", "compare_controls"):  # as if a run here had made these
        log = folder / f"results/logs/{rule}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
    assert run_make("paper", folder).returncode == 0
    return folder / "results/paper/note.pdf"


@pytest.mark.slow
def test_a_typed_number_is_noticed(changed_note):
    accounted = sum((decimals_in(row["text"]) for row in numbers_of(changed_note)), Counter())
    assert decimals_in(text_of(changed_note)) - accounted == Counter({"0.7751": 1})


@pytest.mark.slow
def test_another_number_in_a_table_is_another_number_in_the_note(note, changed_note):
    text = text_of(changed_note)
    assert "0.775143" in text
    assert "0.775143" not in text_of(note)
    assert "Of the tables behind this note, releases and effects came with the repository" in text


@pytest.mark.slow
def test_prose_that_the_tables_contradict_is_not_set(repository):
    folder = repository()
    table = folder / "results/tables/verdicts.csv"
    pair = next(
        line for line in table.read_text().splitlines() if line.startswith("extra_activation_1_14")
    )
    assert ",draws," in pair
    contradicted = pair.replace(",draws,", ",computation,")
    table.write_text(table.read_text().replace(pair, contradicted))
    done = run_make("paper", folder)
    assert done.returncode != 0
    assert not (folder / "results/paper/note.pdf").exists()
