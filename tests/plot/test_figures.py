"""Figures: nothing cut off, one colour per variant everywhere."""

import copy
import importlib
import json

import matplotlib.pyplot as plt
import pandas
import pytest
from judge.claims import judge_all
from judge.tables import make_table, read_table, write_table
from matplotlib.text import Text
from plan.claims import read_claims
from plan.configuration import check_config
from plan.documents import read_schema, read_yaml
from planted import make_control_tables, make_records, make_release_table
from plot.figures import COLOURS, new_figure, read_config, save, variant_colours, variant_label
from plot.val_loss import group_equal, take_turns
from repository import ROOT

FIGURES = read_schema("figures.yaml")
STUDY_TABLES = {
    table
    for figure in ("seeds", "bn_effect", "activation_pairs")
    for table in FIGURES[figure]["tables"]
}
WHOLE_CONFIG = check_config(read_yaml(ROOT / "config.yaml"), ROOT)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A folder with planted tables of every cell."""
    folder = tmp_path_factory.mktemp("planted")
    write_tables(WHOLE_CONFIG, folder)
    return folder


def write_tables(config, folder):
    """Write the tables of planted records."""
    records = make_records(config)
    tables = {name: make_table(name, records) for name in ("runs", "layers", "steps", "epochs")}
    tables |= make_control_tables(config)
    claims = read_claims(ROOT / "claims.yaml")
    tables["claims"] = judge_all(claims, tables)
    tables["releases"] = make_release_table(config, claims)
    for name in STUDY_TABLES:  # planting many seeds takes scipy
        tables[name] = read_table(ROOT / f"results/tables/{name}.csv")
    for name, table in tables.items():
        write_table(table, folder / f"{name}.csv")


def plot(name, config, folder):
    """Return one figure, drawn by the module that the rule calls."""
    module = importlib.import_module(FIGURES[name]["module"])
    tables = (read_table(folder / f"{table}.csv") for table in FIGURES[name]["tables"])
    return module.plot(config, *tables)


@pytest.fixture(scope="module", params=FIGURES)
def figure(request, planted):
    """Each figure, laid out."""
    figure = plot(request.param, WHOLE_CONFIG, planted)
    figure.draw_without_rendering()
    yield figure
    plt.close(figure)


def test_nothing_is_cut_off(figure):
    box = figure.get_tightbbox()  # of everything that is drawn, text included, in inches
    assert min(box.x0, box.y0) >= 0
    assert box.x1 <= figure.get_figwidth()
    assert box.y1 <= figure.get_figheight()


def test_text_is_readable_on_paper_as_wide_as_one_column_or_two(figure):
    assert figure.get_figwidth() in (3.5, 7.1)
    assert min(text.get_size() for text in figure.findobj(Text) if text.get_text()) >= 6


def test_every_figure_is_tested():
    drawing = [
        f"{path.parent.name}.{path.stem}"
        for path in [*ROOT.glob("workflow/plot/*.py"), *ROOT.glob("page/*.py")]
        if "\ndef plot(" in path.read_text(encoding="utf-8")
    ]
    assert {figure["module"] for figure in FIGURES.values()} == set(drawing)


def test_weight_sums_shows_every_environment_and_layer(planted):
    figure = plot("weight_sums", WHOLE_CONFIG, planted)
    assert len(figure.axes) == 4
    for panel, variant in zip(figure.axes, ["plain", "activation"] * 2, strict=True):
        assert [line.get_label() for line in panel.lines] == ["dense", "dense_1"]
        assert {line.get_color() for line in panel.lines} == {
            variant_colours(WHOLE_CONFIG)[variant]
        }
        assert all(len(line.get_xdata()) == 40 for line in panel.lines)
    plt.close(figure)


def test_val_loss_uses_the_same_colours(planted):
    figure = plot("val_loss", WHOLE_CONFIG, planted)
    (legend,) = figure.legends
    shown = {
        text.get_text(): line.get_color()
        for text, line in zip(legend.get_texts(), legend.get_lines(), strict=True)
    }
    colours = variant_colours(WHOLE_CONFIG)
    labels = {name: entry["label"] for name, entry in WHOLE_CONFIG["variants"].items()}
    assert shown == {labels[name]: colour for name, colour in colours.items()}
    plt.close(figure)


def test_published_numbers_all_appear(planted):
    figure = plot("published_and_measured", WHOLE_CONFIG, planted)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(labels) == 4
    assert labels[0] == "TF 1.14.0, question\nActivation twice\nrows 90–100"
    plt.close(figure)


def test_published_and_measured_without_any_number(planted, tmp_path):
    claims = pandas.read_csv(planted / "claims.csv")
    claims["measured"] = ""
    write_table(claims, tmp_path / "claims.csv")
    figure = plot("published_and_measured", WHOLE_CONFIG, tmp_path)
    save(figure, [tmp_path / "empty.png"])


def test_another_variant_leaves_the_colours_of_the_others(config):
    before = variant_colours(config)
    config["variants"]["dropout"] = {"label": "Dropout", "layers": {"between": ["Dropout"]}}
    after = variant_colours(config)
    assert after.items() >= before.items()
    assert len(set(after.values())) == len(after) == len(COLOURS)


def test_equal_curves_share_a_line():
    losses = {"a": [1.0, 0.5], "b": [1.0, 0.4], "c": [1.0, 0.5], "d": [1.0, 0.5]}
    curves = {name: pandas.DataFrame({"val_loss": values}) for name, values in losses.items()}
    assert group_equal(curves) == [["a", "c", "d"], ["b"]]


def test_dashes_of_equal_curves_fill_the_line():
    assert take_turns(0, 1) == "-"
    assert [take_turns(position, 3, length=4) for position in range(3)] == [
        (0, (4, 8)),
        (4, (4, 8)),
        (8, (4, 8)),
    ]


def test_dollars_in_a_label_are_no_formula():
    label = "$(touch x) for $5, $x_{$"
    config = read_config(json.dumps({"variants": {"a": {"label": label}}}))
    figure, ((axis,),) = new_figure(1, 1, height=1)
    text = axis.text(0, 0, variant_label(config, "a"))
    figure.canvas.draw()  # raises an error for what is no formula
    assert text._preprocess_math(text.get_text()) == (label, False)


def test_layer_that_was_not_trained_is_named(planted):
    config = copy.deepcopy(WHOLE_CONFIG)
    config["figures"]["weight_sums"]["layers"] = ["dense_1", "dense_9"]
    with pytest.raises(ValueError, match=r"weight_sums/layers: found dense_9, expected .*1"):
        plot("weight_sums", config, planted)
