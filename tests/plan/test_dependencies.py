"""The part of the configuration that a rule is given, and the code that it depends on."""

import copy
import json
from modulefinder import ModuleFinder
from pathlib import Path

from plan import dependencies
from plan.dependencies import WORKFLOW, code_files, code_of, settings
from repository import ROOT


def test_settings_are_parts_in_their_places(planned):
    before = copy.deepcopy(planned)
    chosen = json.loads(settings(planned, "figures/formats", "variants/*/label", "repeats"))
    assert chosen == {
        "figures": {"formats": ["svg", "pdf", "png"]},
        "variants": {name: {"label": one["label"]} for name, one in planned["variants"].items()},
        "repeats": planned["repeats"],
    }
    assert list(chosen["variants"]) == list(planned["variants"])  # the order decides on colours
    assert planned == before


def test_what_a_configuration_lacks_is_not_given(planned):
    del planned["figures"]["val_loss"]
    assert json.loads(settings(planned, "figures/val_loss", "nothing")) == {"figures": {}}


def test_code_that_is_imported_by_what_is_imported(monkeypatch, tmp_path):
    package = tmp_path / "workflow/package"
    package.mkdir(parents=True)
    (tmp_path / "workflow/schemas").mkdir()
    (tmp_path / "workflow/schemas/deeper.yaml").touch()
    (package / "__init__.py").touch()
    (package / "deep.py").write_text("def late():\n    from package import deeper\n")
    (package / "deeper.py").write_text("import json, numpy\n")
    (package / "unused.py").touch()
    (package.parent / "sibling.py").touch()
    (package / "main.py").write_text("import sibling\nfrom package.deep import late\n")
    monkeypatch.setattr(dependencies, "WORKFLOW", tmp_path / "workflow")
    found = [str(file.relative_to(tmp_path)) for file in code_files("package.main")]
    assert found == [
        "workflow/package/__init__.py",
        "workflow/package/deep.py",
        "workflow/package/deeper.py",
        "workflow/package/main.py",
        "workflow/schemas/deeper.yaml",
        "workflow/sibling.py",
    ]


def test_code_is_known_by_the_bytes_of_its_files(monkeypatch, tmp_path):
    package = tmp_path / "workflow/package"
    package.mkdir(parents=True)
    (package / "main.py").write_text("from package import deep\n")
    (package / "deep.py").touch()
    monkeypatch.setattr(dependencies, "WORKFLOW", tmp_path / "workflow")
    dependencies.files_of.cache_clear()  # which has found a package of this name elsewhere

    def code():
        code_of.cache_clear()
        return code_of("package.main")

    before = code()
    (package / "unused.py").write_text("1\n")
    (package / "deep.py").touch()
    assert code() == before
    (package / "deep.py").write_text("1\n")
    assert code() != before
    assert code().startswith("package.main ")


def test_modulefinder_of_python_finds_the_same():
    files = [*WORKFLOW.glob("*/*.py"), *ROOT.glob("page/*.py")]
    modules = [f"{file.parent.name}.{file.stem}" for file in files if file.stem != "__init__"]
    assert len(modules) > 60
    for module in modules:
        finder = ModuleFinder(path=[str(WORKFLOW), str(ROOT)])
        finder.import_hook(module)
        files = {Path(found.__file__) for found in finder.modules.values() if found.__file__}
        found = {file for file in code_files(module) if file.suffix == ".py"}
        assert found == {file for file in files if ROOT in file.parents}
