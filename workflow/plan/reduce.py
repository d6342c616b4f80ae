"""The configuration of one claim alone: what it rests on, and nothing else."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from plan.cells import parse_cell
from plan.configuration import fill_defaults
from plan.documents import read_yaml, write_yaml

PAIR = ("first", "second")


def reduce_config(config: dict, claim: dict) -> dict:
    """Return a configuration that trains just what one claim of claims.yaml rests on.

    A claim names cells, a comparison, or crossed runs of an environment; what decides it is a table
    of these. Results go to a folder of the claim's own. Raises ValueError for a claim that rests on
    the whole study.
    """
    cells, runs = list(claim.get("cells", [])), {}
    comparisons = {}
    if "comparison" in claim:
        comparisons = {claim["comparison"]: config["comparisons"][claim["comparison"]]}
        cells += [parse_cell(pair[side]) for pair in comparisons.values() for side in PAIR]
    if "architecture" in claim:
        crossed = config["control_runs"]["crossed"]
        runs["crossed"] = {
            **crossed,
            "architectures": [crossed["architectures"][0], claim["architecture"]],
        }
        place = {"environment": claim["environment"], **pick(crossed, ("api", "protocol"))}
        variants = [*crossed["starts_of"], *runs["crossed"]["architectures"]]
        cells += [{**place, "variant": variant} for variant in dict.fromkeys(variants)]
    if not cells:
        raise ValueError(f"{claim['id']}: it rests on the whole study; run `make study`")
    known = {**config["variants"], **config["control_runs"]["variants"]}
    published = config["seeds"][0]
    seeds = {cell.get("seed", published) for cell in cells}
    return {
        "experiment": config["experiment"],
        "results": f"{config['results']}/claims/{claim['id']}",
        "seeds": sorted(seeds, key=lambda seed: (seed != published, seed)),
        "environments": {
            name: config["environments"][name] | {"apis": values(cells, "api", environment=name)}
            for name in values(cells, "environment")
        },
        "repeats": config["repeats"],
        "training_threads": config["training_threads"],
        "variants_per_job": config["variants_per_job"],
        "variants": pick(known, values(cells, "variant")),
        "protocols": pick(config["protocols"], values(cells, "protocol")),
        "comparisons": comparisons,
        "controls": controls_of(config["controls"], comparisons),
        "control_runs": runs,
        "claims": config["claims"],
    }


def controls_of(controls: dict, comparisons: dict) -> dict:
    """Return the controls that apply to these comparisons, or to any."""
    kept = {}
    for name, control in controls.items():
        limited = [one for one in control.get("comparisons", []) if one in comparisons]
        if limited:
            kept[name] = control | {"comparisons": limited}
        elif "comparisons" not in control:
            kept[name] = control
    return kept


def values(cells: list[dict], key: str, **only: str) -> list[str]:
    """Return the values of a key in those cells that have the values of `only`, once each."""
    chosen = [cell for cell in cells if all(cell[name] == value for name, value in only.items())]
    return list(dict.fromkeys(cell[key] for cell in chosen))


def pick(mapping: dict, names: Iterable[str]) -> dict:
    """Return the entries of a mapping with these names, in their order."""
    return {name: mapping[name] for name in names}


def main() -> None:
    """Read the command line and write both files into the folder of the claim."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("claim", help="identifier in the claims file")
    parser.add_argument("--config", type=Path, default=Path("config.yaml"))
    options = parser.parse_args()
    config = read_yaml(options.config)
    fill_defaults(config)
    document = read_yaml(config["claims"])
    claims = {claim["id"]: claim for claim in document["claims"]}
    if options.claim not in claims:
        known = "\n  ".join(claims)
        sys.exit(f"There is no claim '{options.claim}'; NAME is one of\n  {known}")
    claim = claims[options.claim]
    try:
        reduced = reduce_config(config, claim)
    except ValueError as error:
        sys.exit(str(error))
    folder = Path(reduced["results"])
    folder.mkdir(parents=True, exist_ok=True)
    reduced["claims"] = str(folder / "claims.yaml")
    write_yaml({**document, "claims": [claim]}, reduced["claims"])
    write_yaml(reduced, folder / "config.yaml")
    print(folder / "config.yaml")
