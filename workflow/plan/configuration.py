"""Check the configuration, and the claims, before any job runs."""

import copy
import functools
import json
import math
import operator
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator, ValidationError, validators
from snakemake.exceptions import WorkflowError

from plan.cells import parse_cell
from plan.claims import Claim, claims_in, claims_schema
from plan.controls import variants_of
from plan.documents import WORKFLOW, find_entries, read_schema, read_yaml
from plan.interface import read_interface
from plan.places import FILES, is_file


def match_whole(_: object, pattern: str, text: object, __: object) -> Iterator[ValidationError]:
    """Check a pattern as JSON Schema does: `$` is the end of the text, and no line end."""
    if isinstance(text, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), text):
        yield ValidationError(f"{text!r} does not match {pattern!r}")


# Here a number is finite, and 2.0 is no integer: no framework takes 2.0 for a number of epochs.
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


class ConfigurationError(WorkflowError):
    """A mistake in a file of the user's; the message says file, key, found and expected."""

    # With a traceback, Snakemake would begin the message with a line of a rule file.
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
        # jsonschema reports each missing key; `describe_error` names all missing keys of an object.
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
    """Return a name as the file has it; a name that is no line is shortened as a value is."""
    text = str(name)
    return text if text.isprintable() and len(text) <= 60 else shorten(name)


def check_config(config: dict, base: str | Path, source: str = "config") -> dict:
    """Check the merged configuration, its files, and the names that it uses.

    Adds the defaults, in place. Returns a copy as the rules use it: each cell of a comparison is in
    its parts, and the key `seed` has the published seed, the first of `seeds`. Relative paths start
    from the folder `base`. Raises ConfigurationError.
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
    """Add the defaults of the schema and the controls to a configuration, in place.

    The controls are the controls of defaults/controls.yaml, with the keys that the configuration
    sets, and then the configuration's own. `check_schema` tells of an entry that is no mapping.
    """
    own = config.get("controls", {})
    if isinstance(own, dict):
        known = read_yaml(WORKFLOW / "defaults/controls.yaml")
        config["controls"] = known | {
            name: {**known.get(name, {}), **entry} if isinstance(entry, dict) else entry
            for name, entry in own.items()
        }
    for entry in find_entries(config, "study/parts/*"):
        if isinstance(entry.value, dict):
            entry.value.setdefault("question", entry.place)
    set_defaults(config, read_schema("config.schema.yaml"))


def set_defaults(document: object, schema: dict | bool) -> None:
    """Add the defaults of a schema to each mapping of a document, in place."""
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
        for entry in find_entries(config, path):
            if not is_file(base / str(entry.value)):
                places = f"a path from the configuration's folder, {base} or the workflow's"
                yield entry.key, f"{name_found(entry.value)}, which is no file", places


def unknown_keys(config: dict, base: Path) -> Iterator[Mistake]:
    """Yield each key of a protocol that neither the workflow nor the module knows.

    A module may have settings of its own: the text of the module names such a setting.
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
    experiment, environments = config["experiment"], config["environments"]
    try:
        slots, procedures = read_interface(base / experiment["module"], experiment["data"])
    except ValueError as error:
        raise ConfigurationError(str(error).removeprefix(f"{base}/")) from None
    study = config.get("study", {"default": [], "parts": {}})
    shown = [study["parts"][name] for name in study["default"] if name in study["parts"]]
    known = {
        "an environment": environments,
        "an environment of the study's default parts": [
            name for part in shown for name in part["environments"]
        ],
        "an API of every environment": [
            api for api in APIS if all(api in one["apis"] for one in environments.values())
        ],
        "a protocol": config["protocols"],
        "a variant": config["variants"],
        "own or a variant": ["own", *config["variants"]],
        "a variant, or one of control_runs": variants_of(config),
        "a comparison": config["comparisons"],
        "a control": config["controls"],
        "a part": study["parts"],
        "a slot of {module}": slots,
        "one of {module}": procedures,
    }
    yield from unknown_among(config, "config", known, experiment["module"])
    yield from unfitting_names(config)
    yield from unknown_keys(config, base)


def unknown_among(
    document: dict, kind: str, known: dict[str, Iterable], module: str = ""
) -> Iterator[Mistake]:
    """Yield each name that a document of a kind uses (schemas/names.yaml) and that is not known."""
    for what, paths in read_schema("names.yaml")[kind].items():
        for entry in chain(*(find_entries(document, path) for path in paths)):
            for name in entry.value if isinstance(entry.value, dict) else [entry.value]:
                yield from unknown(entry.key, name, what.format(module=module), known[what])


def unknown(key: str, name: object, what: str, known: Iterable) -> Iterator[Mistake]:
    """Yield a mistake if a name is not one of the known ones."""
    names = dict.fromkeys(known)
    if name not in names:
        yield key, name_found(name), f"{what}: {', '.join(map(name_found, names))}"


def unfitting_names(config: dict) -> Iterator[Mistake]:
    """Yield each name that another key of the same entry does not allow."""
    protocols, environments = config["protocols"], config["environments"]
    rows = [
        (f"sweep/rows/{protocol}", protocol, rows)
        for protocol, rows in config.get("sweep", {}).get("rows", {}).items()
    ]
    if figure := config["figures"].get("val_loss"):
        rows.append(("figures/val_loss/rows", figure["protocol"], figure["rows"]))
    for name, comparison in config["comparisons"].items():
        for side in ("first", "second"):
            cell, key = comparison[side], f"comparisons/{name}/{side}"
            rows.append((f"{key}/rows", cell["protocol"], cell["rows"]))
            if cell["environment"] in environments:
                apis = environments[cell["environment"]]["apis"]
                yield from unknown(f"{key}/api", cell["api"], "an API of that environment", apis)
    for key, protocol, name in rows:
        if protocol in protocols:
            known = evaluation_rows(config, protocol)
            yield from unknown(key, name, "evaluation rows of its protocol", known)
    for name, entry in config.get("sweep", {}).get("releases", {}).items():
        file = environments.get(name, entry)["file"]
        what = "the file of the environment with that name"
        yield from unknown(f"sweep/releases/{name}/file", entry["file"], what, [file])


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
    known = {
        "an environment": config["environments"],
        "a variant": config["variants"],
        "a protocol": config["protocols"],
        "a comparison": config["comparisons"],
        "a control": config["controls"],
        "an architecture": config["control_runs"].get("crossed", {}).get("architectures", []),
        "a figure": read_schema("figures.yaml"),
    }
    report(unknown_among({claim["id"]: claim for claim in claims}, "claims", known), path)
    return claims
