"""Compare the runs of the controls, bit for bit, and say what causes each difference."""

import argparse
import json
import sys
from pathlib import Path

from bnyesno import tables_on_request
from bnyesno.records import Records
from bnyesno.tables import write_table


def main():
    """Write one CSV per table of the controls."""
    parser = argparse.ArgumentParser(description=__doc__, fromfile_prefix_chars="@")
    parser.add_argument("--config", type=Path, required=True, help="JSON, as in config.yaml")
    parser.add_argument("--records", nargs="+", required=True, help="JSON Lines of train.py")
    parser.add_argument("--output-folder", type=Path, required=True)
    options = parser.parse_args()
    config = json.loads(options.config.read_text(encoding="utf-8"))
    records = Records(options.records, config["control_runs"]["seed"])
    for name, table in tables_on_request.make_tables(config, records).items():
        write_table(table, options.output_folder / f"{name}.csv")


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"compare_controls.py: {error}")
