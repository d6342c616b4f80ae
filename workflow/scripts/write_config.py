"""Write the configuration, config.yaml and what the command line changed, beside the results."""

import argparse
import json
from pathlib import Path

import yaml


def main():
    """Write the configuration given as JSON as YAML, keys in their order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=json.loads, required=True, help="as JSON")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    text = yaml.safe_dump(options.config, sort_keys=False, allow_unicode=True)
    options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
