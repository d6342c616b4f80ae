"""Conda packages: find them in channels, install them in a prefix (all work is py-rattler's)."""

import os
from pathlib import Path

from rattler import (
    Channel,
    ChannelPriority,
    Gateway,
    MatchSpec,
    PackageCache,
    SourceConfig,
    Subdir,
    ValidationMode,
    VirtualPackage,
    install,
    solve,
)

from deploy.channels import ROOT

SUBDIRS: list[Subdir] = [Subdir("linux-64"), Subdir("noarch")]
CACHE = Path(os.environ.get("CONDA_PKGS_DIRS") or ROOT / ".driver/pkgs")
# Each file is looked at: a package that was cut in the cache is unpacked again.
WHOLE = PackageCache.new_layered([CACHE / "pkgs"], validation_mode=ValidationMode.full())


def gateway(urls: list[str]) -> Gateway:
    """Return access to channels; one on this machine is never cached, since it may be rebuilt."""
    local = all(url.startswith("file://") for url in urls)
    config = SourceConfig(cache_action="no-cache" if local else "cache-or-fetch")
    return Gateway(cache_dir=CACHE / "repodata", default_config=config)


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


async def link(prefix: Path, records: list, wanted: list[MatchSpec]) -> None:
    """Install solved packages."""
    await install(
        records,
        prefix,
        package_cache=WHOLE,
        requested_specs=[spec._match_spec for spec in wanted],
        show_progress=False,
        execute_link_scripts=False,
    )
