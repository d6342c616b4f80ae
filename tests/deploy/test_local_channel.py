"""The local channel: this machine's Pythons, found and packed without what lies beside them."""

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from conda_package_streaming.package_streaming import stream_conda_component
from deploy import interpreters, machine_channel
from deployment import DEPLOY, DRIVER, ROOT


@pytest.mark.parametrize(
    ("version", "pin", "expected"),
    [
        ("3.7.16", "=3.7", True),
        ("3.7.12", "=3.7", True),
        ("3.70.1", "=3.7", False),
        ("3.7.16", "3.7.*", True),
        ("3.7.16", "==3.7.16", True),
        ("3.11.2", ">=3.11,<3.14", True),
        ("3.14.0", ">=3.11,<3.14", False),
        ("3.10.9", ">=3.11", False),
        ("3.12.0", "!=3.12.*", False),
    ],
)
def test_pins_mean_what_conda_means(version, pin, expected):
    assert interpreters.satisfies(version, pin) is expected


def test_newest_that_satisfies_is_chosen():
    found = [{"version": version} for version in ("3.13.0", "3.12.1", "3.7.16")]
    chosen = interpreters.choose(["=3.7", ">=3.11,<3.13", "=3.9"], found)
    versions = {pin: python and python["version"] for pin, python in chosen.items()}
    assert versions == {"=3.7": "3.7.16", ">=3.11,<3.13": "3.12.1", "=3.9": None}


def test_pins_are_read_from_environment_files(tmp_path):
    (tmp_path / "a.yaml").write_text('dependencies:\n  - "python =3.7"\n  - pip\n')
    (tmp_path / "b.yaml").write_text("dependencies:\n  - python >=3.11,<3.14  # newer ones\n")
    assert interpreters.python_pins(tmp_path) == ["3.7.*", ">=3.11,<3.14"]


def test_what_does_not_start_is_no_interpreter(tmp_path):
    shim = tmp_path / "python3.12"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    assert interpreters.probe(shim) is None
    assert interpreters.probe(tmp_path / "absent") is None


def test_library_of_a_python_that_was_moved(tmp_path, monkeypatch):
    library = tmp_path / "lib/libpython3.7m.so.1.0"
    library.parent.mkdir()
    library.touch()
    monkeypatch.setattr(machine_channel, "run_patchelf", lambda *_: f"{library.name}\nlibc.so.6\n")
    moved = {"executable": "python3.7", "prefix": str(tmp_path), "libdir": "/where/it/was/lib"}
    assert machine_channel.find_libraries(moved, "3.7") == [library]


def contents(package: Path) -> tuple[list[tarfile.TarInfo], dict]:
    """Members of a package, and what it says of them."""
    members = [member for _, member in stream_conda_component(package, component="pkg")]
    for archive, member in stream_conda_component(package, component="info"):
        if member.name == "info/paths.json":
            told = json.load(archive.extractfile(member))
    return members, told


def test_package_holds_the_standard_library_and_nothing_else(channel):
    package = next(channel.glob("conda-forge/linux-64/python-3.7*.conda"))
    members, described = contents(package)
    names = [member.name for member in members]
    assert {"bin/python", "bin/python3.7", "lib/python3.7/os.py"} <= set(names)
    assert names == [path["_path"] for path in described["paths"]]
    assert [n for n in names if "site-packages/" in n] == ["lib/python3.7/site-packages/README.txt"]
    for unwanted in (".pth", ".a", "/test/support", "sitecustomize", "EXTERNALLY-MANAGED"):
        assert [name for name in names if unwanted in name and name.endswith(unwanted)] == []
    assert {(member.uid, member.uname) for member in members} == {(0, "")}


def test_index_describes_the_packages(channel):
    folder = channel / "conda-forge/linux-64"
    records = json.loads((folder / "repodata.json").read_text())["packages.conda"]
    assert sorted(records) == sorted(path.name for path in folder.glob("*.conda"))
    for name, record in records.items():
        assert record["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert name == f"{record['name']}-{record['version']}-{record['build']}.conda"
    noarch = json.loads((channel / "conda-forge/noarch/repodata.json").read_text())
    assert noarch["info"]["subdir"] == "noarch"


def build(channel, envs):
    """Run the builder, which adds to a channel what environment files need; return how it ended."""
    command = [DRIVER / "bin/python", "-s", DEPLOY.parent, "deploy.machine_channel", channel, envs]
    return subprocess.run(command, capture_output=True, text=True)


def test_nothing_is_packed_twice(channel, small_env):
    done = build(channel / "conda-forge", small_env.parent)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_absent_python_is_told(tmp_path, write_env):
    done = build(tmp_path, write_env(python="=3.4").parent)
    assert done.returncode == 1
    assert done.stderr.startswith("set-up: Python 3.4 is needed, but conda-forge does not answer")


@pytest.mark.slow
def test_what_builds_source_packages_is_packed_from_its_pinned_wheel(tmp_path):
    """conda's pip needs both before it builds; whatever folder they are packed in, the same."""
    pins = [
        line.strip().removeprefix("- ")
        for line in (ROOT / "envs/tf1.14-keras2.2.4.yaml").read_text().splitlines()
        if line.strip().startswith(("- setuptools==", "- wheel=="))
    ]
    builds = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        for pin in pins:
            machine_channel.pack_pinned(pin, folder / "noarch")
        builds.append({path.name for path in folder.glob("noarch/*.conda")})
    names = sorted(name.rpartition("-")[0] for name in builds[0])
    assert names == ["setuptools-68.0.0", "wheel-0.42.0"]
    assert builds[0] == builds[1]
    before = {path: path.stat().st_mtime_ns for path in folder.glob("noarch/*.conda")}
    for pin in pins:
        machine_channel.pack_pinned(pin, folder / "noarch")  # once is enough
    assert before == {path: path.stat().st_mtime_ns for path in folder.glob("noarch/*.conda")}


def test_python_of_debian_is_packed_too(tmp_path, conda, write_env, pin):
    """It looks for packages elsewhere than other Pythons, unless told."""
    debian = [p for p in interpreters.find_interpreters() if p["prefix"] == "/usr"]
    if not debian:
        pytest.skip("/usr has no Python 3 with venv")
    envs = write_env(python=f"=={debian[0]['version']}").parent
    assert build(tmp_path / "channel/conda-forge", envs).returncode == 0
    condarc, prefix = tmp_path / "debian", tmp_path / "env"
    condarc.write_text(f'custom_channels: {{conda-forge: "{(tmp_path / "channel").as_uri()}"}}\n')
    file = write_env(pin("tiny"), python=f"=={debian[0]['version']}")
    done = conda("env", "create", "--file", file, "--prefix", prefix, CONDARC=condarc)
    assert done.code == 0, done.output
    code = "import tiny, pip, ssl, sqlite3, ctypes; print(tiny.__file__, pip.__file__)"
    told = subprocess.run([prefix / "bin/python", "-I", "-c", code], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert all(path.startswith(f"{prefix}/lib/python3") for path in told.stdout.split())


def test_builder_says_what_it_packs():
    shown = subprocess.run(
        [DRIVER / "bin/python", "-s", DEPLOY.parent, "deploy.machine_channel", "--help"],
        capture_output=True,
        text=True,
    )
    assert "Python interpreters of this machine" in " ".join(shown.stdout.split())
