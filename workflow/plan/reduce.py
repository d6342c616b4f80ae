"""The configuration of some claims alone: all that these claims rest on, and nothing else."""

from collections.abc import Iterable

from plan.claims import Claim
from plan.configuration import ConfigurationError, shorten

LEFT_OUT = ("sweep", "study")
SMOKE = "smoke"  # instead of a claim's name: all claims that are marked so


def find_claims(config: dict, claims: list[Claim]) -> list[Claim]:
    """Return the claims that the configuration names under `claim`. Raises ConfigurationError."""
    known: dict[str, list[Claim]] = {claim["id"]: [claim] for claim in claims}
    known |= {SMOKE: [claim for claim in claims if SMOKE in claim]}
    if not known.get(config["claim"]):
        names = ", ".join(name for name, found in known.items() if found)
        raise ConfigurationError(
            f"config: claim: found {shorten(config['claim'])}, expected one of: {names}"
        )
    return known[config["claim"]]


def reduce_config(config: dict, claims: list[Claim]) -> dict:
    """Return a checked configuration with just what some claims of claims.yaml rest on.

    A claim names cells, a comparison, or crossed runs of an environment; what decides the claim is
    a table of these. Results go to a folder of their own. Raises ConfigurationError for a claim
    that rests on the whole study.
    """
    cells: list[dict] = []
    comparisons: dict[str, dict] = {}
    runs: dict[str, dict] = {"variants": {}}
    for claim in claims:
        cells += claim.get("cells", [])
        if "comparison" in claim:
            pair = config["comparisons"][claim["comparison"]]
            comparisons[claim["comparison"]] = pair
            cells += [pair["first"], pair["second"]]
        if "architecture" in claim:
            crossed = config["control_runs"]["crossed"]
            architectures = [crossed["architectures"][0], claim["architecture"]]
            runs["crossed"] = {**crossed, "architectures": architectures}
            place = {"environment": claim["environment"], **pick(crossed, ("api", "protocol"))}
            variants = dict.fromkeys([*crossed["starts_of"], *architectures])
            cells += [{**place, "variant": variant} for variant in variants]
    if not cells:
        raise ConfigurationError(
            f"config: claim: found {config['claim']}, which rests on the whole study; "
            "run `make study`"
        )
    known = {**config["variants"], **config["control_runs"]["variants"]}
    published = config["seed"]
    seeds = {cell.get("seed", published) for cell in cells}
    return {
        **{key: value for key, value in config.items() if key not in LEFT_OUT},
        "results": f"{config['results']}/claims/{config['claim']}",
        "seeds": sorted(seeds, key=lambda seed: (seed != published, seed)),
        "environments": {
            name: config["environments"][name] | {"apis": values(cells, "api", environment=name)}
            for name in values(cells, "environment")
        },
        "variants": pick(known, values(cells, "variant")),
        "protocols": pick(config["protocols"], values(cells, "protocol")),
        "comparisons": comparisons,
        "controls": {
            name: control
            | {"comparisons": [*filter(comparisons.get, control.get("comparisons", comparisons))]}
            for name, control in config["controls"].items()
        },
        "control_runs": runs,
        "figures": pick(config["figures"], ["formats"]),
    }


def values(cells: list[dict], key: str, **only: str) -> list[str]:
    """Return the values of a key in those cells that have the values of `only`, once each."""
    chosen = [cell for cell in cells if all(cell[name] == value for name, value in only.items())]
    return list(dict.fromkeys(cell[key] for cell in chosen))


def pick(mapping: dict, names: Iterable[str]) -> dict:
    """Return the entries of a mapping with these names, in their order."""
    return {name: mapping[name] for name in names}
