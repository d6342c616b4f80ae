"""Locks and the hand-written files that they come from agree."""

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from publish.locks import read_pins

from envs import lock

SPECS = [lock.read_spec(path) for path in sorted(lock.ENVS.glob("*.in"))]
each_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
# Those that the default run needs are locked again by default, the others with the long tests.
NEEDED = ("driver", "figures", "tf1.14-keras2.2.4", "tf2.0-keras2.3.1")
OTHER = [pytest.param(spec, marks=pytest.mark.long) for spec in SPECS if spec.name not in NEEDED]


def read_lock(path):
    """Return {NAME==VERSION [; MARKER]: hashes} of a lock."""
    return {pin.requirement: pin.hashes for pin in read_pins(path)}


@each_spec
def test_lock_was_made_from_this_very_file(spec):
    header = re.search(r"sha256:(\w{64})\n", spec.lock.read_text())
    assert header[1] == spec.digest, f"run: make lock NAME={spec.name}"


@each_spec
def test_every_requirement_is_met_by_a_pin(spec):
    assert missing(spec, read_lock(spec.lock)) == []


def missing(spec, pins):
    """The requirements of an `.in` file that no pin of its lock satisfies."""
    locked = {}
    for pin in pins:
        name, version = pin.split(";")[0].strip().split("==")
        locked.setdefault(canonicalize_name(name), []).append(version)
    wanted = [Requirement(line) for line in spec.requirements]
    return [
        str(need)
        for need in wanted
        if not any(v in need.specifier for v in locked.get(canonicalize_name(need.name), []))
    ]


@each_spec
def test_every_pin_is_exact_and_hashed(spec):
    pins = read_lock(spec.lock)
    assert len(pins) >= len(spec.requirements) > 0
    for pin, hashes in pins.items():
        assert re.fullmatch(r"[a-z0-9-]+==[\w.+!]+( ; .+)?", pin)
        assert hashes and all(re.fullmatch(r"[0-9a-f]{64}", value) for value in hashes)


@each_spec
def test_lock_names_no_server(spec):
    assert "//" not in spec.lock.read_text()


@each_spec
def test_python_pin_is_that_of_the_hand_written_file(spec):
    if spec.name != "driver":
        assert f'- "python {spec.python}"\n' in spec.lock.read_text()


def test_driver_imports_what_the_figures_use():
    """Unit tests run in the driver environment: the same versions, or they test something else."""
    driver, figures = (read_lock(lock.ENVS / name) for name in ("driver.txt", "figures.yaml"))
    shared = ("matplotlib", "numpy", "pandas", "pyyaml", "jsonschema")
    for name in shared:
        assert {p for p in driver if p.startswith(f"{name}==")} == {
            p for p in figures if p.startswith(f"{name}==")
        }


def test_a_requirement_that_no_pin_meets_is_told():
    spec = lock.Spec("x", "=3.7", ("six >=2", "numpy ==1.16.6", "absent"), "")
    pins = {"six==1.17.0": [], "numpy==1.16.6 ; python_version < '4'": []}
    assert missing(spec, pins) == ["six>=2", "absent"]


@pytest.mark.parametrize(
    ("wheel", "minors", "expected"),
    [
        ("x-1-py3-none-any.whl", [7], True),
        ("x-1-py2.py3-none-any.whl", [7], True),
        ("x-1-cp37-cp37m-manylinux1_x86_64.whl", [7], True),
        ("x-1-cp38-cp38-manylinux2014_x86_64.whl", [7], False),
        ("x-1-cp37-cp37m-macosx_10_9_x86_64.whl", [7], False),
        ("x-1-cp312-cp312-musllinux_1_2_x86_64.whl", [11, 12], False),
        ("x-1-cp312-cp312-manylinux_2_17_aarch64.whl", [11, 12], False),
        ("x-1-cp39-abi3-manylinux_2_28_x86_64.whl", [11, 12], True),
        ("x-1-cp313-cp313t-manylinux_2_28_x86_64.whl", [13], False),
        ("x-1-pp311-pypy311_pp73-manylinux_2_28_x86_64.whl", [11], False),
    ],
)
def test_only_usable_wheels_are_listed(wheel, minors, expected):
    wheels = [{"url": f"x/{wheel}"}]
    assert lock.usable_wheels({"wheels": wheels}, tuple(minors)) == (wheels if expected else [])


@pytest.mark.parametrize(
    ("minors", "expected"), [((12,), ["sha256:w"]), ((12, 14), ["sha256:s", "sha256:w"])]
)
def test_source_is_listed_for_a_python_without_wheel(minors, expected):
    wheel = {"url": "x/x-1-cp312-cp312-manylinux_2_28_x86_64.whl", "hashes": {"sha256": "w"}}
    package = {"name": "x", "version": "1", "wheels": [wheel], "sdist": {"hashes": {"sha256": "s"}}}
    assert lock.pin_lines(package, minors) == ("x==1", expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec", [*(spec for spec in SPECS if spec.name in NEEDED), *OTHER], ids=lambda spec: spec.name
)
def test_locking_again_changes_nothing(spec, monkeypatch):
    monkeypatch.setenv("UV_NO_PROGRESS", "1")
    packages = lock.compile_pins(spec, upgrade=False)
    again = dict(filter(None, (lock.pin_lines(package, spec.minors) for package in packages)))
    now = {pin: {f"sha256:{one}" for one in found} for pin, found in read_lock(spec.lock).items()}
    assert again.keys() == now.keys()
    # An index may have gained files for an old version since: that is no disagreement.
    assert {pin for pin in now if not now[pin] <= set(again[pin])} == set()
