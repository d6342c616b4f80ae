"""The configuration of one claim alone: what it rests on, and nothing else."""

from collections.abc import Iterable

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
        cells += [pair[side] for pair in comparisons.values() for side in PAIR]
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
    return {
        "experiment": config["experiment"],
        "results": f"{config['results']}/claims/{claim['id']}",
        "seeds": sorted({cell.get("seed", config["control_runs"]["seed"]) for cell in cells}),
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
        "control_runs": {"seed": config["control_runs"]["seed"], "variants": {}} | runs,
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
