"""What the tests of environments share: the front-end, and small environments.

They use the real thing throughout: uv, Snakemake, this machine's Pythons. Wheels come
from a folder, so that no test but the slow ones needs a network.
"""

import base64
import functools
import hashlib
import os
import socket
import subprocess
import zipfile
from pathlib import Path

import pytest
from deployment import DRIVER, FRONT_END, RULE, Result
from waiting import HANGS


def pytest_collection_modifyitems(items):
    """Without a driver environment there is nothing to test."""
    if not (DRIVER / "bin/python").exists():
        pytest.exit("run 'make setup' first: these tests use .driver/", returncode=2)


@pytest.fixture
def environ() -> dict[str, str]:
    """An environment in which no conda but the front-end is found."""
    path = f"{DRIVER / 'bin'}:/usr/local/bin:/usr/bin:/bin:{FRONT_END.parent}"
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return inherited | {"PATH": path, "VIRTUAL_ENV": str(DRIVER)}


@pytest.fixture
def run(environ, tmp_path):
    """Run a command in that environment and return how it ended."""

    def run(*command, cwd=None, **more) -> Result:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd or tmp_path,
            env=environ | {name: str(value) for name, value in more.items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=HANGS,
        )
        return Result(done.returncode, done.stdout)

    return run


@pytest.fixture
def conda(run):
    """Run the front-end."""
    return functools.partial(run, FRONT_END)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory) -> Path:
    """A folder with two wheels, `tiny` and `mini`, of one module each."""
    folder = tmp_path_factory.mktemp("wheels")
    for name in ("tiny", "mini"):
        write_wheel(folder, name)
    return folder


def write_wheel(folder: Path, name: str) -> None:
    """Write the wheel of a package with one module that holds one number."""
    information = f"{name}-1.0.dist-info"
    contents = {
        f"{name}.py": "answer = 42\n",
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for path, text in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        rows.append(f"{path},sha256={digest.decode()},{len(text)}\n")
    contents[f"{information}/RECORD"] = "".join(rows) + f"{information}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for path, text in contents.items():
            archive.writestr(path, text)


@pytest.fixture
def pin(wheels):
    """Write the pin of a small wheel, with its hash."""

    def pin(name: str) -> str:
        content = (wheels / f"{name}-1.0-py3-none-any.whl").read_bytes()
        return f"{name}==1.0 --hash=sha256:{hashlib.sha256(content).hexdigest()}"

    return pin


@pytest.fixture
def write_env(tmp_path, wheels):
    """Write an environment file with a Python and some pip lines."""

    def write_env(*pip: str, python: str = "=3.7", index: str = "", folder=None) -> Path:
        source = [f"--index-url {index}"] if index else ["--no-index", f"--find-links {wheels}"]
        lines = "".join(f'    - "{line}"\n' for line in [*source, *pip])
        file = Path(folder or tmp_path) / "small.yaml"
        file.write_text(
            "channels: [conda-forge]\n"
            f'dependencies:\n- "python {python}"\n- pip\n' + (f"- pip:\n{lines}" if pip else "")
        )
        return file

    return write_env


@pytest.fixture
def small_env(write_env, pin) -> Path:
    """An environment file: Python 3.7 and `tiny`."""
    return write_env(pin("tiny"))


@pytest.fixture
def silent_index():
    """The address of a package index that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple"


@pytest.fixture
def workflow(tmp_path, write_env, pin):
    """A folder, with a space in its name, that holds a workflow of one rule."""
    folder = tmp_path / "a workflow"
    folder.mkdir()
    (folder / "Snakefile").write_text(RULE)
    write_env(pin("tiny"), folder=folder)
    return folder


@pytest.fixture
def snakemake(run, workflow):
    """Run the workflow."""

    def snakemake(*arguments, **more):
        command = (DRIVER / "bin/snakemake", "--use-conda", "--cores", 1, *arguments)
        return run(*command, cwd=workflow, **more)

    return snakemake
