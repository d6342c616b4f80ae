"""A conda command for machines without conda: just the calls that `snakemake --use-conda` makes.

This is not conda. It belongs to the workflow bn-yes-or-no, solves and installs conda packages with
py-rattler, and installs the `pip:` part of an environment with uv. Where a real conda is on PATH,
that one is used and this one is never called.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from channels import channel_urls

sys.path.append(str(Path(__file__).resolve().parents[1]))

from installed import INSTALL, find_damage
from locking import Lock
from package_index import uv_environment

HERE = Path(__file__).resolve().parent
VERSION = "24.7.1"  # of the conda whose command line this follows; the least that Snakemake takes
ME = "conda front-end of bn-yes-or-no"

UNFINISHED = "conda-meta/unfinished"  # there while an environment is being made


class Failure(Exception):
    """Something that the user is told in a sentence."""


def main(argv: list[str]) -> int:
    """Serve one call."""
    args = parser().parse_args(argv)
    if not hasattr(args, "serve"):
        parser().print_help()
        return 1
    try:
        args.serve(args)
    except Failure as failure:
        print(f"{ME}: {failure}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line, as far as Snakemake uses it."""
    as_written = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser("conda", description=__doc__, formatter_class=as_written)
    top.add_argument("--version", action="version", version=f"conda {VERSION} (the {ME})")
    commands = top.add_subparsers(metavar="COMMAND")

    def command(parent, name: str, serve, text: str, *options: str) -> argparse.ArgumentParser:
        new = parent.add_parser(name, help=text, description=text)
        new.set_defaults(serve=serve)
        for option in options:
            new.add_argument(*option.split("|"), action="store_true", help="as in conda")
        return new

    command(commands, "info", serve_info, "Tell about this front-end.", "--json")
    config = command(commands, "config", serve_config, "Tell a setting.", "--json")
    config.add_argument("--get", metavar="KEY", required=True, help="only channel_priority")
    quiet = ("--quiet|-q", "--yes|-y", "--no-default-packages", "--json")
    create = command(commands, "create", serve_create, "Install exactly given packages.", *quiet)
    create.add_argument("packages", nargs="*", help="addresses or paths of packages")
    listing = command(
        commands, "list", serve_list, "List packages.", "--json", "--explicit", "--md5", "--sha256"
    )
    clean = ("--yes|-y", "--tarballs|-t", "--packages|-p", "--all|-a", "--quiet|-q")
    command(commands, "clean", serve_clean, "Empty the package cache.", *clean)
    env = commands.add_parser("env", help="Create or export an environment.")
    environments = env.add_subparsers(metavar="COMMAND", required=True)
    make = command(
        environments, "create", serve_env_create, "Create an environment from a file.", *quiet
    )
    make.add_argument("--dry-run", action="store_true", help="only tell whether it can be solved")
    export = command(environments, "export", serve_export, "Print an environment.", "--json")
    for each in (create, make):
        each.add_argument("--file", "-f", type=Path, help="what to install")
    for each in (create, make, listing, export):
        where = each.add_mutually_exclusive_group(required=True)
        where.add_argument("--prefix", "-p", type=Path, help="folder of the environment")
        where.add_argument("--name", "-n", help="not served")
    return top


def serve_info(_args: argparse.Namespace) -> None:
    """`conda info --json`: Snakemake wants the platform and where `bin/activate` is."""
    prefix = str(HERE)
    if re.search(r"[^\w@%+=:,./-]", prefix):
        # Snakemake writes `source PREFIX/bin/activate` without quotes.
        prefix = "'" + prefix.replace("'", "'\"'\"'") + "'"
    told = {"conda_prefix": prefix, "root_prefix": prefix, "platform": "linux-64"}
    told |= {"conda_version": VERSION, "front_end": ME, "channels": channel_urls([])}
    print(json.dumps(told, indent=2))


def serve_config(args: argparse.Namespace) -> None:
    """`conda config --get channel_priority --json`: always strict."""
    if args.get != "channel_priority":
        raise Failure(f"'{args.get}' is not a setting that it has.")
    print(json.dumps({"get": {"channel_priority": "strict"}, "success": True}))


def serve_env_create(args: argparse.Namespace) -> None:
    """`conda env create --file FILE --prefix PREFIX`."""
    existing_name(args)
    channels, specs, pip = read_environment(args.file)
    urls = channel_urls(channels)
    if args.dry_run:
        import packages as conda

        attempt(lambda: conda.run(conda.solve_specs(urls, specs)), urls)
        return
    with making(args) as prefix:
        install_packages(prefix, urls, specs)
        install_wheels(prefix, pip, args.file)
    print(f"{ME}: {prefix} made from {', '.join(urls)} and {len(pip)} pinned wheels")


def serve_create(args: argparse.Namespace) -> None:
    """`conda create --file PINS` or `conda create ARCHIVED_PACKAGES...`: no solve."""
    packages = list(args.packages)
    if args.file:
        lines = [line.strip() for line in read_file(args.file).splitlines()]
        packages += [line for line in lines if line and line[0] not in "#@"]
    if not all("/" in package for package in packages):
        raise Failure("'create' takes addresses or paths of packages; use 'env create' to solve.")
    import packages as conda

    urls = [p if "://" in p else Path(p).resolve().as_uri() for p in packages]
    with making(args) as prefix:
        attempt(lambda: conda.run(conda.create_explicit(prefix, urls)))


@contextmanager
def making(args: argparse.Namespace) -> Iterator[Path]:
    """Make way for an environment, and mark it as whole after the block or leave nothing behind.

    Nothing of an interrupted creation survives; one that is under way is waited for.
    """
    prefix = existing_name(args).absolute()
    die_with_snakemake()
    with Lock(prefix.with_name(f"{prefix.name}.lock"), f"makes the environment {prefix}"):
        if (prefix / "conda-meta").exists() and not (prefix / UNFINISHED).exists():
            raise Failure(f"{prefix} exists already.")
        if prefix.exists() and any(prefix.iterdir()) and not (prefix / "conda-meta").exists():
            raise Failure(f"{prefix} is not empty and no environment.")
        shutil.rmtree(prefix, ignore_errors=True)
        (prefix / UNFINISHED).parent.mkdir(parents=True)
        (prefix / UNFINISHED).touch()
        try:
            yield prefix
        except BaseException:
            shutil.rmtree(prefix, ignore_errors=True)
            raise
        (prefix / UNFINISHED).unlink()


def existing_name(args: argparse.Namespace) -> Path:
    """The prefix asked for; names would need a place for environments of one's own."""
    if args.name:
        raise Failure(f"named environments ('{args.name}') are not served; use --prefix.")
    return args.prefix


def read_file(file: Path) -> str:
    """The text of a file that was named on the command line."""
    if not file or not file.is_file():
        raise Failure(f"there is no file {file}.")
    return file.read_text()


def read_environment(file: Path) -> tuple[list[str], list[str], list[str]]:
    """Channels, conda specs and pip lines of an environment file."""
    content = yaml.safe_load(read_file(file)) or {}
    dependencies = content.get("dependencies") or []
    specs = [entry for entry in dependencies if isinstance(entry, str)]
    pip = [line for entry in dependencies if isinstance(entry, dict) for line in entry["pip"]]
    return content.get("channels") or [], specs, pip


def install_packages(prefix: Path, urls: list[str], specs: list[str]) -> None:
    """Solve and install the conda packages."""
    import packages as conda

    attempt(lambda: conda.run(conda.create(prefix, urls, specs)), urls)


def attempt(work, urls: list[str] = ()) -> None:
    """Have py-rattler do something; what it raises becomes a sentence."""
    try:
        work()
    except Exception as error:  # py-rattler's exceptions share no base class
        source = f" from {', '.join(urls)}" if urls else ""
        raise Failure(f"conda packages{source}: {error}") from error


def install_wheels(prefix: Path, lines: list[str], file: Path) -> None:
    """Install the `pip:` part with uv. One hash in the list makes hashes a duty, as for pip."""
    if not lines:
        return
    # Beside the environment file, so that paths in it mean the same as for conda.
    with tempfile.NamedTemporaryFile("w", suffix=".txt", dir=file.parent) as requirements:
        requirements.write("\n".join(lines) + "\n")
        requirements.flush()
        command = [Path(sys.executable).with_name("uv"), "pip", "install", "--quiet"]
        command += ["--python", prefix / "bin/python", "--requirement", requirements.name]
        if any("--hash=" in line for line in lines):
            # What builds a source package comes from the list too, and is checked too.
            command += ["--require-hashes", "--require-build-hashes"]
            command += ["--build-constraint", requirements.name]
        for more in INSTALL:
            done = subprocess.run(
                [*command, *more], env=uv_environment(), preexec_fn=die_with_parent
            )
            if done.returncode:
                raise Failure("uv could not install the pip part of the environment (see above).")
            if not find_damage(prefix):
                return
    raise Failure(f"{find_damage(prefix)} is missing or cut in what the package index has.")


def serve_list(args: argparse.Namespace) -> None:
    """`conda list`: packages of conda and of pip; `--explicit` as conda writes it."""
    prefix = existing_name(args)
    listed = conda_packages(prefix)
    if args.explicit:
        print(f"# made by the {ME}\n# platform: linux-64\n@EXPLICIT")
        for package in listed:
            digest = package.get("sha256") if args.sha256 else args.md5 and package.get("md5")
            print(package["url"] + (f"#{digest}" if digest else ""))
        return
    keys = ("name", "version", "build_string", "channel")
    rows = [
        dict(zip(keys, (p["name"], p["version"], p["build"], p["channel"]), strict=True))
        for p in listed
    ]
    rows += [
        dict(zip(keys, (name, version, "pypi_0", "pypi"), strict=True))
        for name, version in pip_packages(prefix)
    ]
    rows.sort(key=lambda row: row["name"])
    if args.json:
        print(json.dumps(rows, indent=2))
    else:
        print(f"# packages in environment at {prefix} (listed by the {ME}):")
        print("\n".join("  ".join(row.values()) for row in rows))


def conda_packages(prefix: Path) -> list[dict]:
    """The records in `conda-meta`."""
    if not (prefix / "conda-meta").is_dir():
        raise Failure(f"{prefix} is not an environment.")
    return [json.loads(path.read_text()) for path in sorted(prefix.glob("conda-meta/*.json"))]


def pip_packages(prefix: Path) -> list[tuple[str, str]]:
    """Names and versions of what uv installed."""
    found = []
    for installer in prefix.glob("lib/python3*/site-packages/*.dist-info/INSTALLER"):
        if installer.read_text().strip() != "conda":
            name, version = installer.parent.name.removesuffix(".dist-info").split("-")[:2]
            found.append((name.lower().replace("_", "-"), version))
    return found


def serve_export(args: argparse.Namespace) -> None:
    """`conda env export`: an environment file with what is installed."""
    prefix = existing_name(args)
    conda = conda_packages(prefix)
    dependencies: list = [f"{p['name']}={p['version']}={p['build']}" for p in conda]
    pip = [f"{name}=={version}" for name, version in sorted(pip_packages(prefix))]
    channels = sorted({package["channel"] for package in conda})
    dependencies += [{"pip": pip}] if pip else []
    exported = {"channels": channels, "dependencies": dependencies, "prefix": str(prefix)}
    print(json.dumps(exported) if args.json else yaml.safe_dump(exported, sort_keys=False), end="")


def serve_clean(args: argparse.Namespace) -> None:
    """`conda clean`: packages are unpacked as they arrive, so there are no tarballs to remove."""
    if args.packages or args.all:
        import packages as conda

        shutil.rmtree(conda.CACHE, ignore_errors=True)


def die_with_snakemake() -> None:
    """End when the Snakemake that called is gone: an orphan would go on writing.

    Between it and us are shells, which outlive it when it is killed; so the first caller that is
    no shell is watched, and the kernel tells when it ends.
    """
    caller = os.getppid()
    while caller > 1 and process(caller)[0] in ("bash", "sh", "dash", "zsh", "ksh"):
        caller = process(caller)[1]
    try:
        handle = os.pidfd_open(caller)
    except OSError:
        return

    def watch() -> None:
        import select

        poll = select.poll()
        poll.register(handle, select.POLLIN)
        poll.poll()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def process(pid: int) -> tuple[str, int]:
    """Command name and parent of a process."""
    name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    return name, int(rest.split()[1])


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies."""
    import ctypes
    import signal

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # py-rattler's threads can crash the interpreter while it shuts down.
    os._exit(status)
