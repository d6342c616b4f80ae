"""A mistake in config.yaml or claims.yaml is told as file, key, what was found and expected."""

import copy
import json
from itertools import product
from types import SimpleNamespace

import pytest
from plan.cells import name_cell
from plan.configuration import (
    ConfigurationError,
    check_config,
    fill_defaults,
    load_claims,
    read_interface,
    restore_numbers,
)
from plan.controls import control_jobs
from plan.documents import read_mapping, read_yaml
from plan.runs import plan_runs, run_files, training_jobs
from planted import plan_of_controls
from repository import ROOT, write_yaml

from page.plans import plan_chunk, plan_sample

MODULE = "page/autoencoder.py"
REMOVED = object()


def change(config, key, value):
    """Set the value at a path such as "repeats/keras", or remove it."""
    *folders, last = key.split("/")
    for folder in folders:
        config = config[folder]
    if value is REMOVED:
        del config[last]
    else:
        config[last] = value


def mistakes_in(config):
    """Return the lines about what is wrong with a configuration."""
    with pytest.raises(ConfigurationError) as caught:
        check_config(config, ROOT)
    return str(caught.value).splitlines()


def test_the_committed_configuration_is_right(config):
    check_config(config, ROOT)
    assert load_claims(ROOT / config["claims"], config)


SEEDS = "graph-level seeds, one run each; the first is that of the controls, releases and figures"
SCHEMA_MISTAKES = [
    ("seeds", 3, f"found 3, expected an array ({SEEDS})"),
    ("seeds", [], f"found [], expected at least 1 item(s) ({SEEDS})"),
    ("seeds", [3, 3], f"found [3, 3], expected no item twice ({SEEDS})"),
    ("repeats/keras", "five", 'found "five", expected an integer'),
    ("repeats/keras", True, "found true, expected an integer"),
    ("protocols/question/epochs", 0, "found 0, expected at least 1"),
    ("protocols/question/learning_rate", 0, "found 0, expected more than 0"),
    ("protocols/question/validation_split", 1, "found 1, expected less than 1"),
    (
        "protocols/answer/training_rows",
        [0],
        "found [0], expected at least 2 item(s) (a half-open range of rows, [first, last])",
    ),
    ("figures/val_loss/rows", "90-100", 'found "90-100", expected text that matches '
     '^[0-9]+:[0-9]+$ (evaluation rows as the tables write them, "first:last")'),
    ("environments", {}, "found {}, expected at least 1 key(s) (framework versions)"),
    ("experiment/data_seed", REMOVED, "found nothing, expected the key data_seed"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "line"), SCHEMA_MISTAKES)
def test_wrong_value(config, key, value, line):
    change(config, key, value)
    where = key if value is not REMOVED else key.rpartition("/")[0]
    assert mistakes_in(config) == [f"config: {where}: {line}"]


@pytest.mark.parametrize(
    ("key", "known"), [("figures/formats", "svg, pdf, png"),
                       ("environments/tf2.0-keras2.3.1/apis", "tf.keras, keras")]
)  # fmt: skip
def test_value_outside_the_choices(config, key, known):
    change(config, key, ["gif"])
    assert mistakes_in(config) == [f'config: {key}/0: found "gif", expected one of {known}']


def test_wrong_layer(config):
    change(config, "variants/bn/layers/between", ["BatchNormalization", 3])
    assert mistakes_in(config) == [
        "config: variants/bn/layers/between/1: found 3, "
        "expected a Keras class name, or one class name with its arguments"
    ]


def test_name_that_makes_no_file_name(config):
    config["variants"]["a b"] = config["variants"]["bn"]
    (line,) = mistakes_in(config)
    assert line.startswith('config: variants: found "a b", expected text that matches')


@pytest.mark.parametrize("key", ["environments", "controls"])
def test_name_that_makes_the_logs_of_a_group_too_long(config, key):
    name = "n" * 25
    fill_defaults(config)
    config[key][name] = next(iter(config[key].values()))
    assert mistakes_in(config) == [
        f'config: {key}: found "{name}", expected at most 24 characters (a short name, since a '
        "cluster's logs are named after the rules of several of them)"
    ]


def test_unknown_key(config):
    config["sedes"] = [3]
    (line,) = mistakes_in(config)
    assert line.startswith("config: top level: found unknown sedes, expected only experiment, ")


def test_each_missing_key_is_told_once(config):
    del config["seeds"], config["variants"]
    assert mistakes_in(config) == [
        "config: top level: found nothing, expected the keys seeds, variants"
    ]


UNKNOWN_NAMES = [
    ("variants/plain/layers", {"middle": []}, "middle", f"a slot of {MODULE}: between, after"),
    ("protocols/answer/procedure", "guess", "guess", f"one of {MODULE}: fit, train_on_batch"),
    ("figures/weight_sums/protocol", "reply", "reply", "a protocol: question, answer"),
    ("figures/val_loss/protocol", "reply", "reply", "a protocol: question, answer"),
    ("figures/weight_sums/variants", ["plane"], "plane", "a variant: plain, activation, "),
    ("figures/val_loss/rows", "0:90", "0:90", "evaluation rows of its protocol: 80:90, 90:100"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "found", "expected"), UNKNOWN_NAMES)
def test_name_that_is_nowhere_defined(config, key, value, found, expected):
    change(config, key, value)
    (line,) = mistakes_in(config)
    assert line.startswith(f"config: {key}: found {found}, expected {expected}")


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("experiment/module", "nowhere.py"),
        ("claims", "nowhere.yaml"),
        ("environments/tf2.0-keras2.3.1/file", "envs/nowhere.yaml"),
    ],
)
def test_missing_file(config, key, path):
    change(config, key, path)
    assert mistakes_in(config) == [
        f"config: {key}: found {path}, which is no file, expected a path from "
        f"the configuration's folder, {ROOT} or the workflow's"
    ]


def test_numbers_of_the_command_line_are_numbers_again(config):
    changed = copy.deepcopy(config)
    changed["seeds"] = ["3", "11"]  # as Snakemake reads --config 'seeds=[3,11]'
    changed["protocols"]["answer"]["learning_rate"] = "0.01"
    changed["repeats"]["keras"] = "five"
    restore_numbers(changed)
    assert changed["seeds"] == [3, 11]
    assert changed["protocols"]["answer"]["learning_rate"] == 0.01
    assert changed["repeats"]["keras"] == "five"
    same = copy.deepcopy(config)
    restore_numbers(same)
    assert same == config


def test_several_mistakes_are_told_at_once(config):
    change(config, "seeds", "3")
    change(config, "repeats/keras", 0)
    change(config, "figures/weight_sums/api", "pytorch")
    assert [line.split(": ")[1] for line in mistakes_in(config)] == [
        "figures/weight_sums/api",
        "repeats/keras",
        "seeds",
    ]


def test_several_unknown_names_are_told_at_once(config):
    change(config, "protocols/answer/procedure", "guess")
    change(config, "figures/val_loss/protocol", "reply")
    assert len(mistakes_in(config)) == 2


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("SLOTS = ()\n", "an experiment also has to define make_data, build_model, PROCEDURES"),
        ("def make_data(:\n", "line 1: invalid syntax"),
        (
            "SLOTS = tuple('ab')\nPROCEDURES = {}\nmake_data = build_model = print\n",
            "expected SLOTS to be a tuple of names",
        ),
    ],
)
def test_module_without_the_interface(tmp_path, config, source, message):
    module = tmp_path / "module.py"
    module.write_text(source)
    config["experiment"]["module"] = str(module)
    (line,) = mistakes_in(config)
    assert line.startswith(f"{module}: {message}")


def test_interface_is_read_without_importing():
    assert read_interface(ROOT / MODULE) == (["between", "after"], ["fit", "train_on_batch"])


# --- claims.yaml ---------------------------------------------------------------------------------

CELL = {
    "environment": "tf2.0-keras2.3.1", "api": "tf.keras", "variant": "bn", "protocol": "answer",
    "seed": 3, "rows": "80:90",
}  # fmt: skip
CLAIM = {
    "id": "a", "statement": "s", "place": "p", "test": "published_number", "published": "0.8",
    "cells": [name_cell(CELL)],
}  # fmt: skip


@pytest.fixture
def claims_mistakes(tmp_path, config):
    """Return the lines about what is wrong with these claims."""

    def claims_mistakes(*claims):
        path = tmp_path / "claims.yaml"
        write_yaml({"page": "https://example.org", "claims": list(claims)}, path)
        with pytest.raises(ConfigurationError) as caught:
            load_claims(path, config)
        return str(caught.value).replace(f"{path}: ", "").splitlines()

    return claims_mistakes


def test_claim_named_twice(claims_mistakes):
    assert claims_mistakes(CLAIM, CLAIM) == ["id: found a twice, expected once"]


@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("environment", "tf1.14-keras2.2.4, tf2.0-keras2.3.1"),
        ("variant", "plain, activation, "),
        ("protocol", "question, answer"),
    ],
)
def test_claim_about_an_unknown_cell(claims_mistakes, key, known):
    claim = CLAIM | {"cells": [name_cell(CELL | {key: "other"})]}
    (line,) = claims_mistakes(claim)
    kind = "an environment" if key == "environment" else f"a {key}"
    assert line.startswith(f"a/cells/{key}: found other, expected {kind}: {known}")


@pytest.mark.parametrize("line", ["a/keras/b/c", "a/keras/b/c/9:10", "a/b/c/d/3", "a/keras/b/c/3/"])
def test_cell_that_is_no_line_of_its_parts(claims_mistakes, line):
    (said,) = claims_mistakes(CLAIM | {"cells": [line]})
    assert said.startswith(f'claims/0/cells/0: found "{line}", expected text that matches ^')
    assert said.endswith("tf2.0-keras2.3.1/tf.keras/bn/answer/3/90:100)")


def test_claim_about_an_unknown_comparison(claims_mistakes):
    claim = read_yaml(ROOT / "claims.yaml")["claims"]
    claim = next(one for one in claim if "comparison" in one) | {"comparison": "other"}
    (line,) = claims_mistakes(claim)
    assert line.startswith(f"{claim['id']}/comparison: found other, expected a comparison: extra_")


@pytest.mark.parametrize("content", [b"claims: [", b"\xff\xfe", "é: 1".encode("utf-16"), b"\x00"])
def test_claims_that_are_no_yaml(tmp_path, config, content):
    path = tmp_path / "claims.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"^{path}: found no YAML in UTF-8, expected"):
        load_claims(path, config)


@pytest.mark.parametrize(("text", "found"), [("", "nothing"), ("- a", "a list"), ("3", "a int")])
def test_configuration_without_keys(tmp_path, text, found):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{path}: top level: found {found}, expected keys"):
        read_mapping(path)


def test_published_number_has_to_be_quoted(claims_mistakes):
    (line,) = claims_mistakes(CLAIM | {"published": 0.840})
    assert line.startswith("claims/0/published: found 0.84, expected a string (the number or text")


def test_verdicts_cannot_be_typed(claims_mistakes):
    (line,) = claims_mistakes(CLAIM | {"verdict": "reproduced"})
    assert line.startswith("claims/0: found unknown verdict, expected only ")


def test_unknown_test(claims_mistakes):
    (line,) = claims_mistakes(CLAIM | {"test": "believe"})
    assert line.startswith('claims/0/test: found "believe", expected one of published_number, ')


@pytest.mark.parametrize(
    ("test", "missing"),
    [
        ("published_number", "published"),
        ("published_number", "cells"),
        ("rows_held_out", "published"),
        ("layer_output_name", "layer"),
        ("layers_are_identities", "layer"),
    ],
)
def test_claim_lacks_what_its_test_needs(claims_mistakes, test, missing):
    claim = CLAIM | {"layer": "activation", "test": test, "cells": CLAIM["cells"] * 2}
    del claim[missing]
    assert claims_mistakes(claim) == [f"claims/0: found nothing, expected the key {missing}"]


@pytest.mark.parametrize(
    "test", ["lower_loss", "same_result", "different_result", "rows_held_out", "same_up_to_spread"]
)
def test_comparison_needs_two_cells(claims_mistakes, test):
    (line,) = claims_mistakes(CLAIM | {"test": test})
    assert line.startswith("claims/0/cells: found [")
    assert line.endswith("expected at least 2 item(s)")


REQUIRED = {
    "question_loss_without_bn", "question_loss_with_bn", "answer_loss_without_bn",
    "answer_loss_with_bn", "answer_losses_are_validation_losses",
    "extra_activation_changes_result_in_1_14", "extra_activation_changes_nothing_in_2_0",
    "activation_is_identity", "activation_output_name", "keras_import_solves_it_in_1_14",
    "keras_import_solves_it_in_2_0", "bn_position_makes_no_difference_in_1_14",
    "bn_position_makes_no_difference_in_2_0", "small_batches_are_bad", "data_set_must_be_large",
    "linear_pair_is_best", "linear_autoencoder_is_pca", "what_makes_bn_help",
}  # fmt: skip


def test_every_statement_of_the_page_is_a_claim():
    claims = read_yaml(ROOT / "claims.yaml")["claims"]
    assert {claim["id"] for claim in claims} >= REQUIRED
    assert {claim.get("published") for claim in claims} >= {
        "0.7751", "1.1230", "0.840", "0.819", "activation/activation/Identity:0",
    }  # fmt: skip
    assert not any("verdict" in claim for claim in claims)


# --- which runs a configuration asks for ---------------------------------------------------------


def planned_cells(config):
    """Return (environment, api, variant, protocol, seed, repeat) of every run that is planned."""
    jobs = training_jobs(config)
    return [
        (environment, api, cell["variant"], cell["protocol"], seed, repeat)
        for environment, entry in config["environments"].items()
        for api, job in product(entry["apis"], jobs)
        for wildcards in [SimpleNamespace(environment=environment, api=api, job=job)]
        for plan in [json.loads("".join(plan_runs(config, jobs)(wildcards)))]
        for seed, cell, repeat in product(plan["seeds"], plan["cells"], range(plan["repeats"]))
    ]


@pytest.mark.parametrize("size", [1, 4, 6])
def test_every_cell_is_planned_once_whatever_shares_a_job(planned, size):
    cells = planned_cells(
        planned | {"variants_per_job": size, "seeds_per_job": 2, "seeds": [3, 11]}
    )
    assert len(cells) == len(set(cells)) == 2 * 2 * len(planned["variants"]) * 2 * (1 + 5)
    assert ("tf2.0-keras2.3.1", "keras", "bn", "answer", 3, 4) in cells


def test_each_job_writes_one_file(planned):
    files = run_files(planned, training_jobs(planned))
    assert files == [
        f"results/runs/{environment}/{api}/variants1-seed3.jsonl"
        for environment in planned["environments"]
        for api in ("tf.keras", "keras")
    ]


def plans(config):
    """Return {job: its plan} in one environment."""
    jobs = training_jobs(config)
    place = {"environment": "tf2.0-keras2.3.1", "api": "tf.keras"}
    plan = plan_runs(config, jobs)
    return {job: plan(SimpleNamespace(job=job, **place)) for job in jobs}


def test_another_seed_or_variant_that_shares_no_job_changes_no_plan(planned):
    before = plans(planned)
    assert plans(planned | {"seeds": [3, 11]}).items() > before.items()
    variants = {**planned["variants"], "none": {"label": "none", "layers": {}}}
    assert plans(planned | {"variants": variants}).items() > before.items()
    assert len(plans(planned | {"variants": variants})) == 2


def test_another_protocol_trains_the_page_and_neither_controls_nor_study(planned):
    def other_plans():
        jobs = control_jobs(planned)
        chunk = SimpleNamespace(part="protocols", environment="x", first="0", last="9")
        controls = [plan_of_controls(planned, jobs, job) for job in jobs]
        return [*controls, plan_chunk(planned, chunk), plan_sample(planned, chunk)]

    page, others = plans(planned), other_plans()
    planned["protocols"]["more"] = planned["protocols"]["question"] | {"epochs": 99}
    assert other_plans() == others
    assert plans(planned).keys() == page.keys()
    assert not set(plans(planned).values()) & set(page.values())


def test_labels_are_in_no_plan(planned):
    before = plans(planned)
    planned["variants"]["bn"]["label"] = "other"
    planned["experiment"]["loss"] = "other"
    assert plans(planned) == before


@pytest.mark.parametrize(
    ("size", "jobs"),
    [
        (1, {"variants1-seed3": [3], "variants1-seed11": [11], "variants1-seed20": [20]}),
        (2, {"variants1-seeds3-11": [3, 11], "variants1-seed20": [20]}),
        (10, {"variants1-seeds3-20": [3, 11, 20]}),
    ],
)
def test_seeds_of_a_job(size, jobs):
    config = {"variants": {"bn": {}}, "variants_per_job": 6}
    found = training_jobs(config | {"seeds": [3, 11, 20], "seeds_per_job": size})
    assert {job: seeds for job, (_, seeds) in found.items()} == jobs


NAN, INF = float("nan"), float("inf")
REFUSED = [
    ("protocols/question/learning_rate", NAN, "found NaN, expected a number"),
    ("protocols/question/learning_rate", INF, "found Infinity, expected a number"),
    ("protocols/question/epochs", 2.0, "found 2.0, expected an integer"),
    ("seeds", [3.0], "found 3.0, expected an integer"),
    ("study/parts/protocols/seeds", 2000.0, "found 2000.0, expected an integer"),
    ("results", "a/../../x", "expected text that matches"),
    ("results", "../x", "expected text that matches"),
    ("results", "envs", "expected text that matches"),
    ("results", "workflow/x", "expected text that matches"),
    ("results", "page/x", "expected text that matches"),
    ("results", "x" * 101, "expected at most 100 characters"),
    ("protocols/question/epochz", 3, "found unknown epochz, expected only procedure"),
    ("protocols/question/training_rows", [0, 101], "expected a range of rows within the 100"),
    ("protocols/question/evaluation_rows", [[80, 90], [90, 100], [99, 120]], "within the 100 rows"),
    ("protocols/question/epochs", 10**9, "found 1000000000, expected at most 1000000"),
    ("experiment/data/rows", "hundred", "expected a number of rows"),
    (
        "environments/figures",
        {"file": "envs/figures.yaml", "label": "", "apis": ["tf.keras"]},
        'found "figures", expected a short name, but not figures or study',
    ),
    ("variants/" + "v" * 101, {"label": "", "layers": {}}, "expected at most 100 characters"),
    ("protocols/question/batch_size", 91, "found 91, expected at most the 90 training rows"),
]


@pytest.mark.parametrize(("key", "value", "told"), REFUSED)
def test_what_would_fail_later_or_outside_is_refused(config, key, value, told):
    change(config, key, value)
    lines = mistakes_in(config)
    assert any(told in line for line in lines), lines
