"""What is missing or cut in an environment is found; a cut file in the cache does not come back."""

from pathlib import Path

import pytest
from deploy.installed import find_damage, list_packages
from deployment import DRIVER


@pytest.fixture
def prefix(tmp_path):
    """An environment with one package: a module, a compiled file, a script outside."""
    site = tmp_path / "lib/python3.11/site-packages"
    (site / "tiny-1.0.dist-info").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tiny").write_text("#!")
    (site / "tiny.py").write_text("answer = 42\n")
    rows = ("tiny.py,sha256=x,12", "../../../bin/tiny,sha256=x,2", "gone.pyc,,", '"a,b.py",,')
    (site / "a,b.py").touch()
    (site / "tiny-1.0.dist-info/RECORD").write_text("\n".join(rows))
    return tmp_path


def test_whole(prefix):
    assert find_damage(prefix) == ""
    assert list_packages(prefix) == ["tiny"]
    assert find_damage(DRIVER) == ""


@pytest.mark.parametrize("file", ["bin/tiny", "lib/python3.11/site-packages/tiny.py"])
def test_missing_or_cut(prefix, file):
    for damage in (lambda path: path.write_text("#"), Path.unlink):
        damage(prefix / file)
        assert find_damage(prefix) == str(prefix / file)


def test_what_conda_repacks_may_differ(prefix):
    site = prefix / "lib/python3.11/site-packages"
    (site / "tiny-1.0.dist-info/INSTALLER").write_text("conda\n")
    (site / "tiny.py").unlink()
    assert find_damage(prefix) == ""


def test_cut_file_in_the_cache_of_uv(conda, small_env, tmp_path, run):
    """The cache shares its files with what is installed: a cut one would come back for ever."""
    own = {"UV_CACHE_DIR": tmp_path / "cache"}
    assert conda("env", "create", "--file", small_env, "--prefix", tmp_path / "a", **own).code == 0
    for file in tmp_path.glob("cache/**/tiny.py"):
        file.write_text("")
    made = conda("env", "create", "--file", small_env, "--prefix", tmp_path / "b", **own)
    assert made.code == 0, made.output
    told = run(tmp_path / "b/bin/python", "-c", "import tiny; print(tiny.answer)")
    assert told.output == "42\n"
