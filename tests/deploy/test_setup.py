"""Set-up picks the right conda, says which, and tells in a sentence what is missing.

It runs in copies of what it needs of this repository. Selection uses a stand-in for a real conda,
which records how it is called; everything else is the real thing.
"""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from deploy import setup
from deployment import DRIVER, FRONT_END, ROOT, copy_modules, other_python
from waiting import HANGS

NOWHERE = "http://127.0.0.1:9"  # nothing listens on the discard port
TOOLS = ("sh", "bash", "env", "cat", "dirname", "mkdir", "uname")


@pytest.fixture
def clone(tmp_path, write_env, pin) -> Path:
    """What set-up needs of the repository, with one small environment; no driver yet."""
    folder = tmp_path / "clone"
    copy_modules(folder)
    (folder / "envs").mkdir()
    for name in ("driver.txt", "python.json"):
        shutil.copy(ROOT / "envs" / name, folder / "envs")
    write_env(pin("tiny"), folder=folder / "envs")
    return folder


@pytest.fixture
def ready_clone(clone) -> Path:
    """A clone whose driver is that of this repository, so that only the choice remains."""
    driver = clone / ".driver"
    driver.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (driver / name).symlink_to(DRIVER / name)
    lock = (clone / "envs/driver.txt").read_bytes()
    digest = hashlib.sha256(lock + str(clone).encode()).hexdigest()
    (driver / "setup.json").write_text(json.dumps({"made_from": digest, "packages": []}))
    return clone


@pytest.fixture
def folder_of(tmp_path):
    """Make a folder for PATH: a few tools, and links under the names given."""

    def folder_of(**links: Path | str) -> Path:
        folder = tmp_path / "path"
        folder.mkdir(exist_ok=True)
        for name, target in links.items():
            (folder / name.replace("_", ".")).symlink_to(target)
        for tool in TOOLS:
            (folder / tool).symlink_to(shutil.which(tool))
        return folder

    return folder_of


@pytest.fixture(scope="session")
def known_pythons(tmp_path_factory) -> Path:
    """A cache in which uv notes what it has found out about each Python of this machine."""
    return tmp_path_factory.mktemp("uv")


@pytest.fixture
def set_up(tmp_path, known_pythons):
    """Run set-up in a clone: no network, no pip settings, no home folder of this machine."""
    home = tmp_path / "home"
    home.mkdir()
    theirs = ("PIP_", "UV_", "XDG_", "CONDA", "PYENV")
    keep = {k: v for k, v in os.environ.items() if not k.startswith(theirs)}
    own = {"HOME": str(home), "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": f"{NOWHERE}/simple"}
    # Reach no server, whatever this machine could reach.
    own |= dict.fromkeys(("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"), NOWHERE)
    own |= {"no_proxy": "127.0.0.1", "UV_CACHE_DIR": str(known_pythons)}

    def set_up(clone: Path, *prefix: str, **more) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*prefix, "sh", clone / "workflow/deploy/setup.sh"],
            env=keep | own | {name: str(value) for name, value in more.items()},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=HANGS,
        )

    return set_up


@pytest.fixture
def fake_conda(tmp_path):
    """Write a stand-in for a real conda that records its calls."""

    def fake_conda(version: str = "25.5.1", reaches: str = "true") -> Path:
        command = tmp_path / "miniconda/bin/conda"
        command.parent.mkdir(parents=True)
        (tmp_path / "miniconda/condabin").symlink_to(command.parent)
        command.write_text(
            f'#!/bin/sh\necho "$@" >> {tmp_path / "calls"}\n'
            f'case "$1" in\n--version) echo "conda {version}" ;;\nenv) {reaches} ;;\nesac\n'
        )
        command.chmod(0o755)
        return command

    return fake_conda


def conda_on_path(clone: Path, path: str, tmp_path: Path) -> str:
    """Which conda a shell finds after activation."""
    script = f'VIRTUAL_ENV="{clone}/.driver"; . "{clone}/.driver/conda.sh"; command -v conda'
    environ = {"PATH": path, "HOME": str(tmp_path)}
    told = subprocess.run(["sh", "-c", script], env=environ, capture_output=True, text=True)
    return told.stdout.rstrip()


def path_with(*folders: Path) -> str:
    return os.pathsep.join([*map(str, folders), "/usr/bin", "/bin"])


# --- which conda, and from where -----------------------------------------------------------------


def test_real_conda_that_plans_the_environments_is_used_as_it_is(
    set_up, ready_clone, fake_conda, tmp_path
):
    conda = fake_conda()
    path = path_with(FRONT_END.parent, conda.parent)  # even if ours should come first
    done = set_up(ready_clone, PATH=path)
    assert done.returncode == 0, done.stderr
    line = f"Environments: conda 25.5.1 ({conda})."
    assert done.stdout.splitlines()[-1] == line
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0] == "--version"
    planned = f"env create --dry-run --quiet --file {ready_clone}/envs/small.yaml --prefix "
    assert [call for call in calls[1:] if not call.startswith(planned)] == []
    assert len(calls) == 2  # one environment
    for before in (path_with(conda.parent), path):
        assert conda_on_path(ready_clone, before, tmp_path) == str(conda)
    # What else decides about conda's packages and its pip, whatever the user has set.
    exported = (ready_clone / ".driver/conda.sh").read_text()
    for setting in ("CONDA_CHANNEL_PRIORITY=strict", "PIP_USER=0", "PIP_REQUIRE_VIRTUALENV=0"):
        assert f"export {setting}\n" in exported

    again = set_up(ready_clone, PATH=path)
    assert again.stdout == f"{line}\n"
    assert (tmp_path / "calls").read_text().splitlines() == calls  # it was not asked again


@pytest.fixture
def pyenv() -> dict[str, str]:
    """Where this machine keeps its other Pythons: set-up looks there."""
    return {"PYENV_ROOT": os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))}


def test_real_conda_that_cannot_plan_comes_after_the_front_end(
    set_up, ready_clone, fake_conda, tmp_path, pyenv
):
    conda = fake_conda(reaches="echo HTTP 404 for defaults; exit 1")
    done = set_up(ready_clone, PATH=path_with(conda.parent), **pyenv)
    assert done.returncode == 0, done.stderr
    line = done.stdout.splitlines()[-1]
    who = f"conda 25.5.1 ({conda}) cannot plan them (HTTP 404 for defaults)"
    assert line.startswith(f"Environments: {who}; uv makes them with Python 3.7.")
    front_end = ready_clone / "workflow/deploy/conda/bin/conda"
    assert conda_on_path(ready_clone, path_with(conda.parent), tmp_path) == str(front_end)


def test_updated_conda_is_asked_again(set_up, ready_clone, fake_conda):
    conda = fake_conda("25.5.1")
    assert "conda 25.5.1" in set_up(ready_clone, PATH=path_with(conda.parent)).stdout
    conda.write_text(conda.read_text().replace("25.5.1", "26.7.1"))
    assert "conda 26.7.1" in set_up(ready_clone, PATH=path_with(conda.parent)).stdout


def test_version_of_mamba_is_not_taken_for_that_of_conda(set_up, ready_clone, fake_conda):
    conda = fake_conda("25.5.1")
    conda.write_text(conda.read_text().replace('echo "conda', 'echo "mamba 1.5.8"; echo "conda'))
    assert "conda 25.5.1" in set_up(ready_clone, PATH=path_with(conda.parent)).stdout


def test_conda_that_only_its_shell_function_knows_is_found(
    set_up, ready_clone, fake_conda, tmp_path
):
    conda = fake_conda()
    done = set_up(ready_clone, PATH=path_with(), CONDA_EXE=conda)
    assert str(conda) in done.stdout
    for path in (path_with(), path_with(FRONT_END.parent)):  # of another clone that is active
        assert Path(conda_on_path(ready_clone, path, tmp_path)).resolve() == conda


def test_without_conda_uv_makes_environments(set_up, ready_clone, fake_conda, tmp_path, pyenv):
    done = set_up(ready_clone, PATH=path_with(), **pyenv)
    assert done.returncode == 0, done.stderr
    line = done.stdout.splitlines()[-1]
    assert line.startswith("Environments: no conda here; uv makes them with Python 3.7.")
    front_end = ready_clone / "workflow/deploy/conda/bin/conda"
    assert conda_on_path(ready_clone, path_with(FRONT_END.parent), tmp_path) == str(front_end)
    # A real conda that appears later comes first all the same.
    conda = fake_conda()
    assert conda_on_path(ready_clone, path_with(conda.parent), tmp_path) == str(conda)


# --- what is missing -----------------------------------------------------------------------------


def told(done: subprocess.CompletedProcess, clone: Path) -> str:
    """The one sentence of a failed set-up, which has built nothing."""
    assert done.returncode == 1, done.stdout
    assert not (clone / ".driver").exists()
    sentence = done.stderr
    assert sentence.startswith("set-up: ") and sentence.endswith((".\n", ")\n"))
    assert sentence.count("\n") == 1
    return sentence


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.8", "3.10"])
def test_python_too_old(set_up, clone, folder_of, version):
    path = folder_of(python3=other_python(version))
    sentence = told(set_up(clone, PATH=path), clone)
    assert "Python 3.11 or newer is needed" in sentence
    assert f"python3 is {version}." in sentence


def test_no_python(set_up, clone, folder_of):
    assert "there is no python3 on PATH" in told(set_up(clone, PATH=folder_of()), clone)


def test_name_that_does_not_start_is_passed_over(set_up, clone, folder_of, tmp_path):
    shim = tmp_path / "shim"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.12: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    sentence = told(set_up(clone, PATH=folder_of(python3=shim, python3_12=shim)), clone)
    assert "there is no python3 on PATH" in sentence


def test_python_without_venv(set_up, clone, folder_of, tmp_path):
    """Debian ships `ensurepip` in a package of its own."""
    (tmp_path / "ensurepip.py").write_text("raise ImportError\n")
    path = folder_of(python3=(DRIVER / "bin/python").resolve())
    sentence = told(set_up(clone, PATH=path, PYTHONPATH=tmp_path), clone)
    assert "lacks its venv module" in sentence
    assert "apt-get install python3." in sentence


@pytest.mark.parametrize(
    ("home", "folders"),
    [("/proc/nobody", "{clone}/.driver/cache {clone}/.driver/python"), ("", " ")],
)
def test_home_in_which_nothing_can_be_made(set_up, clone, folder_of, tmp_path, home, folders):
    stand_in = tmp_path / "python"
    stand_in.write_text('#!/bin/sh\necho "${XDG_CACHE_HOME:-} ${UV_PYTHON_INSTALL_DIR:-}"\n')
    stand_in.chmod(0o755)
    done = set_up(clone, PATH=folder_of(python3=stand_in), HOME=home or tmp_path)
    assert done.stdout == f"{folders.format(clone=clone)}\n"


def test_no_package_index(set_up, clone, folder_of):
    """With a newer Python under another name, and a file in the place of the environment."""
    (clone / ".driver").touch()
    ours = (DRIVER / "bin/python").resolve()
    done = set_up(clone, PATH=folder_of(python3=other_python("3.8"), python3_12=ours))
    assert "Setting up the driver environment" in done.stdout
    sentence = told(done, clone)
    assert "no Python package index answered" in sentence
    assert "PIP_INDEX_URL" in sentence


@pytest.mark.parametrize(
    "make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("nowhere"), lambda _: None]
)
def test_what_is_in_the_way_is_removed(monkeypatch, tmp_path, make):
    monkeypatch.setattr(setup, "DRIVER", tmp_path / ".driver")
    make(setup.DRIVER)
    setup.remove_driver()
    assert list(tmp_path.iterdir()) == []


def test_activation_that_is_cut_is_written_again(set_up, ready_clone, pyenv):
    assert set_up(ready_clone, PATH=path_with(), **pyenv).returncode == 0
    activation = ready_clone / ".driver/conda.sh"
    written = activation.read_text()
    os.truncate(activation, 100)
    assert set_up(ready_clone, PATH=path_with(), **pyenv).returncode == 0
    assert activation.read_text() == written


def test_folder_on_path_that_cannot_be_read(set_up, ready_clone, pyenv):
    """Root may read everything; a name that is too long is refused to root, too."""
    done = set_up(ready_clone, PATH=path_with(Path("/" + "x" * 5000)), **pyenv)
    assert done.returncode == 0, done.stderr


def test_no_python_of_an_environment(set_up, ready_clone, folder_of, write_env):
    write_env(python="=3.5", folder=ready_clone / "envs")
    done = set_up(ready_clone, PATH=folder_of(python3=(DRIVER / "bin/python").resolve()))
    assert done.returncode == 1
    assert done.stderr.startswith("set-up: Python ==3.5.* is needed, but this machine has none")
    assert "pyenv install 3.5" in done.stderr
    assert done.stderr.count("\n") == 1


def test_conda_too_old(set_up, ready_clone, fake_conda, pyenv):
    conda = fake_conda(version="4.12.0")
    done = set_up(ready_clone, PATH=path_with(conda.parent), **pyenv)
    who = f"conda 4.12.0 ({conda}) cannot plan them (Snakemake needs 24.7.1 or newer)"
    assert f"Environments: {who}; uv makes them with Python 3.7." in done.stdout


@pytest.mark.parametrize("broken", ["#!/bin/sh\necho conda", "#!/nowhere/python"])
def test_conda_that_does_not_work(set_up, ready_clone, fake_conda, pyenv, broken):
    conda = fake_conda()
    conda.write_text(broken)
    done = set_up(ready_clone, PATH=path_with(conda.parent), **pyenv)
    assert "(it does not tell its version); uv makes them with Python 3.7." in done.stdout


def test_other_platform(set_up, clone):
    """`setarch` lets the kernel say that this is another machine."""
    setarch = shutil.which("setarch")
    if not setarch or subprocess.run([setarch, "i686", "true"], capture_output=True).returncode:
        pytest.skip("setarch is not to be had here")
    done = set_up(clone, setarch, "i686", PATH=f"{DRIVER / 'bin'}:/usr/bin:/bin")
    assert "this is Linux on i686" in told(done, clone)


# --- a whole set-up ------------------------------------------------------------------------------


@pytest.mark.slow
def test_driver_from_its_lock(ready_clone, pyenv, tmp_path):
    """In a path with a space, in place of a broken one; then the hash of a file is wrong."""
    spaced = ready_clone.rename(tmp_path / "my clone")
    (spaced / ".driver/pyvenv.cfg").unlink()  # by which a Python knows its virtual environment
    environ = {k: v for k, v in os.environ.items() if not k.startswith("CONDA")}
    environ["PATH"] = f"{DRIVER / 'bin'}:/usr/bin:/bin"
    command = ["sh", spaced / "workflow/deploy/setup.sh"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    damage = f"The driver environment is not whole: {spaced}/.driver/pyvenv.cfg is missing"
    assert damage in done.stdout
    assert not (spaced / ".driver/lib").is_symlink()  # nothing is left of the other
    shell = f". '{spaced}/.driver/bin/activate' && snakemake --version && command -v conda"
    shown = subprocess.run(["bash", "-c", shell], env=environ, capture_output=True, text=True)
    assert shown.stdout.splitlines() == ["9.27.1", f"{spaced}/workflow/deploy/conda/bin/conda"]

    lock = spaced / "envs/driver.txt"
    lines = lock.read_text().splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if line.startswith("uv=="))
    lines[first + 1] = f"    --hash=sha256:{'0' * 64}\n"
    lock.write_text("".join(lines))
    refused = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert "the package index has other files than envs/driver.txt names" in refused.stderr
    assert not (spaced / ".driver").exists()
