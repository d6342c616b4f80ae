"""Checking the configuration before anything is run, and the cells that it asks for."""

import copy
import functools
import json
import math
import operator
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator, ValidationError, validators
from snakemake.exceptions import WorkflowError

from plan.cells import parse_cell
from plan.claims import Claim, claims_in, claims_schema
from plan.controls import variants_of
from plan.documents import WORKFLOW, read_schema, read_yaml
from plan.module import read_interface
from plan.places import FILES, is_file


def match_whole(_: object, pattern: str, text: object, __: object) -> Iterator[ValidationError]:
    """Check a pattern as JSON Schema means it: `$` is the end, not a line end before that."""
    if isinstance(text, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), text):
        yield ValidationError(f"{text!r} does not match {pattern!r}")


# Here a number is finite, and 2.0 is no integer: no framework takes these for a number of epochs.
Validator = validators.extend(
    Draft202012Validator,
    {"pattern": match_whole},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ).redefine(
        "number",
        lambda _, value: (
            isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        ),
    ),
)
APIS = ("tf.keras", "keras")
Mistake = tuple[str, object, str]  # key, found, expected
# A kind of name, the names that there are, and the paths of `find_entries` to where they are used.
# Where a path ends at a mapping, its keys are the names.
Reference = tuple[str, Collection, list[str]]


class ConfigurationError(WorkflowError):
    """A mistake in a file of the user's; the message says file, key, found and expected."""

    # Snakemake begins with the line of a rule file where it finds one of these on the way.
    __traceback__ = None


def restore_numbers(config: dict) -> None:
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


def check_schema(document: object, schema: dict, source: str) -> None:
    """Check a document against a JSON Schema.

    Raises ConfigurationError with one line per mistake, each naming `source`, the key, what
    was found and what was expected.
    """
    errors = sorted(Validator(schema).iter_errors(document), key=lambda error: error.json_path)
    if errors:
        # jsonschema reports each missing key; `describe_error` names all those of an object.
        lines = dict.fromkeys(describe_error(error, source) for error in errors)
        raise ConfigurationError("\n".join(lines))


def describe_error(error: ValidationError, source: str) -> str:
    """Return one line for a jsonschema error."""
    key = "/".join(map(name_found, error.absolute_path)) or "top level"
    if error.validator == "required":
        found, expected = "nothing", f"the key{missing_keys(error)}"
    elif error.validator == "additionalProperties":
        unknown = sorted(set(error.instance) - set(error.schema.get("properties", {})))
        found = "unknown " + ", ".join(map(name_found, unknown))
        expected = "only " + ", ".join(error.schema.get("properties", {}))
    else:
        found, expected = shorten(error.instance), expectation(error)
    return f"{source}: {key}: found {found}, expected {expected}"


def missing_keys(error: ValidationError) -> str:
    """Return the required keys that an object lacks, as text with a leading space or plural."""
    missing = [key for key in error.validator_value if key not in error.instance]
    return ("s " if len(missing) > 1 else " ") + ", ".join(missing)


def expectation(error: ValidationError) -> str:
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


def shorten(value: object) -> str:
    """Return a value as JSON of at most 60 characters."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def name_found(name: object) -> str:
    """Return a name that was found as it stands, or shortened as a value where that is no line."""
    text = str(name)
    return text if text.isprintable() and len(text) <= 60 else shorten(name)


def check_config(config: dict, base: str | Path, source: str = "config") -> dict:
    """Check the merged configuration, its files, and the names it uses of other entries.

    Adds what the configuration leaves out, in place. Returns a copy as the rules use it: each cell
    of a comparison in its parts, and under `seed` the published seed, the first of `seeds`. `base`
    is the folder that its relative paths start from. Raises ConfigurationError.
    """
    fill_defaults(config)
    check_schema(config, read_schema("config.schema.yaml"), source)
    planned = copy.deepcopy(config)
    planned["seed"] = config["seeds"][0]
    for comparison in planned["comparisons"].values():
        comparison |= {side: parse_cell(comparison[side]) for side in ("first", "second")}
    for check in (missing_files, unknown_names, row_mistakes):
        report(check(planned, Path(base)), source)
    return planned


def report(mistakes: Iterable[Mistake], source: str | Path) -> None:
    """Raise ConfigurationError with a line for each mistake in a file, if there are any."""
    lines = [
        f"{source}: {key}: found {found}, expected {expected}" for key, found, expected in mistakes
    ]
    if lines:
        raise ConfigurationError("\n".join(lines))


def fill_defaults(config: dict) -> None:
    """Add what a configuration may leave out, in place: the schema's defaults, and the controls.

    The controls are those of defaults/controls.yaml, with the keys that the configuration sets, and
    then its own. What is no mapping is left as it stands, for `check_schema` to tell.
    """
    own = config.get("controls", {})
    if isinstance(own, dict):
        known = read_yaml(WORKFLOW / "defaults/controls.yaml")
        config["controls"] = known | {
            name: {**known.get(name, {}), **entry} if isinstance(entry, dict) else entry
            for name, entry in own.items()
        }
    for _, parts in find_entries(config, ["study", "parts"]):
        for name, part in parts.items() if isinstance(parts, dict) else ():
            if isinstance(part, dict):
                part.setdefault("question", name)
    set_defaults(config, read_schema("config.schema.yaml"))


def set_defaults(document: object, schema: dict | bool) -> None:
    """Add what each mapping of a document leaves out and its schema has a default for, in place."""
    if isinstance(document, dict) and isinstance(schema, dict):
        entries = schema.get("properties", {})
        for key, entry in entries.items():
            if "default" in entry:
                document.setdefault(key, copy.deepcopy(entry["default"]))
        for key, value in document.items():
            set_defaults(value, entries.get(key, schema.get("additionalProperties", False)))


def missing_files(config: dict, base: Path) -> Iterator[Mistake]:
    """Yield each file that the configuration names and that is not there."""
    for path in FILES:
        for key, file in find_entries(config, path.split("/")):
            if not is_file(base / str(file)):
                places = f"a path from the configuration's folder, {base} or the workflow's"
                yield key, f"{name_found(file)}, which is no file", places


def unknown_keys(config: dict, base: Path) -> Iterator[Mistake]:
    """Yield each key of a protocol that neither the workflow nor the module knows.

    A module may ask for settings of its own; it does so by their name.
    """
    schema = read_schema("config.schema.yaml")["properties"]["protocols"]
    known = schema["additionalProperties"]["properties"]
    module = config["experiment"]["module"]
    text = (base / module).read_text(encoding="utf-8")
    for name, protocol in config["protocols"].items():
        for key in protocol:
            if key not in known and f'"{key}"' not in text and f"'{key}'" not in text:
                expected = f"only {', '.join(known)}, or a setting that {module} names"
                yield f"protocols/{name}", f"unknown {name_found(key)}", expected


def row_mistakes(config: dict, base: Path) -> Iterator[Mistake]:
    """Yield the rows that no training can have."""
    rows = config["experiment"]["data"].get("rows")
    if isinstance(rows, str):
        yield "experiment/data/rows", shorten(rows), "a number of rows"
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


def unknown_names(config: dict, base: Path) -> Iterator[Mistake]:
    """Yield each name that the configuration uses and nowhere defines."""
    experiment = config["experiment"]
    try:
        interface = read_interface(base / experiment["module"], experiment["data"])
    except ValueError as error:
        raise ConfigurationError(str(error).removeprefix(f"{base}/")) from None
    yield from unknown_among(config, references(config, *interface))
    for key, name, known, kind in dependent_names(config):
        if name not in known:
            yield key, name_found(name), f"{kind}: {', '.join(map(name_found, known))}"
    yield from unknown_keys(config, base)


def unknown_among(document: dict, references: list[Reference]) -> Iterator[Mistake]:
    """Yield each name that a document uses where a reference says and that is not known."""
    for kind, known, paths in references:
        for path in paths:
            for key, found in find_entries(document, path.split("/")):
                for name in found if isinstance(found, dict) else [found]:
                    if name not in known:
                        yield key, name_found(name), f"{kind}: {', '.join(map(name_found, known))}"


def references(config: dict, slots: list, procedures: list) -> list[Reference]:
    """Return where the configuration uses which names."""
    module, environments = config["experiment"]["module"], config["environments"]
    study = config.get("study", {"default": [], "parts": {}})
    shown = [study["parts"][name] for name in study["default"] if name in study["parts"]]
    shown_environments = list(dict.fromkeys(one for part in shown for one in part["environments"]))
    apis = [name for name in APIS if all(name in one["apis"] for one in environments.values())]
    first, second, panels = "comparisons/*/first", "comparisons/*/second", "figures/seeds/panels"
    studied, crossed = "study/parts/*/cells", "control_runs/crossed"
    environment = "an environment of the study's default parts"
    return [
        ("an environment", environments, [f"{first}/environment", f"{second}/environment"]),
        ("an environment", environments, ["study/parts/*/environments"]),
        (environment, shown_environments, [f"{panels}/environment"]),
        ("an API of every environment", apis, ["figures/weight_sums/api", "figures/val_loss/api"]),
        ("a protocol", config["protocols"], [f"{first}/protocol", f"{second}/protocol"]),
        ("a protocol", config["protocols"], ["control_runs/*/protocol", "figures/*/protocol"]),
        ("a protocol", config["protocols"], [f"{panels}/protocol", f"{studied}/protocol"]),
        ("a protocol", config["protocols"], ["sweep/rows"]),
        ("a variant", config["variants"], ["control_runs/evaluation_swap/pairs", "sweep/pair"]),
        ("a variant", config["variants"], ["figures/weight_sums/variants", f"{panels}/variants"]),
        ("a variant", config["variants"], [f"{studied}/variant"]),
        ("own or a variant", ["own", *config["variants"]], [f"{studied}/start"]),
        ("a variant", variants_of(config), [f"{first}/variant", f"{second}/variant"]),
        ("a variant", variants_of(config), ["control_runs/*/variants"]),
        ("a variant", variants_of(config), [f"{crossed}/architectures", f"{crossed}/starts_of"]),
        ("a comparison", config["comparisons"], ["controls/*/comparisons"]),
        ("a comparison", config["comparisons"], ["figures/*/comparisons"]),
        ("a control", config["controls"], ["figures/trajectories/controls"]),
        ("a part", study["parts"], ["study/default"]),
        (f"a slot of {module}", slots, ["variants/*/layers", "control_runs/variants/*/layers"]),
        (f"one of {module}", procedures, ["protocols/*/procedure"]),
    ]


def find_entries(document: object, path: list[str], key: str = "") -> Iterator[tuple[str, object]]:
    """Yield (key, entry) for each entry of a document at a path.

    A * in the path is any key; lists on the way and at its end are gone through.
    """
    if isinstance(document, list):
        for item in document:
            yield from find_entries(item, path, key)
    elif not path:
        yield key, document
    elif isinstance(document, dict):
        step, *rest = path
        for name in document if step == "*" else {step} & document.keys():
            yield from find_entries(document[name], rest, f"{key}/{name}" if key else name)


def dependent_names(config: dict) -> Iterator[tuple[str, object, Collection, str]]:
    """Yield (key, name, known names, kind) where what is known depends on other keys."""
    figures, protocols, environments = (
        config[key] for key in ("figures", "protocols", "environments")
    )
    cells = [
        (f"comparisons/{name}/{side}", comparison[side])
        for name, comparison in config["comparisons"].items()
        for side in ("first", "second")
    ]
    for key, cell in cells:
        if cell["environment"] in environments:
            apis = environments[cell["environment"]]["apis"]
            yield f"{key}/api", cell["api"], apis, "an API of that environment"
    sweep = config.get("sweep", {"rows": {}, "releases": {}})
    shown = [
        *((f"{key}/rows", cell["protocol"], cell["rows"]) for key, cell in cells),
        *(("figures/val_loss/rows", one["protocol"], one["rows"])
          for one in [figures.get("val_loss")] if one),
        *((f"sweep/rows/{protocol}", protocol, rows) for protocol, rows in sweep["rows"].items()),
    ]  # fmt: skip
    for key, protocol, rows in shown:
        if protocol in protocols:
            known = evaluation_rows(config, protocol)
            yield key, rows, known, "evaluation rows of its protocol"
    for name, entry in sweep["releases"].items():
        file = environments.get(name, entry)["file"]
        key = f"sweep/releases/{name}/file"
        yield key, entry["file"], [file], "the file of the environment with that name"
    if "published_and_measured" in figures:
        yield "figures/published_and_measured", "claims", config, "the key claims among"
    if "spread" in config["control_runs"]:
        yield "control_runs/spread", "default_threads", config["controls"], "a control"
    if "study" in config:
        yield "figures", "seeds", figures, "an entry for that figure of the study among"


def evaluation_rows(config: dict, protocol: str) -> list[str]:
    """Return the evaluation rows of a protocol as the tables name them."""
    return [f"{first}:{last}" for first, last in config["protocols"][protocol]["evaluation_rows"]]


def load_claims(path: str | Path, config: dict) -> list[Claim]:
    """Read and check the claims file; return its list of claims. Raises ConfigurationError."""
    try:
        document = read_yaml(path)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    check_schema(document, claims_schema(), str(path))
    claims = claims_in(document)
    identifiers = [claim["id"] for claim in claims]
    repeated = sorted({name for name in identifiers if identifiers.count(name) > 1})
    report((("id", f"{name} twice", "once") for name in repeated), path)
    crossed = config["control_runs"].get("crossed", {})
    known: list[Reference] = [
        ("an environment", config["environments"], ["*/cells/environment", "*/environment"]),
        ("a variant", config["variants"], ["*/cells/variant", "*/variant"]),
        ("a protocol", config["protocols"], ["*/cells/protocol", "*/protocol"]),
        ("a comparison", config["comparisons"], ["*/comparison"]),
        ("a control", config["controls"], ["*/control"]),
        ("an architecture", crossed.get("architectures", []), ["*/architecture"]),
        ("a figure", read_schema("figures.yaml"), ["*/figure"]),
    ]
    report(unknown_among({claim["id"]: claim for claim in claims}, known), path)
    return claims
