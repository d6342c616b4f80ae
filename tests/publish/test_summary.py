"""What the terminal shows at the end of a run."""

import io
import json
import re

import pandas
import pytest
from publish import summary
from publish.summary import format_claims, summarize

CLAIMS = [
    {
        "verdict": "reproduced",
        "statement": "A loss of 0.7751, " + "in words " * 13 + "end.",
        "published": "0.7751",
        "measured": "0.77510166",
    },
    {"verdict": "not tested yet", "statement": "Short.", "published": "", "measured": ""},
    {"verdict": "refuted", "statement": "No number.", "published": "", "measured": "4 of 4"},
]


def test_claims_are_aligned_and_wrapped():
    lines = format_claims(CLAIMS).splitlines()
    assert lines[0].startswith("reproduced      A loss of 0.7751")
    assert lines[1].startswith(" " * 16 + "words in")
    assert lines[2] == " " * 16 + "published 0.7751, measured 0.77510166"
    assert lines[3] == "not tested yet  Short."
    assert lines[4:] == ["refuted         No number.", " " * 16 + "measured 4 of 4"]
    assert max(map(len, lines)) <= 92


@pytest.fixture
def results(tmp_path):
    """A folder of results with figures and no tables."""
    (tmp_path / "tables").mkdir()
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/a.png").touch()
    (tmp_path / "figures/a.svg").touch()
    return tmp_path


def test_says_where_claims_and_figures_are(results):
    table = results / "tables/claims.csv"
    pandas.DataFrame(CLAIMS).to_csv(table, index=False)
    text = summarize(results)
    assert text.startswith("reproduced ")
    assert f"Reasons and measured values: {table}" in text
    assert "came with the repository; this workflow has not computed them here." in text
    shown = f"\n  {results / 'figures/a.png'}"
    assert text.endswith(f"Figures that came with the repository:{shown}")
    for log in ("judge_claims.log", "render_figure/a.log"):
        (results / "logs" / log).parent.mkdir(parents=True, exist_ok=True)
        (results / "logs" / log).touch()
    (results / "figures/b.png").touch()
    text = summarize(results)
    assert "These verdicts were computed here." in text
    other = f"\n  {results / 'figures/b.png'}"
    assert text.endswith(f"Figures:{shown}\n\nFigures that came with the repository:{other}")


def test_without_claims_says_verdicts(results):
    verdict = {"label": "with and without", "causes": "draws", "reason": "the losses differ"}
    pandas.DataFrame([verdict]).to_csv(results / "tables/verdicts.csv", index=False)
    assert summarize(results).startswith("with and without: draws\n  the losses differ\n\n")


def test_says_nothing_before_there_are_results(tmp_path):
    assert summarize(tmp_path) == ""


def test_colours_only_when_asked_and_only_the_verdicts():
    plain, coloured = format_claims(CLAIMS), format_claims(CLAIMS, colour=True)
    assert "\033" not in plain
    assert "\033[32mreproduced    \033[0m  A loss of 0.7751" in coloured
    assert re.sub(r"\033\[\d+m", "", coloured) == plain


@pytest.mark.parametrize(
    ("environ", "terminal", "expected"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "xterm"}, False, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_terminals_that_take_colour(environ, terminal, expected, monkeypatch):
    monkeypatch.setattr(summary.os, "environ", environ)
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    assert summary.takes_colour(stream) is expected
    assert summary.takes_colour(None) is False  # closed: >&-


def test_origin_is_told_with_processor_commit_and_changes(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/runs.csv").write_text("cpu_model\nA\nB\nA\n")
    assert summary.tell_origin(tmp_path) == "Trained on A, B."
    (tmp_path / "provenance").mkdir()
    run = tmp_path / "provenance/run.json"
    for dirty, words in ((True, " with changes"), (False, "")):
        run.write_text(json.dumps({"git": {"commit": "abc", "dirty": dirty}}))
        assert summary.tell_origin(tmp_path) == f"Trained on A, B, at commit abc{words}."
    run.write_text(json.dumps({"git": None}))
    assert summary.tell_origin(tmp_path) == "Trained on A, B."
