"""The page of a diagnosis in a real browser: everything can be read on a phone and on a desk."""

import html
import json
import re
import shlex
import sys

import pytest
from diagnose import page
from diagnose.pairs import read_pairs, summarize
from repository import ROOT

pytestmark = pytest.mark.slow
ROW = {"largest_difference": 1e-3, "ulp": 1.15e7, "relative": 0.926, "beyond": 5.2e5}
PLACE = [
    {"part": "output", "array": "a_layer_with_a_long_name (Dense)", **dict.fromkeys(ROW, 0.0)},
    {"part": "loss", "array": "loss", **ROW},
    {"part": "gradient", "array": "a_layer_with_a_long_name/kernel:0", **ROW},
    {"part": "moving statistics", "array": "batch_normalization/moving_mean:0", **ROW},
]
CAUSE = {"first_order": 0.5, "second_order": 0.5, "contribution": 0.5, "share": 1.0}
VERDICT = {
    "sentence": "The two runs compute differently: 100 % of +0.5.",
    "notes": ["Compared is the last evaluated loss: 0.7751016616821289 and 1.275101661682128."],
    "metric": "loss",
    "rows": [{"cause": "computation", "label": "computation", "named": True, **CAUSE}],
    "curves": {f"{side}_{kind}": [3.0, 2.0, 1.0] for side in ("first", "second")
               for kind in ("as_is", "equal")},
    "place": {"step": [0, 1], "arrays": PLACE},
    "settings": [{"class": "Dense", "key": "activation", "first": "relu", "second": "tanh",
                  "written": True}],
    "runs": [{"side": "first", "run": "as_is", "repeat": 1, "value": 0.775, "error": None}],
}  # fmt: skip
for number, side in enumerate(("first", "second")):
    VERDICT[side] = {
        "values": [0.7751016616821289 + number / 2],
        "packages": {"tensorflow": "1.14.0", "python": "3.7.16"},
        "machine": "Linux-6.1.0-x86_64-with-debian-12",
    }
SCRIPT = "/a/folder/with/a/long/name/" * 4 + "script.py"
SIDE = {"script": SCRIPT, "arguments": ["it's", "--rate"], "environment": "/of mine/tf.yaml"}
PAIR = {"first": SIDE, "second": SIDE, "metric": "auto", "repeats": 0, "limit": 60}
OVERFLOW = """
    const inside = element => element.closest('.wide, svg');
    return [...document.querySelectorAll('body *')]
        .filter(e => !inside(e) && e.getBoundingClientRect().right > innerWidth)
        .map(e => e.outerHTML.slice(0, 80));
"""


@pytest.fixture(scope="module")
def diagnosis(tmp_path_factory):
    """The page of a planted verdict."""
    folder = tmp_path_factory.mktemp("pair")
    (folder / "verdict.json").write_text(json.dumps(VERDICT))
    options = ["--verdict", folder / "verdict.json", "--page", folder / "diagnosis.html"]
    options += ["--pair", json.dumps(PAIR)]
    before = sys.argv
    sys.argv = ["diagnose.page", *map(str, options)]
    try:
        page.main()
    finally:
        sys.argv = before
    return folder / "diagnosis.html"


@pytest.mark.parametrize("width", [400, 800, 1300])
def test_page_can_be_read(diagnosis, browser, width):
    browser.set_window_size(width, 900)
    browser.open(diagnosis)
    assert browser.run(OVERFLOW) == []
    browser.find("//p[@class='verdict'][contains(., '100 % of +0.5')]")
    parts = browser.run(
        "return [...document.querySelectorAll('tr')].map(row => row.innerText)"
        ".filter(text => /^(output|loss|gradient|moving)/.test(text))"
    )
    assert [text.split("\t")[:3:2] for text in parts] == [
        ["output", "equal"],
        ["loss", "1.15e+07"],
        ["gradient", "1.15e+07"],
        ["moving statistics", "1.15e+07"],
    ]
    smallest = browser.run(
        "return Math.min(...[...document.querySelectorAll('p, td, th')]"
        ".map(e => parseFloat(getComputedStyle(e).fontSize)))"
    )
    assert smallest >= 14
    assert browser.errors() == []
    assert {address.partition(":")[0] for address in browser.requested()} <= {"file", "data"}


def test_a_share_of_nearly_nothing_has_no_sign():
    assert page.percent(-4.5e-7) == page.percent(0.0) == "0.0\N{NO-BREAK SPACE}%"
    row = {"label": "rounding", "contribution": -2.4e-7, "share": -4.5e-7}
    said = summarize({"sentence": "", "rows": [row], "notes": []}, ROOT)
    assert "     0.0 %" in said


def test_page_says_how_to_repeat_the_diagnosis(tmp_path):
    """The configuration on the page names the same pair as the user did."""
    for name in ("train.py", "own.yaml"):
        (tmp_path / name).write_text("")
    asked = {"first": str(tmp_path / "train.py"), "in": shlex.quote(str(tmp_path / "own.yaml"))}
    asked |= {"second": asked["first"], "args": "--name 'a <b>'", "metric": "mae", "limit": 60}
    pair = read_pairs(asked, ROOT)[0]["train"]
    said = re.findall("(?s)<pre>(.*?)</pre>", page.write_repetition(pair))
    assert read_pairs(json.loads(html.unescape(said[0])), ROOT)[0]["train"] == pair
    assert f"--snakefile {ROOT}/workflow/diagnose/Snakefile" in said[1]


def test_nothing_on_the_page_is_hard_to_reach(diagnosis, findings):
    """axe-core has no serious finding: contrast, names, scrolling by keyboard."""
    assert findings(diagnosis) == []
