"""Write which causes two runs may have, from their records: what the ladder has to take away."""

import argparse
import json
from pathlib import Path

from ladder import choose_metric, possible_causes, read


def main() -> None:
    """Compare the two records and write the ladder."""
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("--first", "--second", "--output"):
        parser.add_argument(option, type=Path, required=True)
    parser.add_argument("--metric", default="auto")
    parser.add_argument("--repeats", type=int, required=True)
    options = parser.parse_args()
    first, second = read(options.first), read(options.second)
    failed = bool(first["error"] or second["error"])
    metric = options.metric
    if metric == "auto" and not failed:
        metric = choose_metric(first, second)
    causes = [] if failed else possible_causes(first, second)
    shapes = [
        [layer["shapes"] for entry in run["models"] for layer in entry["layers"] if layer["shapes"]]
        for run in (first, second)
    ]
    changed = any(isinstance(cause, list) for cause in causes)
    final = not failed and metric != "training loss" and (shapes[0] == shapes[1] or changed)
    donor = first if "data" in causes else second
    ladder = {
        "failed": failed,
        "metric": metric,
        "causes": causes,
        "repeats": options.repeats,
        "final": final,
        "steps": [len(entry["hashes"]) for entry in donor["models"]],
    }
    options.output.write_text(json.dumps(ladder, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
