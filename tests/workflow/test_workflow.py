"""The workflow on a small experiment: what runs, what runs again, and what does not."""

import csv
import hashlib
import json
import re

import pytest
from judge.records import Records
from judge.tables import cell_of, read_table
from plan.documents import read_yaml
from repository import messages_of

pytestmark = pytest.mark.slow

TABLES = ["runs", "epochs", "steps", "layers", "claims"]
TRAINING = "Training variants1-{} in tf1.14-keras2.2.4 with tf.keras"
FIGURES = ["weight_sums", "val_loss", "published_and_measured", "trajectories", "initial_kernels"]


def trainings(messages):
    """Return those of the jobs that train."""
    return sorted(message for message in messages if "raining" in message)


def records_of(files, part=""):
    """Return the files of records, or those whose path has a part."""
    return {
        path: state for path, state in files.items() if path.endswith(".jsonl") and part in path
    }


def test_run_gives_tables_claims_and_figures(finished_run):
    workspace, _ = finished_run
    results = workspace.folder / "results"
    assert all((results / f"tables/{name}.csv").is_file() for name in TABLES)
    for figure in FIGURES:
        for kind in ("svg", "pdf", "png"):
            assert (results / f"figures/{figure}.{kind}").stat().st_size > 1000
    runs = read_table(results / "tables/runs.csv")
    assert set(runs["tensorflow"]) == {"1.14.0"}
    assert set(runs["epochs"]) == {2}
    assert len(runs) == 2 * 2 * 2  # variants, protocols, ranges of rows
    verdicts = read_table(results / "tables/claims.csv").set_index("claim")["verdict"]
    assert verdicts["extra_activation_changes_result_in_1_14"] == "reproduced"


def test_run_leaves_what_explains_it(finished_run):
    workspace, _ = finished_run
    files = workspace.files()
    packages = files["results/provenance/packages/tf1.14-keras2.2.4.csv"][1].decode()
    assert ",python,3.7." in packages
    tensorflow = next(line for line in packages.splitlines() if line.startswith("pip,tensorflow,"))
    assert len(tensorflow.rpartition(",")[2]) >= 64  # its hash
    assert b"epochs: 2" in files["results/provenance/config.yaml"][1]
    assert any(path.startswith("results/benchmarks/train_runs/") for path in files)


def test_run_says_what_it_stood_on_and_what_it_took(finished_run):
    workspace, _ = finished_run
    folder = workspace.folder / "results/provenance"
    run = json.loads((folder / "run.json").read_text())
    assert run["started"] < run["ended"]
    assert run["git"] is None  # the copy is no clone
    assert run["machine"]["cpu_flags"]
    assert run["trained_with"][0]["python"].startswith("3.7.")
    assert run["config"] == read_yaml(folder / "config.yaml")
    for environment in run["environments"].values():
        for file in (environment["list"], environment["lock"]):
            content = (workspace.folder / file["file"]).read_bytes()
            assert file["sha256"] == hashlib.sha256(content).hexdigest()
    with (folder / "resources.csv").open() as stream:
        resources = {row["rule"]: row for row in csv.DictReader(stream)}
    training = resources["train_runs"]
    assert (training["environment"], training["jobs"]) == ("tf1.14-keras2.2.4", "1")
    assert float(training["wall_seconds"]) > 1
    assert float(training["peak_memory_mb"]) > 50
    assert {"judge_claims", "render_figure", "compare_controls"} <= resources.keys()


def test_run_ends_with_the_claims_and_the_figures(finished_run):
    _, printed = finished_run
    end = printed[printed.index("steps (100%) done") :]
    assert re.search(r"reproduced +An extra Activation\('linear'\) changes the training in", end)
    assert "Reasons and measured values: results/tables/claims.csv" in end
    assert end.index("Figures:") < end.index("results/figures/weight_sums.png")


def test_smoke_judges_its_claims(finished):
    done = finished.snakemake("--config", "claim=smoke", "--", "judge_claims")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("Training ") == 1  # one job of the one environment
    smoke, whole = (
        (finished.folder / "results" / folder / "tables/claims.csv").read_text().splitlines()
        for folder in ("claims/smoke", ".")
    )
    claim = "extra_activation_changes_result_in_1_14,"
    assert smoke == [whole[0], *(line for line in whole if line.startswith(claim))]
    assert len(smoke) == 2
    end = done.stdout[done.stdout.index("steps (100%) done") :]
    assert "reproduced  An extra Activation('linear') changes the training in" in end
    assert "Reasons and measured values: results/claims/smoke/tables/claims.csv" in end
    assert "These verdicts were computed here." in end


def test_what_looks_at_a_run_changes_nothing_of_its_provenance(finished):
    planned = finished.planned("report", "write_crate", "build_documentation")
    assert "Writing what the run stood on and what it took" not in planned


def test_second_run_has_nothing_to_do(finished):
    before = finished.files()
    done = finished.snakemake()
    assert done.returncode == 0, done.stdout
    assert "Nothing to be done" in done.stdout
    assert finished.files() == before


def test_another_seed_trains_only_that_seed(finished):
    finished.change_config(draw_one_figure)
    before = records_of(finished.files())
    done = finished.snakemake("--config", "seeds=[3,11]")
    assert done.returncode == 0, done.stdout
    assert trainings(messages_of(done.stdout)) == [TRAINING.format("seed11")]
    after = finished.files()
    assert len(records_of(after, "seed11")) == 1
    assert records_of(after).items() > before.items()  # times of change, too
    runs = read_table(finished.folder / "results/tables/runs.csv")
    assert set(runs["seed"]) == {3, 11}
    assert jobs_that_train(finished) == "2"
    # Back at the first configuration, what the other one took no longer counts.
    assert finished.snakemake().returncode == 0
    assert jobs_that_train(finished) == "1"


def draw_one_figure(config):
    """Leave one figure of those that a run draws: the others take longer than the training."""
    config["figures"] = {"val_loss": config["figures"]["val_loss"]}


def jobs_that_train(workspace):
    """Return how many jobs of the page a run says that it took."""
    with (workspace.folder / "results/provenance/resources.csv").open() as stream:
        return {row["rule"]: row["jobs"] for row in csv.DictReader(stream)}["train_runs"]


def test_seeds_may_share_a_job(finished):
    several = ["--config", "seeds=[11,3]", "seeds_per_job=2"]
    done = finished.snakemake(*several, "--until", "train_runs")
    assert done.returncode == 0, done.stdout
    assert trainings(messages_of(done.stdout)) == [TRAINING.format("seeds11-3")]
    folder = finished.folder / "results/runs/tf1.14-keras2.2.4/tf.keras"
    alone = Records([folder / "variants1-seed3.jsonl"])
    together = list(Records([folder / "variants1-seeds11-3.jsonl"]))
    by_cell = {tuple(cell_of(record).values()): record for record in together}
    assert len(together) == 2 * len(list(alone)) == 8
    for record in alone:
        cell = cell_of(record)
        same, other = by_cell[tuple(cell.values())], by_cell[tuple((cell | {"seed": 11}).values())]
        assert other["trajectory_sha256"] != record["trajectory_sha256"]
        for name in ("machine", "seconds"):
            del record[name], same[name]
        assert record == same


def test_another_variant_needs_only_the_configuration(finished):
    def add(config):
        config["variants_per_job"] = 2
        config["variants"]["dropout"] = {
            "label": "Dropout",
            "layers": {"between": [{"Dropout": {"rate": 0.5}}], "after": []},
        }

    finished.change_config(add)
    assert trainings(finished.planned()) == [
        "Training variants2-seed3 in tf1.14-keras2.2.4 with tf.keras"
    ]


def test_another_label_and_another_claim_train_and_compare_nothing(finished):
    def rename(config):
        config["variants"]["plain"]["label"] = "none"

    finished.change_config(rename)
    claims = finished.folder / "tests/small-claims.yaml"
    claims.write_text(claims.read_text().replace("statement: ", "statement: Perhaps, ", 1))
    planned = finished.planned()
    assert {"Plotting val_loss", "Judging the claims of the page"} <= planned
    assert not [message for message in planned if re.match("Training|Controls|Co", message)]


def test_other_epochs_train_everything_again(finished):
    def more_epochs(config):
        for protocol in config["protocols"].values():
            protocol["epochs"] = 3

    finished.change_config(more_epochs)
    assert {
        TRAINING.format("seed3"),
        "Controls (shared) in tf1.14-keras2.2.4 with tf.keras",
    } <= finished.planned()


@pytest.mark.parametrize(
    ("module", "again", "not_again"),
    [
        (
            "judge/compare.py",
            "Comparing the controls, bit for bit",
            "Collecting the records into tables",
        ),
        (
            "train/observe.py",
            TRAINING.format("seed3"),
            None,
        ),
    ],
)
def test_an_edited_module_runs_again_what_imports_it(finished, module, again, not_again):
    with (finished.folder / "workflow" / module).open("a") as stream:
        stream.write("# edited\n")
    planned = finished.planned()
    assert again in planned
    assert not_again not in planned


def test_a_command_in_a_path_is_not_run(finished):
    odd = "c $(touch planted) 'd'.yaml"
    (finished.folder / odd).write_text((finished.folder / "tests/small-claims.yaml").read_text())
    (finished.folder / "own.yaml").write_text(json.dumps({"claims": odd}))
    done = finished.snakemake("--configfile", "own.yaml", "--", "results/tables/claims.csv")
    assert done.returncode == 0, done.stdout
    assert "Judging the claims of the page" in done.stdout
    assert not (finished.folder / "planted").exists()


def test_one_figure_by_name_is_drawn_again_with_the_same_bytes(finished):
    before = finished.files()
    figures = [f"results/figures/weight_sums.{kind}" for kind in ("svg", "pdf", "png")]
    for figure in figures:
        (finished.folder / figure).unlink()
    done = finished.snakemake(figures[0])
    assert done.returncode == 0, done.stdout
    assert "Training " not in done.stdout
    assert "Control " not in done.stdout
    after = finished.files()
    assert [after[figure][1] for figure in figures] == [before[figure][1] for figure in figures]
    assert records_of(after) == records_of(before)


MISTAKES = [
    (["seedz=[3]"], "top level: found unknown seedz, expected only experiment, "),
    (["claims=nowhere.yaml"], "claims: found nowhere.yaml, which is no file"),
]


NO_SUCH_LAYER = (
    "config: variants/plain/layers/between: found Dens, expected a class of this release"
)


@pytest.mark.parametrize(("mistake", "message"), MISTAKES)
def test_wrong_configuration_is_one_message_and_changes_nothing(finished, mistake, message):
    before = finished.files()
    done = finished.snakemake("--config", *mistake)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert "ConfigurationError:\nconfig: " in done.stdout
    assert ".smk" not in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("config: ")]
    assert line.removeprefix("config: ").startswith(message)
    assert finished.files() == before


def test_failed_training_names_its_log_and_leaves_no_record(finished):
    def misspell(config):
        config["variants"]["plain"]["layers"]["between"] = ["Dens"]

    finished.change_config(misspell)
    done = finished.snakemake()
    assert done.returncode != 0
    assert "results/logs/train_runs/" in done.stdout
    end = done.stdout[done.stdout.index("Logfile results/logs/train_runs/") :]
    assert NO_SUCH_LAYER in end
    assert "\033" not in done.stdout  # no terminal, no colours
    logs = (finished.folder / "results/logs/train_runs").rglob("*.log")
    assert any(NO_SUCH_LAYER in log.read_text() for log in logs)
    assert not records_of(finished.files(), "/runs/")
