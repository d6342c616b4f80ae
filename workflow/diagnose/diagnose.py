"""Two scripts, or one script in two framework versions: why their results differ.

    python diagnose.py --first before.py --second after.py --in tf1.14-keras2.2.4
    python diagnose.py --script train.py --in "tf1.14-keras2.2.4 tf2.0-keras2.3.1"

Exit status 0: a verdict was reached. 3: undecided, with the reason. 2: wrong arguments.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def main() -> int:
    """Write the configuration, run the workflow, print the verdict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", "--FIRST", type=Path)
    parser.add_argument("--second", "--SECOND", type=Path)
    parser.add_argument("--script", "--SCRIPT", type=Path)
    parser.add_argument("--in", "--IN", dest="environments", required=True)
    parser.add_argument(
        "--arguments", "--ARGS", default="", help="of both scripts, as a shell reads them"
    )
    parser.add_argument("--metric", "--METRIC", default="auto")
    parser.add_argument("--repeats", "--REPEATS", type=int, default=2)
    parser.add_argument("--limit", "--LIMIT", type=int, default=3600, help="seconds for one run")
    parser.add_argument("--out", "--OUT", type=Path)
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    options = parser.parse_args()
    scripts = [options.script] * 2 if options.script else [options.first, options.second]
    if None in scripts:
        parser.error("name FIRST and SECOND, or one SCRIPT")
    for script in scripts:
        if not script.is_file():
            parser.error(f"{script}: there is no such script")
    names = options.environments.split()
    known = sorted(path.stem for path in (ROOT / "envs").glob("tf*.yaml"))
    names *= 2 if len(names) == 1 else 1
    if len(names) != 2:
        parser.error(f"IN is {options.environments!r}: name one or two of {', '.join(known)}")
    files = [ROOT / "envs" / f"{n}.yaml" if n in known else Path(n).resolve() for n in names]
    for name, file in zip(names, files, strict=True):
        if not file.is_file():
            parser.error(f"IN: {name} is no environment file and none of {', '.join(known)}")
    if options.repeats < 2:
        parser.error(f"REPEATS is {options.repeats}: a script is run at least 2 times")
    folder = options.out or Path("diagnosis") / scripts[1].stem
    folder.mkdir(parents=True, exist_ok=True)
    arguments = shlex.split(options.arguments)
    sides = [
        {"script": str(script.resolve()), "arguments": arguments, "environment": str(file)}
        for script, file in zip(scripts, files, strict=True)
    ]
    config = {"first": sides[0], "second": sides[1], "metric": options.metric}
    config |= {"repeats": options.repeats, "limit": options.limit}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    prefix = os.environ.get("SNAKEMAKE_CONDA_PREFIX") or str(ROOT / ".snakemake/conda")
    command = [
        str(Path(sys.executable).parent / "snakemake"),
        "--snakefile",
        str(HERE / "Snakefile"),
        "--directory",
        str(folder),
    ]
    command += ["--configfile", str(folder / "config.json"), "--software-deployment-method"]
    command += ["conda", "--conda-prefix", prefix, "--cores", str(options.cores)]
    command += ["--rerun-incomplete", "--quiet", "rules"]
    log = folder / "snakemake.log"
    with log.open("w") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        print(log.read_text(errors="replace")[-3000:], file=sys.stderr)
        print(f"The workflow failed: {log}. Again: {shlex.join(command)}", file=sys.stderr)
        return 1
    verdict = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    print(verdict["sentence"])
    for row in verdict["rows"]:
        print(f"  {row['cause']:45} {row['contribution']:+12.6g}")
    print(f"The runs part, from an equal start: {verdict['place']}")
    print(f"The whole diagnosis: {folder / 'diagnosis.html'}")
    return verdict["status"]


if __name__ == "__main__":
    sys.exit(main())
