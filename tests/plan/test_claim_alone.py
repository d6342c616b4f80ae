"""Every claim has a command of its own, which trains what it rests on and no more."""

import csv
import re

import claims_to_commands
import pytest
from plan.claims import read_claims
from plan.configuration import ConfigurationError, check_config
from plan.reduce import find_claims, reduce_config
from repository import ROOT, run_make

CLAIMS = {claim["id"]: claim for claim in read_claims(ROOT / "claims.yaml")}
ALONE = [name for name, claim in CLAIMS.items() if not claims_to_commands.needs_study(claim)]


def test_list_is_that_of_the_claims():
    with (ROOT / "docs/claims-to-commands.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == claims_to_commands.COLUMNS
    expected = [
        claims_to_commands.list_row(claim, ROOT.__class__("results")) for claim in CLAIMS.values()
    ]
    # The minutes are measured, so not to be known here; all else is.
    kept = [name for name in claims_to_commands.COLUMNS if name != "minutes"]
    listed = [dict(zip(claims_to_commands.COLUMNS, row, strict=True)) for row in expected]
    assert [{name: row[name] for name in kept} for row in rows] == [
        {name: row[name] for name in kept} for row in listed
    ], "run: python tests/claims_to_commands.py"
    assert all(float(row["minutes"]) > 0 for row in rows)


def test_minutes_are_those_of_all_jobs(tmp_path):
    folder = tmp_path / "claims/x/benchmarks/train_runs"
    folder.mkdir(parents=True)
    for name in ("one", "two"):
        (folder / f"{name}.tsv").write_text("s\th:m:s\n30.0\t0:00:30\n")
    row = claims_to_commands.list_row({"id": "x", "test": "lower_loss"}, tmp_path)
    assert row[1:3] == ["make claim NAME=x", "1.0"]


@pytest.fixture
def config(config):
    """The experiment as it is planned."""
    return check_config(config, ROOT)


def reduced_to(config, name):
    """Return the configuration of a claim alone."""
    return reduce_config(config | {"claim": name}, [CLAIMS[name]])


def test_an_unknown_claim_is_told(config):
    expected = r'found "x", expected one of: one, two$'
    with pytest.raises(ConfigurationError, match=expected):
        find_claims({"claim": "x"}, [{"id": "one"}, {"id": "two"}])


def test_the_command_trains_and_judges_what_one_claim_rests_on():
    done = run_make("claim", ROOT, "NAME=question_loss_without_bn", "snakemake=snakemake --dry-run")
    assert done.returncode == 0, done.stdout
    counts = re.findall(r"^(\w+) +1$", done.stdout.partition("Job stats:")[2], re.MULTILINE)
    assert sorted(set(counts)) == ["collect_tables", "judge_claims", "train_runs"]


def test_one_number_needs_one_cell(config):
    reduced = reduced_to(config, "question_loss_without_bn")
    assert list(reduced["environments"]) == ["tf1.14-keras2.2.4"]
    assert reduced["environments"]["tf1.14-keras2.2.4"]["apis"] == ["tf.keras"]
    assert list(reduced["variants"]) == ["activations"]
    assert list(reduced["protocols"]) == ["question"]
    assert reduced["comparisons"] == {}
    assert reduced["results"] == "results/claims/question_loss_without_bn"


@pytest.mark.parametrize("name", ALONE)
def test_what_a_claim_names_is_there(config, name):
    claim = CLAIMS[name]
    reduced = reduced_to(config, name)
    cells = claim.get("cells", [])
    if "comparison" in claim:
        pair = reduced["comparisons"][claim["comparison"]]
        cells = [pair["first"], pair["second"]]
        assert claim.get("control", "published") in reduced["controls"]
    for cell in cells:
        assert cell["api"] in reduced["environments"][cell["environment"]]["apis"]
        assert cell["variant"] in reduced["variants"]
        assert cell["protocol"] in reduced["protocols"]
    if "architecture" in claim:
        assert claim["architecture"] in reduced["control_runs"]["crossed"]["architectures"]


@pytest.mark.parametrize("name", sorted(CLAIMS.keys() - set(ALONE)))
def test_a_claim_that_needs_the_study_is_told(config, name):
    with pytest.raises(ConfigurationError, match="rests on the whole study; run `make study`"):
        reduced_to(config, name)
