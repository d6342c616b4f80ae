"""Set the reproduction note as PDF: the same bytes from the same tables, on any machine."""

import argparse
from pathlib import Path

import typst


def main():
    """Read the command line and write the PDF."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="the note's main file")
    parser.add_argument("--results", required=True, help="folder of tables and figures")
    parser.add_argument("--inputs", nargs="*", default=[], help="NAME=VALUE for the note")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    inputs = dict(pair.split("=", 1) for pair in options.inputs)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    typst.compile(
        str(options.source),
        output=str(options.output),
        root=".",  # the note names files from the repository's root
        ignore_system_fonts=True,  # those of the package only
        sys_inputs=inputs | {"results": options.results},
    )


if __name__ == "__main__":
    main()
