"""Checking the configuration before anything is run, and the cells that it asks for."""

import functools
import json
import math
import operator
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator, validators

from bnyesno.controls import variants_of
from bnyesno.interface import read_interface
from bnyesno.study_check import study_mistakes

# A number is finite, and 2.0 is no integer, here: frameworks take neither for a number of epochs.
Validator = validators.extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ).redefine(
        "number",
        lambda _, value: (
            isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        ),
    ),
)
SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"


class ConfigurationError(Exception):
    """A mistake in a file of the user's; the message says file, key, found and expected."""


def read_yaml(path):
    """Return the document in a YAML file; in C where possible, since every job reads some."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(Path(path).read_text(encoding="utf-8"), loader)


@functools.lru_cache
def read_schema(name):
    """Return the schema in a file of schemas/."""
    return read_yaml(SCHEMAS / name)


def restore_numbers(config):
    """Turn text into the number that the schema asks for, in place.

    Snakemake reads a number inside a list or mapping of --config as text: 'seeds=[3,11]'.
    """
    for error in [*Validator(read_schema("config.schema.yaml")).iter_errors(config)]:
        if error.validator != "type" or error.validator_value not in ("integer", "number"):
            continue
        number = yaml.safe_load(error.instance) if isinstance(error.instance, str) else None
        if Validator({"type": error.validator_value}).is_valid(number):
            *folders, last = error.absolute_path
            functools.reduce(operator.getitem, folders, config)[last] = number


def check_schema(document, schema_name, source):
    """Check a document against schemas/`schema_name`.

    Raises ConfigurationError with one line per mistake, each naming `source`, the key, what
    was found and what was expected.
    """
    errors = Validator(read_schema(schema_name)).iter_errors(document)
    errors = sorted(errors, key=lambda error: error.json_path)
    if errors:
        # jsonschema reports each missing key by itself, `describe_error` all of an object's.
        lines = dict.fromkeys(describe_error(error, source) for error in errors)
        raise ConfigurationError("\n".join(lines))


def describe_error(error, source):
    """Return one line for a jsonschema error."""
    key = "/".join(str(part) for part in error.absolute_path) or "top level"
    if error.validator == "required":
        found, expected = "nothing", f"the key{missing_keys(error)}"
    elif error.validator == "additionalProperties":
        unknown = sorted(set(error.instance) - set(error.schema.get("properties", {})))
        found = "unknown " + ", ".join(map(str, unknown))
        expected = "only " + ", ".join(error.schema.get("properties", {}))
    else:
        found, expected = shorten(error.instance), expectation(error)
    return f"{source}: {key}: found {found}, expected {expected}"


def missing_keys(error):
    """Return the required keys that an object lacks, as text with a leading space or plural."""
    missing = [key for key in error.validator_value if key not in error.instance]
    return ("s " if len(missing) > 1 else " ") + ", ".join(missing)


def expectation(error):
    """Return what a schema keyword asks for, in words."""
    value = error.validator_value
    words = {
        "type": f"{'an' if str(value)[0] in 'aeiou' else 'a'} {value}",
        "enum": "one of " + ", ".join(map(str, value)) if isinstance(value, list) else "",
        "minimum": f"at least {value}",
        "maximum": f"at most {value}",
        "exclusiveMinimum": f"more than {value}",
        "exclusiveMaximum": f"less than {value}",
        "minItems": f"at least {value} item(s)",
        "maxItems": f"at most {value} item(s)",
        "minProperties": f"at least {value} key(s)",
        "maxProperties": f"at most {value} key(s)",
        "uniqueItems": "no item twice",
        "pattern": f"text that matches {value}",
        "maxLength": f"at most {value} characters",
    }
    described = error.schema.get("description") if isinstance(error.schema, dict) else None
    expected = words.get(error.validator) or described or error.message
    return f"{expected} ({described})" if described and described != expected else expected


def shorten(value):
    """Return a value as JSON of at most 60 characters."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def check_config(config, base, source="config"):
    """Check the merged configuration, its files, and the names it uses of other entries.

    Adds what it leaves out, in place. `base` is the folder that its relative paths start from.
    Raises ConfigurationError.
    """
    check_schema(config, "config.schema.yaml", source)
    fill_defaults(config, Path(base) / "config.yaml")
    mistakes = [*missing_files(config, base, source)]
    if not mistakes:
        mistakes = [*unknown_names(config, base, source), *unknown_keys(config, base, source)]
    if not mistakes:
        mistakes = [
            f"{source}: {key}: found {shorten(found)}, expected {expected}"
            for key, found, expected in [*row_mistakes(config), *study_mistakes(config)]
        ]
    if mistakes:
        raise ConfigurationError("\n".join(mistakes))


def fill_defaults(config, page):
    """Add what a configuration may leave out, in place; `page` is the page's configuration file.

    An experiment of one's own is judged by the page's controls, but for those that are limited
    to comparisons of the page.
    """
    if "controls" not in config:
        controls = read_yaml(page)["controls"]
        config["controls"] = {
            name: control for name, control in controls.items() if "comparisons" not in control
        }
    config.setdefault("results", "results")
    config.setdefault("training_threads", 1)
    config.setdefault("variants_per_job", 1)
    config.setdefault("seeds_per_job", 1)
    config["repeats"] = {"tf.keras": 1, "keras": 1} | config.get("repeats", {})
    first_seed = {"seed": config["seeds"][0]}
    config["control_runs"] = {**first_seed, "variants": {}} | config.get("control_runs", {})
    config["figures"] = {"formats": ["svg", "pdf", "png"], **first_seed} | config.get("figures", {})


def missing_files(config, base, source):
    """Yield a line for each file that the configuration names and that is not there."""
    named = {"experiment/module": config["experiment"]["module"]}
    for position, path in enumerate(config["experiment"].get("files", [])):
        named[f"experiment/files/{position}"] = path
    if "claims" in config:
        named["claims"] = config["claims"]
    for name, environment in config["environments"].items():
        named[f"environments/{name}/file"] = environment["file"]
    for name, release in config.get("sweep", {}).get("releases", {}).items():
        named[f"sweep/releases/{name}/file"] = release["file"]
    for key, path in named.items():
        if not (Path(base) / path).is_file():
            yield f"{source}: {key}: found {path}, which is no file; expected a path from {base}"


def unknown_keys(config, base, source):
    """Yield a line for each key of a protocol that neither the workflow nor the module knows.

    A module may ask for settings of its own; it does so by their name.
    """
    schema = read_schema("config.schema.yaml")["properties"]["protocols"]
    known = schema["additionalProperties"]["properties"]
    module = config["experiment"]["module"]
    text = (Path(base) / module).read_text(encoding="utf-8")
    for name, protocol in config["protocols"].items():
        for key in protocol:
            if key not in known and f'"{key}"' not in text and f"'{key}'" not in text:
                yield (
                    f"{source}: protocols/{name}: found unknown {key}, expected only "
                    f"{', '.join(known)}, or a setting that {module} names"
                )


def row_mistakes(config):
    """Yield (key, found, expected) for rows that no training can have."""
    rows = config["experiment"]["data"].get("rows")
    for name, protocol in config["protocols"].items():
        first, last = protocol["training_rows"]
        ranges = [("training_rows", protocol["training_rows"])]
        ranges += [("evaluation_rows", one) for one in protocol["evaluation_rows"]]
        for key, (start, stop) in ranges:
            if start >= stop or (isinstance(rows, int) and stop > rows):
                within = f" within the {rows} rows of the data" if isinstance(rows, int) else ""
                yield f"protocols/{name}/{key}", [start, stop], f"a range of rows{within}"
        if protocol["batch_size"] > last - first > 0:
            expected = f"at most the {last - first} training rows"
            yield f"protocols/{name}/batch_size", protocol["batch_size"], expected


def unknown_names(config, base, source):
    """Yield a line for each name that the configuration uses and nowhere defines."""
    experiment = config["experiment"]
    try:
        interface = read_interface(Path(base) / experiment["module"], experiment["data"])
    except ValueError as error:
        raise ConfigurationError(str(error).removeprefix(f"{base}/")) from None
    uses = [*experiment_uses(config, *interface), *figure_uses(config), *control_uses(config)]
    uses += [*sweep_uses(config), *study_uses(config)]
    for key, name, known, kind in uses:
        if name not in known:
            known_names = ", ".join(map(str, known))
            yield f"{source}: {key}: found {name}, expected {kind}: {known_names}"


def experiment_uses(config, slots, procedures):
    """Yield (key, name, known names, kind) for what has to be in the experiment module."""
    module = config["experiment"]["module"]
    for name, variant in variants_of(config).items():
        for slot in variant["layers"]:
            yield f"variants/{name}/layers", slot, slots, f"a slot of {module}"
    for name, protocol in config["protocols"].items():
        yield f"protocols/{name}/procedure", protocol["procedure"], procedures, f"one of {module}"


def figure_uses(config):
    """Yield (key, name, known names, kind) for the names in `figures`."""
    figures, protocols = config["figures"], config["protocols"]
    yield "figures/seed", figures["seed"], config["seeds"], "a seed"
    for figure in ("weight_sums", "val_loss"):
        if figure in figures:
            yield f"figures/{figure}/protocol", figures[figure]["protocol"], protocols, "a protocol"
    for name in figures.get("weight_sums", {}).get("variants", []):
        yield "figures/weight_sums/variants", name, config["variants"], "a variant"
    shown = figures.get("val_loss", {})
    if shown.get("protocol") in protocols:
        known = evaluation_rows(config, shown["protocol"])
        yield "figures/val_loss/rows", shown["rows"], known, "evaluation rows of its protocol"
    for figure in ("initial_kernels", "trajectories"):
        for name in figures.get(figure, {}).get("comparisons", []):
            yield f"figures/{figure}/comparisons", name, config["comparisons"], "a comparison"
    for name in figures.get("trajectories", {}).get("controls", []):
        yield "figures/trajectories/controls", name, config["controls"], "a control"
    if "published_and_measured" in figures:
        yield "figures/published_and_measured", "claims", config, "the key claims among"


def control_uses(config):
    """Yield (key, name, known names, kind) for the names in comparisons and controls."""
    yield "control_runs/seed", config["control_runs"]["seed"], config["seeds"], "a seed"
    for name, comparison in config["comparisons"].items():
        for side in ("first", "second"):
            yield from cell_uses(config, f"comparisons/{name}/{side}", comparison[side])
    for name, control in config["controls"].items():
        for comparison in control.get("comparisons", []):
            yield f"controls/{name}/comparisons", comparison, config["comparisons"], "a comparison"
    yield from table_uses(config)


def table_uses(config):
    """Yield (key, name, known names, kind) for the names in the tables of `control_runs`."""
    runs = config["control_runs"]
    for table in ("identity_layers", "crossed", "spread", "processor"):
        if table in runs:
            protocol = runs[table]["protocol"]
            yield f"control_runs/{table}/protocol", protocol, config["protocols"], "a protocol"
        for key in {"variants", "architectures", "starts_of"} & set(runs.get(table, {})):
            for name in runs[table][key]:
                yield f"control_runs/{table}/{key}", name, variants_of(config), "a variant"
    for pair in runs.get("evaluation_swap", {}).get("pairs", []):
        for name in pair:
            yield "control_runs/evaluation_swap/pairs", name, config["variants"], "a variant"
    if "spread" in runs:
        yield "control_runs/spread", "default_threads", config["controls"], "a control"


def sweep_uses(config):
    """Yield (key, name, known names, kind) for the names in `sweep`."""
    sweep = config.get("sweep", {"pair": [], "rows": {}, "releases": {}})
    for name in sweep["pair"]:
        yield "sweep/pair", name, config["variants"], "a variant"
    for protocol, rows in sweep["rows"].items():
        yield "sweep/rows", protocol, config["protocols"], "a protocol"
        known = evaluation_rows(config, protocol)
        yield f"sweep/rows/{protocol}", rows, known, "evaluation rows of its protocol"
    for name, entry in sweep["releases"].items():
        file = config["environments"].get(name, entry)["file"]
        key = f"sweep/releases/{name}/file"
        yield key, entry["file"], [file], "the file of the environment with that name"


def study_uses(config):
    """Yield (key, name, known names, kind) for the names in `study` and its figure."""
    if "study" not in config:
        return
    parts = config["study"]["parts"]
    known = {
        "variant": (config["variants"], "a variant"),
        "protocol": (config["protocols"], "a protocol"),
        "start": (["own", *config["variants"]], "own or a variant"),
    }
    for name in config["study"]["default"]:
        yield "study/default", name, parts, "a part"
    for part, settings in parts.items():
        for name in settings["environments"]:
            key = f"study/parts/{part}/environments"
            yield key, name, config["environments"], "an environment"
        for run in settings["runs"]:
            for setting, (names, kind) in known.items():
                for name in as_list(run.get(setting, [])):
                    yield f"study/parts/{part}/runs/{setting}", name, names, kind
    yield "figures", "seeds", config["figures"], "an entry for that figure of the study among"
    for panel in config["figures"].get("seeds", {}).get("panels", []):
        for name in panel["variants"]:
            yield "figures/seeds/panels/variants", name, config["variants"], "a variant"


def as_list(value):
    """Return a list as it is, and anything else as the one item of a list."""
    return value if isinstance(value, list) else [value]


def cell_uses(config, key, cell):
    """Yield (key, name, known names, kind) for one side of a comparison."""
    known_environment = config["environments"].get(cell["environment"], {"apis": []})
    yield f"{key}/environment", cell["environment"], config["environments"], "an environment"
    yield f"{key}/api", cell["api"], known_environment["apis"], "an API of that environment"
    yield f"{key}/variant", cell["variant"], variants_of(config), "a variant"
    yield f"{key}/protocol", cell["protocol"], config["protocols"], "a protocol"
    known = evaluation_rows(config, cell["protocol"])
    yield f"{key}/rows", cell["rows"], known, "evaluation rows of its protocol"


def evaluation_rows(config, protocol):
    """Return the evaluation rows of a protocol as the tables name them, [] for an unknown one."""
    rows = config["protocols"].get(protocol, {"evaluation_rows": []})["evaluation_rows"]
    return [f"{first}:{last}" for first, last in rows]


def load_claims(path, config):
    """Read and check the claims file; return its list of claims. Raises ConfigurationError."""
    document = read_yaml(path)
    check_schema(document, "claims.schema.yaml", path)
    claims = document["claims"]
    identifiers = [claim["id"] for claim in claims]
    repeated = sorted({name for name in identifiers if identifiers.count(name) > 1})
    if repeated:
        raise ConfigurationError(f"{path}: id: found {', '.join(repeated)} twice, expected once")
    mistakes = [line for claim in claims for line in unknown_cells(claim, config, path)]
    if mistakes:
        raise ConfigurationError("\n".join(mistakes))
    return claims


def unknown_cells(claim, config, path):
    """Yield a line for each part of a claim's cells that the configuration does not define."""
    known = {
        "environment": config["environments"],
        "variant": config["variants"],
        "protocol": config["protocols"],
    }
    for cell in claim.get("cells", []):
        for key, names in known.items():
            if cell[key] not in names:
                yield (
                    f"{path}: {claim['id']}/{key}: found {cell[key]}, "
                    f"expected one of {', '.join(names)}"
                )
