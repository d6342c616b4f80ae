"""Write the configuration and the claims file of one claim alone, for `make claim`.

Prints the path of the configuration, or says which claims there are.
"""

import argparse
import sys
from pathlib import Path

import yaml

from plan.reduce import reduce_config


def main() -> None:
    """Read the command line and write both files into the folder of the claim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("claim", help="identifier in the claims file")
    parser.add_argument("--config", type=Path, default=Path("config.yaml"))
    options = parser.parse_args()
    config = yaml.safe_load(options.config.read_text(encoding="utf-8"))
    document = yaml.safe_load(Path(config["claims"]).read_text(encoding="utf-8"))
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
    for path, content in (
        (Path(reduced["claims"]), {**document, "claims": [claim]}),
        (folder / "config.yaml", reduced),
    ):
        text = yaml.safe_dump(content, sort_keys=False, width=1000)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    print(folder / "config.yaml")


if __name__ == "__main__":
    main()
