"""The front-end makes, lists and refuses environments as Snakemake expects of conda."""

import contextlib
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from deploy import frontend
from deployment import DRIVER, FRONT_END, other_python
from waiting import HANGS, wait_until


def test_help_says_what_it_is(conda):
    shown = conda("--help")
    assert shown.code == 0
    for part in ("machines without conda", "This is not conda", "bn-yes-or-no", "uv"):
        assert part in " ".join(shown.output.split())


def test_version_is_one_that_snakemake_takes(conda):
    from packaging.version import Version
    from snakemake.deployment.conda import MIN_CONDA_VER

    found = re.findall(r"\d+\.\d+\.\d+", conda("--version").output)
    assert len(found) == 1
    assert Version(found[0]) >= Version(MIN_CONDA_VER)
    assert "front-end" in conda("--version").output


def test_info_names_a_prefix_that_is_not_the_virtual_environment(conda):
    info = json.loads(conda("info", "--json").output)
    assert info["platform"] == "linux-64"
    assert Path(info["conda_prefix"], "bin/activate").exists()
    assert Path(info["conda_prefix"]).resolve() != DRIVER


def test_closed_streams_are_no_error(run):
    assert run("sh", "-c", 'exec "$0" info --json 2>&-', FRONT_END).code == 0
    assert run("sh", "-c", 'exec "$0" info --json >&-', FRONT_END).code == 0


def test_channel_priority_is_strict(conda):
    answer = json.loads(conda("config", "--get", "channel_priority", "--json").output)
    assert answer["get"]["channel_priority"] == "strict"
    assert conda("config", "--get", "colour", "--json").code == 1


def test_unknown_calls_are_refused(conda):
    assert conda("update", "--all").code == 2
    refused = conda("env", "create", "--name", "x", "--file", "y")
    assert refused.code == 2  # there are no names
    refused = conda("env", "create", "--file", "y")
    assert (refused.code, "required: --file and --prefix" in refused.output) == (2, True)
    refused = conda("env", "create", "--prefix", "x", "--file", "y")
    assert (refused.code, refused.output.count("\n")) == (1, 1)
    assert "there is no file y" in refused.output


def test_what_is_there_is_left_alone(conda, made, small_env):
    refused = conda("env", "create", "--file", small_env, "--prefix", made)
    assert (refused.code, "exists already" in refused.output) == (1, True)


@pytest.fixture
def made(conda, small_env, tmp_path):
    """A small environment, made as Snakemake makes it."""
    prefix = tmp_path / "env"
    flags = ("--quiet", "--no-default-packages")
    done = conda("env", "create", *flags, "--file", small_env, "--prefix", prefix)
    assert done.code == 0, done.output
    assert done.output.startswith("Python 3.7.")
    return prefix


def test_environment_is_whole_and_shut_off(made, run):
    assert (made / "conda-meta/history").exists()  # by which conda knows an environment
    code = "import sys, tiny, ssl, sqlite3; print(sys.prefix, *sys.path, sep='\\n')"
    told = run(made / "bin/python", "-s", "-c", code)
    assert told.code == 0, told.output
    prefix, *path = told.output.split()
    assert prefix == str(made)
    packages = [folder for folder in path if folder.endswith("-packages")]
    assert packages == [f"{made}/lib/python3.7/site-packages"]
    assert [entry.name for entry in Path(packages[0]).glob("*.dist-info")] == ["tiny-1.0.dist-info"]


@pytest.mark.parametrize(
    ("spec", "pin"),
    [
        ("python =3.7", "==3.7.*"),
        ("python=3.7.*", "==3.7.*"),
        ("python 3.7", "==3.7.*"),
        ("conda-forge::python==3.7.16", "==3.7.16"),
        ("python >=3.11,<3.14", ">=3.11,<3.14"),
        ("python", ""),
    ],
)
def test_pins_mean_what_conda_means(tmp_path, spec, pin):
    file = tmp_path / "some.yaml"
    file.write_text(
        f'dependencies: ["{spec}", pip, "setuptools =68.0.0", pip: ["SetupTools==68.0.0"]]'
    )
    assert frontend.read_environment(file) == (pin, ["SetupTools==68.0.0"])


@pytest.mark.parametrize("spec", ["numpy =1.16", "r-base", "conda-forge::setuptools"])
def test_other_conda_packages_are_refused(conda, tmp_path, spec):
    file, prefix = tmp_path / "some.yaml", tmp_path / "env"
    file.write_text(f'dependencies: [python =3.7, "{spec}", pip: [tiny==1.0]]')
    refused = conda("env", "create", "--file", file, "--prefix", prefix)
    assert (refused.code, refused.output.count("\n")) == (1, 1)
    assert f"asks for the conda package '{spec}'" in refused.output
    assert "install conda" in refused.output
    assert not prefix.exists()


def test_newest_python_is_taken():
    found = sorted(map(str, Path(other_python("3.13")).parents[2].glob("3.1[1-3].*/bin/python3")))
    version, path = frontend.find_python(">=3.11,<3.14")
    assert version.startswith("3.13."), found
    assert Path(path).samefile(other_python("3.13"))


def test_python_of_debian(conda, write_env, pin, tmp_path, run):
    """Its own packages, in `dist-packages`, are not seen."""
    python = Path("/usr/bin/python3")
    if not python.exists():
        pytest.skip("no Python 3 in /usr")
    version = run(python, "-c", "import platform; print(platform.python_version())").output.strip()
    file, prefix = write_env(pin("tiny"), python=f"=={version}"), tmp_path / "env"
    done = conda("env", "create", "--file", file, "--prefix", prefix, PYENV_ROOT=tmp_path)
    assert done.code == 0, done.output
    code = "import sys, tiny, ssl, ctypes; print(tiny.__file__, *sys.path)"
    told = run(prefix / "bin/python", "-I", "-c", code)
    assert "dist-packages" not in told.output
    assert told.output.startswith(f"{prefix}/lib/python3")


# --- a Python that uv downloads ------------------------------------------------------------------


@pytest.fixture
def python_3_7():
    """The Python 3.7 of this machine."""
    return other_python("3.7")


@pytest.fixture
def without_3_7(tmp_path, monkeypatch):
    """A machine without Python 3.7; what uv downloads comes from an empty folder."""
    own = {"PYENV_ROOT": tmp_path, "UV_PYTHON_INSTALL_DIR": tmp_path / "pythons"}
    own |= {"UV_PYTHON_INSTALL_MIRROR": (tmp_path / "mirror").as_uri()}
    for name, value in own.items():
        monkeypatch.setenv(name, str(value))
    if frontend.list_pythons("==3.7.*"):
        pytest.skip("this machine has a Python 3.7 outside of pyenv")
    return own


def test_python_that_cannot_be_had(conda, small_env, without_3_7, tmp_path):
    refused = conda("env", "create", "--file", small_env, "--prefix", tmp_path / "x", **without_3_7)
    assert (refused.code, refused.output.count("\n")) == (1, 1)
    assert "Python ==3.7.* is needed" in refused.output
    assert "install conda, or this Python (for instance: pyenv install 3.7" in refused.output
    assert "cpython-3.7.9" in refused.output  # uv was told where it is
    assert not (tmp_path / "x").exists()


def test_python_that_is_downloaded(python_3_7, conda, small_env, without_3_7, tmp_path, run):
    """The list in envs/ leads to it; a file with other bytes is refused."""
    ((name, listed),) = json.loads(frontend.PYTHONS.read_text()).items()
    archive = tmp_path / "mirror" / "/".join(listed["url"].split("/")[-2:])
    archive.parent.mkdir(parents=True)
    (tmp_path / "python/install").mkdir(parents=True)
    for part in ("bin", "lib"):
        shutil.copytree(
            python_3_7.resolve().parents[1] / part,
            tmp_path / "python/install" / part,
            symlinks=True,
            ignore=shutil.ignore_patterns("site-packages", "test", "config-*", "*.pyc"),
        )
    subprocess.run(["tar", "--zstd", "-cf", archive, "-C", tmp_path, "python"], check=True)
    create = ("env", "create", "--file", small_env, "--prefix", tmp_path / "env")
    refused = conda(*create, **without_3_7)
    assert refused.code == 1
    assert f"Hash mismatch for `{name}`" in refused.output

    listed["sha256"] = hashlib.sha256(archive.read_bytes()).hexdigest()
    (tmp_path / "own.json").write_text(json.dumps({name: listed}))
    own = {"UV_PYTHON_DOWNLOADS_JSON_URL": tmp_path / "own.json"}
    done = conda(*create, **without_3_7, **own)
    assert done.code == 0, done.output
    told = run(tmp_path / "env/bin/python", "-c", "import sys, tiny; print(sys.base_prefix)")
    assert told.output.startswith(str(tmp_path / "pythons")), told.output


# --- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("python", "lines", "told"),
    [
        ("=3.4", [], "Python ==3.4.* is needed"),
        ("=3.7", ["tiny==1.0 --hash=sha256:" + "0" * 64], "Hash mismatch"),
        ("=3.7", ["{tiny}", "mini==1.0"], "mini==1.0"),
        ("=3.7", ["{tiny}", "absent==1.0 --hash=sha256:" + "0" * 64], "absent"),
    ],
    ids=["unsatisfiable", "wrong hash", "half-hashed", "no such wheel"],
)
def test_what_cannot_be_made_leaves_nothing(conda, write_env, pin, tmp_path, python, lines, told):
    file = write_env(*(line.format(tiny=pin("tiny")) for line in lines), python=python)
    prefix = tmp_path / "env"
    refused = conda("env", "create", "--file", file, "--prefix", prefix)
    assert refused.code == 1
    assert told in refused.output
    assert "Traceback" not in refused.output
    assert not prefix.exists()


def test_a_list_without_any_hash_is_installed_as_pip_would(conda, write_env, tmp_path):
    done = conda("env", "create", "--file", write_env("tiny==1.0"), "--prefix", tmp_path / "env")
    assert done.code == 0, done.output


def test_foreign_folder_is_left_alone(conda, small_env, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").touch()
    refused = conda("env", "create", "--file", small_env, "--prefix", tmp_path / "mine")
    assert (refused.code, (tmp_path / "mine/file").exists()) == (1, True)


@pytest.fixture
def stalled(environ, write_env, silent_index, pin, tmp_path):
    """A caller, in the place of Snakemake, of a creation that waits for a package index."""
    prefix = tmp_path / "env"
    file = write_env(pin("tiny"), index=silent_index)
    # As Snakemake does it: Python, a shell, the front-end, and below it uv.
    shell = f"set -euo pipefail; '{FRONT_END}' env create --file '{file}' --prefix '{prefix}'; true"
    code = f"import subprocess; subprocess.run(['bash', '-c', {shell!r}])"
    caller = subprocess.Popen([sys.executable, "-c", code], env=environ)
    wait_until(lambda: "install" in words_below(caller.pid), "uv to install")
    yield caller, prefix
    if caller.poll() is None:
        for left in [*psutil.Process(caller.pid).children(recursive=True), caller]:
            left.kill()
    caller.wait()


def words_below(pid: int) -> list[str]:
    """Words of the command lines of all processes below one."""
    words: list[str] = []
    for child in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it may have ended meanwhile
            words += child.cmdline()
    return words


def test_installer_dies_with_a_killed_caller(stalled):
    caller, _ = stalled
    kill_and_wait_for_installer(caller)


def kill_and_wait_for_installer(caller):
    """Kill a caller, as Snakemake may be, and wait until the front-end and uv have ended, too."""
    below = psutil.Process(caller.pid).children(recursive=True)
    below = [process for process in below if process.name() != "bash"]
    assert len(below) >= 2  # the front-end and uv
    caller.kill()
    caller.wait()
    _, alive = psutil.wait_procs(below, timeout=HANGS)
    assert not alive


def test_creation_after_an_interrupted_one(stalled, conda, small_env):
    caller, prefix = stalled
    assert (prefix / "bin/python").exists()
    assert not (prefix / "conda-meta/history").exists()
    kill_and_wait_for_installer(caller)
    (prefix / "left-over").touch()
    done = conda("env", "create", "--file", small_env, "--prefix", prefix)
    assert done.code == 0, done.output
    assert not (prefix / "left-over").exists()


def test_failing_activation_ends_the_shell(run, tmp_path):
    activate = FRONT_END.with_name("activate")
    for name in (tmp_path, "base", ""):
        done = run("bash", "-c", f"source '{activate}' '{name}'; echo went on")
        assert done.code == 1
        assert "cannot activate" in done.output
        assert "went on" not in done.output


def test_activation_without_the_python_of_the_environment(run, made):
    (made / "bin/python").unlink()
    (made / "bin/python").symlink_to("/nowhere/python3.7")
    done = run("bash", "-c", f"source '{FRONT_END.with_name('activate')}' '{made}'; echo went on")
    assert (done.code, "went on" in done.output) == (1, False)
    assert f"/nowhere/python3.7, of which '{made}' was made, is not on this machine" in done.output


def test_dry_run_tells_whether_an_environment_can_be_made(conda, write_env, small_env, tmp_path):
    prefix = tmp_path / "env"
    plan = ("env", "create", "--dry-run", "--quiet", "--prefix", prefix, "--file")
    told = conda(*plan, small_env)
    assert (told.code, told.output.startswith("Python 3.7.")) == (0, True)
    assert conda(*plan, write_env(python="=3.4")).code == 1
    assert not prefix.exists()


def test_nothing_is_cleaned(conda):
    """Snakemake calls this where it is told to keep no packages; the cache of uv serves others."""
    assert conda("clean", "-y", "--tarballs", "--packages").code == 0
