"""Compare the runs of the sweep, bit for bit, from one release to the next."""

import argparse
import json
from pathlib import Path

import yaml

from judge import releases
from judge.records import Records, read_lines
from judge.tables import write_table


def main():
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
    claims = []
    if options.claims:
        claims = yaml.safe_load(options.claims.read_text(encoding="utf-8"))["claims"]
    records = Records(options.records)
    probes = [probe for path in options.probes for _, probe in read_lines(path)]
    write_table(releases.tabulate_releases(config, records, claims), options.releases)
    write_table(releases.tabulate_randomness(config, records, probes), options.randomness)


if __name__ == "__main__":
    main()
