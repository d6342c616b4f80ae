"""Where files are: of the workflow, of the user's configuration, of neither."""

from plan.documents import read_yaml
from plan.places import amend, find_files, of_workflow, source, sources, workflow_files
from repository import ROOT
from snakemake.io import get_flag_value


def test_files_are_found_beside_the_configuration_then_here_then_in_the_workflow(
    tmp_path, monkeypatch
):
    beside, here, workflow = (tmp_path / name for name in ("beside it", "here", "workflow"))
    for folder, names in ((beside, "a"), (here, "ab"), (workflow, "abc")):
        folder.mkdir()
        for name in names:
            (folder / name).touch()
    monkeypatch.chdir(here)
    config = {
        "claims": "a",
        "experiment": {"module": "b", "files": ["c", "d"], "data": {"path": "c", "a": "a"}},
        "environments": {"one": {"file": "a"}, "two": {"file": str(workflow / "b")}},
        "sweep": {"releases": {"one": {"file": "b", "label": "a"}}},
        "results": "a",
    }
    find_files(config, [beside, ".", workflow])
    assert config == {
        "claims": "../beside it/a",
        "experiment": {
            "module": "b",
            "files": ["../workflow/c", "d"],
            "data": {"path": "../workflow/c", "a": "a"},
        },
        "environments": {"one": {"file": "../beside it/a"}, "two": {"file": "../workflow/b"}},
        "sweep": {"releases": {"one": {"file": "b", "label": "a"}}},
        "results": "a",
    }


def test_the_page_names_files_of_the_workflow_whatever_is_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("claims.yaml", "config.yaml"):
        (tmp_path / name).touch()
    config = {"seeds": [11], "protocols": {"question": {"epochs": 2}}}
    amend(config, read_yaml(ROOT / "config.yaml"))
    assert config["claims"] == str(ROOT / "claims.yaml")
    assert config["seeds"] == [11]
    assert config["protocols"]["question"]["epochs"] == 2
    assert config["protocols"]["question"]["batch_size"] == 32


def test_what_is_no_configuration_stays_as_it_is():
    config = {"experiment": 3, "environments": ["x"], "claims": {"a": "b"}, "sweep": None}
    find_files(config, [ROOT])
    assert config == {"experiment": 3, "environments": ["x"], "claims": {"a": "b"}, "sweep": None}


def test_files_are_recorded_under_their_names_in_the_workflow(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "own.yaml"
    own.touch()
    citation = of_workflow("CITATION.cff")
    assert citation == str(ROOT / "CITATION.cff")
    assert get_flag_value(citation, "sourcecache_entry") == "CITATION.cff"
    marked = [citation, *workflow_files("envs/*.yaml"), *sources(["own.yaml"])]
    assert len(marked) > 10
    assert all(get_flag_value(path, "local") for path in marked)  # no prefix is put before them
    assert get_flag_value(source("own.yaml"), "sourcecache_entry") is None
    monkeypatch.chdir(ROOT)
    assert of_workflow("CITATION.cff") == "CITATION.cff"
    assert get_flag_value(of_workflow("CITATION.cff"), "sourcecache_entry") is None
