"""What the study would not follow of a configuration is told before anything is trained."""

import copy

import pytest
from plan.configuration import ConfigurationError, check_config
from repository import ROOT

from page.study_check import check_study, study_mistakes


def mistakes_in(config):
    """Return the lines about what the study would not follow in a checked configuration."""
    planned = check_config(config, ROOT)
    with pytest.raises(ConfigurationError) as caught:
        check_study(planned)
    return str(caught.value).splitlines()


def change(config, key, value):
    """Set the value at a path such as "repeats/keras"."""
    *folders, last = key.split("/")
    for folder in folders:
        config = config[folder]
    config[last] = value


def test_the_committed_study_is_right(committed_config):
    check_study(committed_config)


DISAGREEING = [
    ("experiment/data/features", 16, "found 16, expected 12"),
    ("experiment/loss", "mean absolute error", "expected mean squared error"),
    ("protocols/question/optimizer", "SGD", 'found "SGD", expected Adam'),
    ("variants/plain/layers/between", ["BatchNormalization"], "expected no layer"),
    ("variants/bn/layers/between", [{"BatchNormalization": {"momentum": 0.5}}], "expected bn"),
    ("seeds", [2000, 3], "found 2000, expected for the first one of the seeds 0 to 1999"),
    ("study/parts/data_seeds/compared", 10**9, "found 1000000000, expected at most"),
]


@pytest.mark.parametrize(("key", "value", "told"), DISAGREEING)
def test_what_the_study_would_not_follow_is_refused(config, key, value, told):
    """It would train the page's experiment all the same, without a word."""
    change(config, key, value)
    assert any(line.startswith(f"config: {key}: ") and told in line for line in mistakes_in(config))
    if "study" not in key:  # the experiment without its study is right
        del config["study"], config["figures"]["seeds"]
        check_config(config, ROOT)


def test_the_study_is_about_the_experiment_of_the_page(planned):
    planned["experiment"]["module"] = "examples/classifier/experiment.py"
    lines = [line for line in study_mistakes(planned) if line[0] == "experiment/module"]
    assert len(lines) == 1


def test_a_variant_of_ones_own_cannot_be_in_the_study(config):
    config["variants"]["relu"] = {
        "label": "relu",
        "layers": {"between": [{"Activation": {"activation": "relu"}}]},
    }
    check_config(copy.deepcopy(config), ROOT)  # besides it, it may be
    config["study"]["parts"]["momentum"]["cells"][0]["variant"] = "relu"
    (line,) = mistakes_in(config)
    assert "variants/relu" in line
    assert "a variant that the study's engine trains: plain, activation" in line


def test_a_run_of_the_study_is_as_long_as_one_setting_says(config):
    config["study"]["parts"]["momentum"]["cells"][0]["steps"] = 60
    assert any(
        'found "steps and epochs", expected one of the two' in one for one in mistakes_in(config)
    )
