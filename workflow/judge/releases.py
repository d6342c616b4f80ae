"""The changes from one release to the next, and the source of the initial weights in each release.

Same means equal bytes of float32 weights or of reported losses.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pandas
from plan.claims import Claim, read_claims
from plan.runs import release_modes

from judge.claims import judge_number
from judge.compare import equal_losses
from judge.records import Records, read_lines
from judge.tables import Row, kernel_hashes, make_frame, run_rows, write_table

# Column of releases.csv that is compared -> column with the result of the comparison.
COMPARED = {
    "initial_weights_sha256": "same_initial_weights",
    "trajectory_sha256": "same_trajectory",
    "val_loss": "same_val_loss",
}


def find_run(
    config: dict, records: Records, release: str, mode: str, variant: str, protocol: str
) -> dict:
    """Return the record of a run of the sweep."""
    cell = {"environment": release, "api": "tf.keras", "variant": variant, "protocol": protocol}
    return records.find(mode, {**cell, "seed": config["seed"]})


def tabulate_releases(config: dict, records: Records, claims: list[Claim]) -> pandas.DataFrame:
    """Return releases.csv; `claims` is the list in claims.yaml, for the published numbers."""
    runs = (
        (release, mode, find_run(config, records, release, mode, variant, protocol))
        for release, mode in release_modes(config)
        for variant, protocol in product(config["variants"], config["protocols"])
    )
    return compare_releases(runs, config["sweep"]["pair"], claims)


def compare_releases(
    runs: Iterable[tuple[str, str, dict]], pair: list[str], claims: list[Claim]
) -> pandas.DataFrame:
    """Return releases.csv for (release, mode, record) in table order."""
    table = make_frame("releases", release_rows(runs, claims))
    bits = table["initial_weights_sha256"] + table["trajectory_sha256"]
    one_of_two = table["variant"].isin(pair)
    groups = bits[one_of_two].groupby([table[name] for name in ("release", "mode", "protocol")])
    table["pair_equal"] = groups.transform("nunique") == 1
    before = table.groupby(["mode", "variant", "protocol", "seed", "rows"]).shift()
    table["previous_release"] = before["release"]
    table["difference"] = table["val_loss"] - before["val_loss"]
    for column, same in COMPARED.items():
        equal = pandas.Series(map(equal_bits, table[column], before[column]))
        table[same] = equal.where(before["release"].notna())
    return table


def equal_bits(first: Any, second: Any) -> bool:
    """Tell whether two hashes, or two losses, are the same: a NaN is the same NaN, 0 is not -0."""
    return equal_losses(first, second) if isinstance(first, float) else first == second


def release_rows(runs: Iterable[tuple[str, str, dict]], claims: list[Claim]) -> Iterator[Row]:
    """Yield the rows of releases.csv: one per run and range of evaluation rows.

    The page prints a number for a cell in some release; the number is compared in every release.
    """
    keys = ("variant", "protocol", "seed", "rows")
    printed: dict[tuple, str] = {}
    for claim in claims:
        if claim["test"] == "published_number":
            printed.setdefault(tuple(map(claim["cells"][0].get, keys)), claim["published"])
    for release, mode, record in runs:
        for row in run_rows(record):
            published = printed.get(tuple(row[key] for key in keys), "")
            yield {
                **row,
                "release": release,
                "mode": mode,
                "executes_eagerly": record["machine"]["executes_eagerly"],
                "published": published,
                "agrees_with_published": published and judge_number(published, row["val_loss"]),
            }


def tabulate_randomness(config: dict, records: Records, probes: list[dict]) -> pandas.DataFrame:
    """Return randomness.csv: for each release and mode, which source changes which kernel."""
    found = {(probe["cell"]["environment"], probe["cell"]["change"]): probe for probe in probes}
    rows = []
    for release, mode in release_modes(config):
        probe = found[release, mode]
        machine, variant = probe["machine"], probe["cell"]["variant"]
        trained = [
            find_run(config, records, release, mode, variant, protocol)
            for protocol in config["protocols"]
        ]
        place = {key: machine[key] for key in ("tensorflow", "keras", "executes_eagerly")}
        place |= {"release": release, "mode": mode}
        rows += [place | row for row in source_rows(probe, trained)]
    return make_frame("randomness", rows)


def source_rows(probe: dict, trained: list[dict]) -> Iterator[Row]:
    """Yield what each source changes, for a probe and its variant's records of the sweep.

    The records come from other processes; the records stand for the source "new_process".
    """
    sources = dict(probe["sources"])
    nothing = sources.pop("nothing")
    for number, record in enumerate(trained, start=1):
        sources[f"new_process_{number}"] = {**record, "kernels": kernel_hashes(record)}
    for source, drawn in sources.items():
        pairs = zip(nothing["drawing_layers"], drawn["drawing_layers"], strict=True)
        for layer, counterpart in pairs:
            sha256 = drawn["kernels"][counterpart]
            yield {
                "source": source,
                "layer": layer,
                "changes_initial_weights": sha256 != nothing["kernels"][layer],
                "op_seed_with_nothing_varied": op_seed(nothing, layer),
                "op_seed": op_seed(drawn, counterpart),
                "initial_kernel_sha256": sha256,
            }


def op_seed(drawn: dict, layer: str) -> int | None:
    """Return the op-level seed of a layer's draw, None where the release asks for none."""
    return drawn["op_level_seeds"].get(layer, {}).get("op_seed")


def main() -> None:
    """Write one CSV for what each release computes, one for where its randomness comes from."""
    parser = argparse.ArgumentParser(description=__doc__, fromfile_prefix_chars="@")
    parser.add_argument("--config", type=Path, required=True, help="JSON, as in config.yaml")
    parser.add_argument("--records", nargs="+", required=True, help="JSON Lines of train.job")
    parser.add_argument("--probes", nargs="+", required=True, help="of probe_randomness.py")
    parser.add_argument("--claims", type=Path, help="claims.yaml, for the published numbers")
    parser.add_argument("--releases", type=Path, required=True, help="output: releases.csv")
    parser.add_argument("--randomness", type=Path, required=True, help="output: randomness.csv")
    options = parser.parse_args()
    config = json.loads(options.config.read_text(encoding="utf-8"))
    claims = read_claims(options.claims) if options.claims else []
    records = Records(options.records)
    probes = [probe for path in options.probes for _, probe in read_lines(path)]
    write_table(tabulate_releases(config, records, claims), options.releases)
    write_table(tabulate_randomness(config, records, probes), options.randomness)
