"""A conda command for machines without conda: just the calls that `snakemake --use-conda` makes.

This is not conda. It belongs to the workflow bn-yes-or-no, solves and installs conda packages with
py-rattler, and installs the `pip:` part of an environment with uv. Where a real conda is on PATH,
that one is used and this one is never called.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.channels import channel_urls, read_environment
from deploy.installed import INSTALL, find_damage
from deploy.locking import Lock
from deploy.package_index import uv

PREFIX = Path(__file__).resolve().with_name("conda")  # Snakemake finds bin/activate there
VERSION = "24.7.1"  # of the conda whose command line this follows; the least that Snakemake takes
ME = "conda front-end of bn-yes-or-no"

UNFINISHED = "conda-meta/unfinished"  # there while an environment is being made


class Failure(Exception):
    """A mistake that the user is told in a sentence."""


def main() -> None:
    """Serve one call, and end at once: py-rattler's threads can crash a Python that shuts down."""
    args, status = parser().parse_args(), 0
    try:
        args.serve(args)
    except Failure as failure:
        print(f"{ME}: {failure}", file=sys.stderr)
        status = 1
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None: closed
        stream.flush()
    os._exit(status)


def parser() -> argparse.ArgumentParser:
    """Return the command line, as far as Snakemake uses it."""
    as_written = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser("conda", description=__doc__, formatter_class=as_written)
    top.add_argument("--version", action="version", version=f"conda {VERSION} (the {ME})")
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    def command(
        parent: Any, name: str, serve: Callable, text: str, *options: str
    ) -> argparse.ArgumentParser:
        new = parent.add_parser(name, help=text, description=text)
        new.set_defaults(serve=serve)
        for option in options:
            new.add_argument(*option.split("|"), action="store_true", help="as in conda")
        return new

    command(commands, "info", serve_info, "Tell about this front-end.", "--json")
    config = command(commands, "config", serve_config, "Tell a setting.", "--json")
    config.add_argument("--get", metavar="KEY", required=True, help="only channel_priority")
    clean = ("--yes|-y", "--tarballs|-t", "--packages|-p", "--all|-a", "--quiet|-q")
    command(commands, "clean", serve_clean, "Empty the package cache.", *clean)
    env = commands.add_parser("env", help="Create an environment.")
    environments = env.add_subparsers(metavar="COMMAND", required=True)
    quiet = ("--quiet|-q", "--yes|-y", "--no-default-packages", "--json", "--dry-run")
    make = command(
        environments, "create", serve_env_create, "Create an environment from a file.", *quiet
    )
    make.add_argument("--file", "-f", type=Path, required=True, help="what to install")
    make.add_argument("--prefix", "-p", type=Path, required=True, help="where to make it")
    return top


def serve_info(_args: argparse.Namespace) -> None:
    """`conda info --json`: Snakemake wants the platform and where `bin/activate` is."""
    prefix = str(PREFIX)
    if re.search(r"[^\w@%+=:,./-]", prefix):
        # Snakemake writes `source PREFIX/bin/activate` without quotes.
        prefix = "'" + prefix.replace("'", "'\"'\"'") + "'"
    told: dict[str, object] = {
        "conda_prefix": prefix,
        "root_prefix": prefix,
        "platform": "linux-64",
    }
    told |= {"conda_version": VERSION, "front_end": ME, "channels": channel_urls([])}
    print(json.dumps(told, indent=2))


def serve_config(args: argparse.Namespace) -> None:
    """`conda config --get channel_priority --json`: always strict."""
    if args.get != "channel_priority":
        raise Failure(f"'{args.get}' is not a setting that it has.")
    print(json.dumps({"get": {"channel_priority": "strict"}, "success": True}))


def serve_env_create(args: argparse.Namespace) -> None:
    """`conda env create --file FILE --prefix PREFIX`."""
    if not args.file.is_file():
        raise Failure(f"there is no file {args.file}.")
    channels, specs, pip = read_environment(args.file)
    urls = channel_urls(channels)
    from deploy import packages as conda  # slow to import

    if args.dry_run:
        attempt(conda.solve_specs(urls, specs), urls)
        return
    with making(args.prefix.absolute()):
        attempt(conda.create(args.prefix, urls, specs), urls)
        install_wheels(args.prefix, pip, args.file)
    print(f"{ME}: {args.prefix} made from {', '.join(urls)} and {len(pip)} pinned wheels")


@contextmanager
def making(prefix: Path) -> Iterator[None]:
    """Make way for an environment, and mark it as whole after the block or leave nothing behind.

    Nothing of an interrupted creation survives; one that is under way is waited for.
    """
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
            yield
        except BaseException:
            shutil.rmtree(prefix, ignore_errors=True)
            raise
        (prefix / UNFINISHED).unlink()


def attempt(work: Coroutine, urls: list[str]) -> None:
    """Have py-rattler do something; what it raises becomes a sentence."""
    try:
        asyncio.run(work)
    except Exception as error:  # py-rattler's exceptions share no base class
        raise Failure(f"conda packages from {', '.join(urls)}: {error}") from error


def install_wheels(prefix: Path, lines: list[str], file: Path) -> None:
    """Install the `pip:` part with uv. One hash in the list makes hashes a duty, as for pip."""
    if not lines:
        return
    # The list lies beside the environment file: relative paths in the list start there.
    with tempfile.NamedTemporaryFile("w", suffix=".txt", dir=file.parent) as requirements:
        requirements.write("\n".join(lines) + "\n")
        requirements.flush()
        hashed = any("--hash=" in line for line in lines)
        # What builds a source package comes from the list, too, and its hash is checked, too.
        hashes = ["--require-hashes", "--require-build-hashes", "--build-constraint"]
        more = [*hashes, requirements.name] if hashed else []
        for again in INSTALL:
            told = ("--python", prefix / "bin/python", "--requirement", requirements.name)
            done = uv("pip", "install", "--quiet", *told, *more, *again, preexec_fn=die_with_parent)
            if done.returncode:
                raise Failure("uv could not install the pip part of the environment (see above).")
            if not find_damage(prefix):
                return
    raise Failure(f"{find_damage(prefix)} is missing or cut in what the package index has.")


def serve_clean(args: argparse.Namespace) -> None:
    """`conda clean`: packages are unpacked as they arrive, so there are no tarballs to remove."""
    if args.packages or args.all:
        from deploy import packages as conda

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
    """Return command name and parent of a process."""
    name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    return name, int(rest.split()[1])


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies."""
    import ctypes
    import signal

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
