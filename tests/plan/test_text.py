"""Text of every kind, in every key that takes text: told in a sentence, or safe wherever it goes.

The keys are those of the schemas: one that is added there is tried here, too.
"""

import copy
import json
import re
import shlex
import shutil
from functools import cache

import pytest
from plan.claims import claims_schema
from plan.configuration import ConfigurationError, check_config, load_claims
from plan.documents import read_schema, read_yaml
from plan.places import find_files
from plan.reduce import find_claims
from repository import ROOT, copy_repository, list_jobs, write_yaml

HOSTILE = """it's "two words"; $(touch ran) `touch ran` <script>ran()</script> größe 漢字 $x_{$"""
TEXTS = {"hostile": HOSTILE, "formula": "=1+1", "long": "l" * 300, "end": "plain\n"}


read_once = cache(read_yaml)


def resolve(schema, root):
    """Return a schema with what it refers to."""
    while isinstance(schema, dict) and "$ref" in schema:
        *_, name = schema["$ref"].split("/")
        schema = {**root["$defs"][name], **{k: v for k, v in schema.items() if k != "$ref"}}
    return schema if isinstance(schema, dict) else {}


def text_places(schema, root, path=()):
    """Yield the path of each key and value that may be any text; "*" is any name."""
    schema = resolve(schema, root)
    kinds = schema.get("type", "string" if "anyOf" in schema else ())
    if "string" in kinds and "enum" not in schema:
        yield path
    for name, below in schema.get("properties", {}).items():
        yield from text_places(below, root, (*path, name))
    if isinstance(schema.get("additionalProperties"), dict):
        yield (*path, "* name")
        yield from text_places(schema["additionalProperties"], root, (*path, "*"))
    if "items" in schema:
        yield from text_places(schema["items"], root, (*path, 0))


def put(document, path, text):
    """Put a text at a place of a document, in place, beside or instead of what is there."""
    step, *rest = path
    if step == "* name":
        document[text] = copy.deepcopy(next(iter(document.values()), []))
        return
    key = next(iter(document)) if step == "*" else step
    if not rest:
        document[key] = text
        return
    kind = list if rest[0] == 0 else dict
    there = document.get(key) if isinstance(document, dict) else document[key]
    if not isinstance(there, kind) or not there:
        document[key] = [None] if kind is list else {}
    put(document[key], rest, text)


CONFIG, CLAIMS = read_schema("config.schema.yaml"), claims_schema()
# What the frameworks are told and refuse; such a run makes no table.
NOT_IN_TABLES = {"optimizer", "layers", "layer", "name", 0}
PLACES = [
    *(("config.yaml", path) for path in text_places(CONFIG, CONFIG)),
    ("config.yaml", ("experiment", "data", "text")),
    ("config.yaml", ("variants", "*", "layers", "*", 0, "Dense", "name")),
    *(("claims.yaml", path) for path in text_places(CLAIMS, CLAIMS)),
]


def tell(name, place, text, folder):
    """Return what is told of a text at a place; nothing where the text is taken."""
    documents = {file: copy.deepcopy(read_once(ROOT / file)) for file in ("config.yaml", name)}
    put(documents[name], place, text)
    config, claims = documents["config.yaml"], ROOT / "claims.yaml"
    if claims.name == name:
        claims = folder / name
        write_yaml(documents[name], claims)
    try:
        find_files(config, [ROOT])
        check_config(config, ROOT)
        known = load_claims(claims, config)
        if "claim" in config:
            find_claims(config, known)
    except ConfigurationError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What is told of each text at each place: {(file, place, name of the text): lines}."""
    folder = tmp_path_factory.mktemp("claims")
    return {
        (file, place, name): tell(file, place, text, folder)
        for file, place in PLACES
        for name, text in TEXTS.items()
    }


def test_what_is_wrong_is_told_in_sentences(told):
    lines = [line for answer in told.values() for line in answer.splitlines()]
    assert len(lines) > len(PLACES)
    sentence = re.compile(r"\S: .*(found .*expected |called as .*, got )")
    assert [line for line in lines if not sentence.search(line)] == []


def test_what_a_spreadsheet_would_compute_goes_into_no_table(told):
    taken = {
        place[-1] for (_, place, name), lines in told.items() if name == "formula" and not lines
    }
    assert taken <= NOT_IN_TABLES


def test_shell_gets_each_text_as_one_word_or_none(told, tmp_path):
    """All texts that are taken at once, and files with such a name."""
    folder = copy_repository(tmp_path / "copy")
    documents = {name: read_yaml(folder / name) for name in ("config.yaml", "claims.yaml")}
    taken = [
        (*key[:2], HOSTILE) for key, lines in told.items() if key[2] == "hostile" and not lines
    ]
    assert len(taken) > 10
    named = re.sub("[/<>{}]", "", HOSTILE)  # a name that a file may have
    module = folder / documents["config.yaml"]["experiment"]["module"]
    files = {
        ("experiment", "module"): (module, f"{named}.py"),
        ("experiment", "files", 0): (folder / "README.md", f"{named}.md"),
        ("claims",): (folder / "claims.yaml", f"{named}.yaml"),
    }
    for path, (_, name) in files.items():
        taken.append(("config.yaml", path, name))
    for file, path, text in taken:
        if path != ("claim",):
            put(documents[file], path, text)
    del documents["config.yaml"]["study"]  # which trains the page's own experiment alone
    del documents["config.yaml"]["figures"]["seeds"]
    for name, document in documents.items():
        write_yaml(document, folder / name)
    for there, name in files.values():
        shutil.copy2(there, folder / name)
    jobs = list_jobs(folder)
    words = [word for job in jobs for word in shlex.split(job["shell"] or "")]
    assert {f"{named}.py", f"{named}.yaml"} <= {*words}
    whole = (named, HOSTILE, *(json.dumps(text)[1:-1] for text in (named, HOSTILE)))
    assert [word for word in words if "touch" in word and not any(w in word for w in whole)] == []
    assert not (folder / "ran").exists()
