"""The exact package list of an environment: conda packages and wheels, with known hashes."""

import hashlib
import json
import platform
import sys
from pathlib import Path

from publish.list_packages import list_packages, normalize, pinned_hashes

PINS = """\
channels: [conda-forge, nodefaults]
dependencies:
  - "python =3.7"
  - pip
  - pip:
      - absl-py==2.1.0 --hash=sha256:{a}
      - Some_Thing[extra]==1.0 ; python_version < '3.8' --hash=sha256:{a} --hash=sha256:{b}
      - 'quoted.name==3.0'
"""
A, B = "a" * 64, "b" * 64


def write_pins(folder):
    """Write an environment file; return its path."""
    path = folder / "environment.yaml"
    path.write_text(PINS.format(a=A, b=B))
    return path


def test_pinned_hashes(tmp_path):
    assert pinned_hashes(write_pins(tmp_path)) == {
        ("absl-py", "2.1.0"): A,
        ("some-thing", "1.0"): f"{A} {B}",
        ("quoted-name", "3.0"): "",
    }


def test_names_are_compared_as_the_index_does():
    assert {normalize(name) for name in ("Some_Thing", "some-thing", "SOME.thing")} == {
        "some-thing"
    }


def install(prefix, name, version):
    """Leave what a wheel leaves in a prefix."""
    library = "lib/python{}.{}/site-packages".format(*sys.version_info[:2])
    folder = prefix / library / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: not this\n"
    (folder / "METADATA").write_text(text)


def test_conda_packages_come_first_and_are_listed_once(tmp_path):
    (tmp_path / "conda-meta").mkdir()
    for name, version in [("python", "3.7.16"), ("pip", "24.0")]:
        package = {"name": name, "version": version, "build": "0", "sha256": B}
        (tmp_path / f"conda-meta/{name}.json").write_text(json.dumps(package))
    for name, version in [
        ("pip", "24.0"),
        ("Some_Thing", "1.0"),
        ("absl_py", "2.1.0"),
        ("zzz", "1"),
    ]:
        install(tmp_path, name, version)
    rows = list_packages(tmp_path, write_pins(tmp_path))
    assert [tuple(row.values()) for row in rows] == [
        ("conda", "pip", "24.0", "0", B),
        ("conda", "python", "3.7.16", "0", B),
        ("pip", "absl-py", "2.1.0", "", A),
        ("pip", "some-thing", "1.0", "", f"{A} {B}"),
        ("pip", "zzz", "1", "", ""),
    ]


def test_python_of_a_virtual_environment_comes_first(tmp_path):
    install(tmp_path, "zzz", "1")
    python, package = list_packages(tmp_path, write_pins(tmp_path))
    executable = Path(sys.executable).resolve()
    digest = hashlib.sha256(executable.read_bytes()).hexdigest()
    version = platform.python_version()
    assert [*python.values()] == ["machine", "python", version, str(executable), digest]
    assert package["name"] == "zzz"
