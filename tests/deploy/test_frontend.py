"""The front-end makes, lists and refuses environments as Snakemake expects of conda."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from deployment import DRIVER, FRONT_END
from waiting import wait_until


def test_help_says_what_it_is(conda):
    shown = conda("--help")
    assert shown.code == 0
    for part in ("machines without conda", "This is not conda", "bn-yes-or-no", "py-rattler", "uv"):
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


def test_package_that_was_cut_in_the_cache_is_unpacked_again(conda, small_env, tmp_path):
    cache = {"CONDA_PKGS_DIRS": tmp_path / "cache"}
    create = ("env", "create", "--file", small_env, "--prefix")
    assert conda(*create, tmp_path / "first", **cache).code == 0
    (decoder,) = (tmp_path / "cache").glob("pkgs/python-3.7*/lib/python3.7/json/decoder.py")
    decoder.unlink()  # the environment has the same file
    decoder.write_text("cut")
    assert conda(*create, tmp_path / "second", **cache).code == 0
    library = "lib/python3.7/json/decoder.py"
    assert (tmp_path / "second" / library).read_bytes() == (
        tmp_path / "first" / library
    ).read_bytes()


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
    assert (refused.code, "required: --prefix" in refused.output) == (2, True)
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
    assert done.output.startswith("conda front-end of bn-yes-or-no: ")
    return prefix


def test_environment_is_whole_and_shut_off(made, conda, run):
    assert (made / "conda-meta/history").exists()  # by which conda knows an environment
    assert not (made / "conda-meta/unfinished").exists()
    names = {path.name.split("-")[0] for path in made.glob("conda-meta/*.json")}
    assert names == {"python", "pip"}

    code = "import sys, tiny, ssl, sqlite3; print(sys.prefix, *sys.path, sep='\\n')"
    told = run(made / "bin/python", "-s", "-c", code)
    assert told.code == 0, told.output
    assert [line for line in told.output.split() if not line.startswith(str(made))] == []
    code = "print(open('/proc/self/maps').read())"
    maps = run(made / "bin/python", "-c", code).output
    assert {line for line in maps.split() if "libpython" in line and str(made) not in line} == set()
    pip = run(made / "bin/pip", "list", "--format", "json", "--disable-pip-version-check").output
    assert {entry["name"] for entry in json.loads(pip)} == {"pip", "tiny"}


def test_no_library_path_of_this_machine_is_left(made):
    patchelf = DRIVER / "bin/patchelf"
    binaries = [*made.glob("bin/python3.*"), *made.glob("lib/python3*/lib-dynload/*.so")]
    assert len(binaries) > 20
    for binary in binaries:
        path = subprocess.run([patchelf, "--print-rpath", binary], capture_output=True, text=True)
        assert re.fullmatch(r"(\$ORIGIN/[./lib]*)?", path.stdout.strip())
    data = next(made.glob("lib/python3*/_sysconfigdata*.py")).read_text()
    assert str(made) in data


@pytest.mark.parametrize(
    ("python", "lines", "told"),
    [
        ("=3.4", [], "python 3.4"),
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
    assert told in refused.output.replace("=3.4.*", " 3.4").replace("==3.4", " 3.4")
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
    wait_until(lambda: any("uv" in name for _, name in descendants(caller.pid)), "uv to start")
    yield caller, prefix
    for pid, _ in descendants(caller.pid):
        os.kill(pid, signal.SIGKILL)
    caller.kill()
    caller.wait()


def descendants(pid: int) -> list[tuple[int, str]]:
    """Processes below one, with their command names."""
    found, wanted = [], {pid}
    for child in sorted(int(path.name) for path in Path("/proc").glob("[0-9]*")):
        with contextlib.suppress(OSError):  # it may have ended meanwhile
            name, rest = Path(f"/proc/{child}/stat").read_text().split("(", 1)[1].rsplit(")", 1)
            if int(rest.split()[1]) in wanted:
                wanted.add(child)
                found.append((child, name))
    return found


def test_installer_dies_with_a_killed_caller(stalled):
    caller, _ = stalled
    kill_and_wait_for_installer(caller)


def kill_and_wait_for_installer(caller):
    """Kill a caller, as Snakemake may be, and wait until the front-end and uv have ended, too."""
    below = [pid for pid, name in descendants(caller.pid) if not name.startswith("bash")]
    assert len(below) >= 2  # the front-end and uv
    caller.kill()
    caller.wait()
    wait_until(lambda: not any(map(is_running, below)), "the front-end and uv to end")


def is_running(pid: int) -> bool:
    """Say whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_creation_after_an_interrupted_one(stalled, conda, small_env):
    caller, prefix = stalled
    assert (prefix / "bin/python").exists()
    assert (prefix / "conda-meta/unfinished").exists()
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


def test_channel_over_http_and_through_an_alias(
    conda, http_channel, small_env, tmp_path, package_cache
):
    address, asked = http_channel
    condarc = tmp_path / "http"
    fresh = tmp_path / "pkgs"
    for number, setting in enumerate(
        (f"custom_channels: {{conda-forge: '{address}'}}", f"channel_alias: {address}")
    ):
        condarc.write_text(setting)
        prefix, own = tmp_path / f"env{number}", {"CONDARC": condarc, "CONDA_PKGS_DIRS": fresh}
        if number and (DRIVER / "condarc").exists():
            continue  # there, set-up has given the name conda-forge a place of its own
        done = conda("env", "create", "--file", small_env, "--prefix", prefix, **own)
        assert done.code == 0, done.output
        records = map(Path.read_text, prefix.glob("conda-meta/*.json"))
        urls = [json.loads(record)["url"] for record in records]
        assert len([url for url in urls if url.startswith(f"{address}/conda-forge/")]) == 2
    assert any(".conda" in line for line in asked)


def test_dry_run_tells_whether_an_environment_can_be_solved(conda, write_env, small_env, tmp_path):
    prefix = tmp_path / "env"
    plan = ("env", "create", "--dry-run", "--quiet", "--prefix", prefix, "--file")
    assert conda(*plan, small_env).code == 0
    assert not prefix.exists()
    refused = conda(*plan, write_env(python="=3.4"))
    assert (refused.code, "Traceback" in refused.output) == (1, False)
    condarc = tmp_path / "nowhere"
    condarc.write_text("custom_channels: {conda-forge: 'http://127.0.0.1:9'}")
    silent = conda(*plan, small_env, CONDARC=condarc)
    assert (silent.code, "Traceback" in silent.output) == (1, False)
    assert not prefix.exists()


def test_cache_can_be_emptied(conda, small_env, tmp_path):
    cache = tmp_path / "pkgs"
    own = {"CONDA_PKGS_DIRS": cache}
    prefix = tmp_path / "env"
    assert conda("env", "create", "--file", small_env, "--prefix", prefix, **own).code == 0
    assert cache.exists()
    assert conda("clean", "-y", "--tarballs", **own).code == 0
    assert cache.exists()
    assert conda("clean", "-y", "--tarballs", "--packages", **own).code == 0
    assert not cache.exists()
