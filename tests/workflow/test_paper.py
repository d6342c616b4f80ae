"""The reproduction note: every number from the tables, the same bytes on every run."""

import re

import pytest
from pypdf import PdfReader
from repository import ROOT, copy_repository, copy_results, read_yaml, run_make

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
    for heading in ("What was claimed", "Method", "Results", "Controls", "Limits", "run it again"):
        assert heading in text


@pytest.mark.slow
def test_note_names_every_claim(note):
    """Each claim of claims.yaml stands in the note, and the note counts all of them."""
    claims = read_yaml(ROOT / "claims.yaml")["claims"]
    text = re.sub(r"[\s\u200b]", "", text_of(note))
    assert [claim["id"] for claim in claims if claim["id"] not in text] == []
    assert f"Of{len(claims)}statementsofthepage" in text


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


@pytest.mark.slow
def test_every_number_stands_in_a_table(note):
    """Each decimal number in the text is some number of the tables, rounded."""
    sources = [*(ROOT / "results/tables").glob("*.csv"), ROOT / "config.yaml"]
    small = [path for path in sources if path.stat().st_size < 1_000_000]
    known = {
        number for path in small for number in re.findall(r"\d+\.\d+(?:e-?\d+)?", path.read_text())
    }
    for number in set(DECIMAL.findall(text_of(note))):
        digits = len(number.partition(".")[2])
        assert any(f"{float(one):.{digits}f}" == number for one in known), number


@pytest.mark.slow
def test_another_number_in_a_table_is_another_number_in_the_note(note, repository):
    folder = repository()
    table = folder / "results/tables/claims.csv"
    old = next(line for line in table.read_text().splitlines() if "question_loss_without" in line)
    measured = re.search(r"0\.7751\d{10,}", old)[0]
    table.write_text(table.read_text().replace(f",{measured},", ",0.77514321,"))
    assert run_make("paper", folder).returncode == 0
    text = text_of(folder / "results/paper/note.pdf")
    assert "0.775143" in text
    assert "0.775143" not in text_of(note)


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
