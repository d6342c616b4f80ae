"""What `make smoke` trains and judges: the page's four numbers, and V1 and V2 in both releases."""

import pytest
from plan.configuration import load_claims
from plan.reduce import find_claims, reduce_config
from plan.runs import run_files, training_jobs
from repository import ROOT


@pytest.fixture
def smoke(planned):
    return find_claims({"claim": "smoke"}, load_claims(ROOT / "claims.yaml", planned))


def test_smoke_is_about_the_published_numbers_and_the_extra_layer(smoke):
    numbers = [claim["published"] for claim in smoke if claim["test"] == "published_number"]
    assert numbers == ["0.7751", "1.1230", "0.840", "0.819"]
    others = {claim["test"]: claim["cells"] for claim in smoke if "published" not in claim}
    assert set(others) == {"different_result", "same_result"}  # in 1.14.0, in 2.0.0
    for cells in others.values():
        assert [cell["variant"] for cell in cells] == ["plain", "activation"]


def test_smoke_trains_one_job_of_tf_keras_in_each_release(planned, smoke):
    reduced = reduce_config(planned | {"claim": "smoke", "seeds": [11, 3]}, smoke)
    assert run_files(reduced, training_jobs(reduced)) == [
        f"results/claims/smoke/runs/{environment}/tf.keras/variants1-seed3.jsonl"
        for environment in ("tf1.14-keras2.2.4", "tf2.0-keras2.3.1")
    ]
