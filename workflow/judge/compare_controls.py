"""Compare the runs of the controls, bit for bit, and say what causes each difference."""

import argparse
import json
from pathlib import Path

from judge import tables_on_request
from judge.records import Records
from judge.tables import write_table


def main():
    """Write one CSV per table of the controls."""
    parser = argparse.ArgumentParser(description=__doc__, fromfile_prefix_chars="@")
    parser.add_argument("--config", type=Path, required=True, help="JSON, as in config.yaml")
    parser.add_argument("--records", nargs="+", required=True, help="JSON Lines of train.job")
    parser.add_argument("--output-folder", type=Path, required=True)
    options = parser.parse_args()
    config = json.loads(options.config.read_text(encoding="utf-8"))
    records = Records(options.records, config["control_runs"]["seed"])
    for name, table in tables_on_request.make_tables(config, records).items():
        write_table(table, options.output_folder / f"{name}.csv")


if __name__ == "__main__":
    main()
