"""Conda packages: find them in channels, install them in a prefix (all work is py-rattler's)."""

import asyncio
import os
from pathlib import Path

from channels import ROOT
from rattler import (
    Channel,
    ChannelPriority,
    Gateway,
    MatchSpec,
    SourceConfig,
    VirtualPackage,
    install,
    solve,
)

SUBDIRS = ["linux-64", "noarch"]
CACHE = Path(os.environ.get("CONDA_PKGS_DIRS") or ROOT / ".driver/pkgs")


def gateway(urls: list[str]) -> Gateway:
    """Access to channels; a channel on this machine is never cached, since it may be rebuilt."""
    local = all(url.startswith("file://") for url in urls)
    config = SourceConfig(cache_action="no-cache" if local else "cache-or-fetch")
    return Gateway(cache_dir=CACHE / "repodata", default_config=config)


async def find(urls: list[str], spec: str) -> list:
    """All packages of the channels that match a spec."""
    channels = [Channel(url) for url in urls]
    found = await gateway(urls).query(channels, SUBDIRS, [MatchSpec(spec)], recursive=False)
    return [record for records in found for record in records]


async def create(prefix: Path, urls: list[str], specs: list[str]) -> None:
    """Solve the specs and install the result."""
    await link(prefix, await solve_specs(urls, specs), [MatchSpec(spec) for spec in specs])


async def solve_specs(urls: list[str], specs: list[str]) -> list:
    """Return the packages that satisfy the specs, the channels in their order."""
    return await solve(
        [Channel(url) for url in urls],
        [MatchSpec(spec) for spec in specs],
        gateway=gateway(urls),
        platforms=SUBDIRS,
        virtual_packages=VirtualPackage.detect(),
        channel_priority=ChannelPriority.Strict,
    )


async def create_explicit(prefix: Path, urls: list[str]) -> None:
    """Install exactly the packages at these addresses (URL, optionally `#md5`), without a solve."""
    names = {url.partition("#")[0] for url in urls}
    by_channel: dict[str, list[str]] = {}
    for url in names:
        by_channel.setdefault(url.rsplit("/", 2)[0], []).append(url)
    records = []
    for channel, wanted in by_channel.items():
        specs = sorted({url.rsplit("/", 1)[1].rsplit("-", 2)[0] for url in wanted})
        for spec in specs:
            records += [r for r in await find([channel], spec) if str(r.url) in wanted]
    absent = names - {str(record.url) for record in records}
    if absent:
        raise ValueError(f"not in their channel: {', '.join(sorted(absent))}")
    await link(prefix, records, [])


async def link(prefix: Path, records: list, wanted: list[MatchSpec]) -> None:
    """Install solved packages."""
    await install(
        records,
        prefix,
        cache_dir=CACHE / "pkgs",
        requested_specs=[spec._match_spec for spec in wanted],
        show_progress=False,
        execute_link_scripts=False,
    )


def run(coroutine):
    """Run one of the coroutines above."""
    return asyncio.run(coroutine)
