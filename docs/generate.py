"""What the documentation site takes from elsewhere: generated pages, and files of the repository.

MkDocs calls the functions named on_*. Pages are generated from the one place that knows: the
configuration's schema, the columns of the tables, the workflow's rules (in $WORKFLOW_RULES, as
workflow/rules/docs.smk lists them), the changelog.
"""

import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import dagviz
import networkx
from judge.tables import DESCRIBED, describe_columns  # workflow/ is in $PYTHONPATH
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from plan.cells import parse_cell
from plan.claims import read_claims
from plan.documents import read_schema, read_yaml
from publish import write_claims

ROOT = Path(__file__).resolve().parents[1]
GRAPH = re.compile(r"^    ([\w &]+) --> (\w+)$", re.MULTILINE)  # arrows of docs/architecture.md
LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
OUTSIDE = re.compile(r"\]\(((?:\.\./)+)([^)#]+)")  # a link that may leave docs/


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Show the version beside the name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    config.site_name += f" {project['version']}"
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and every file of the repository that a page links to."""
    for path, content in {
        "reference/configuration.md": configuration_page(),
        "reference/tables.md": tables_page(),
        "reference/rules.md": rules_page(json.loads(os.environ["WORKFLOW_RULES"])),
        "changelog.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        "assets/pipeline.svg": pipeline_picture(),
        "claims.html": claims_page(),
    }.items():
        files.append(File.generated(config, path, content=content))
    linked = {
        target
        for page in files.documentation_pages()
        for _, target in OUTSIDE.findall(page.content_string)
        if (ROOT / target).is_file()
    }
    for target in sorted(linked):
        source = str(ROOT / target)
        files.append(File.generated(config, f"repository/{target}", abs_src_path=source))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Lead links to files of the repository to their copies in the site."""
    depth = len(PurePosixPath(page.file.src_uri).parents) - 1

    def lead(match: re.Match) -> str:
        ups, target = match.groups()
        inside = len(ups) // 3 <= depth or not (ROOT / target).is_file()
        return match[0] if inside else f"]({'../' * depth}repository/{target}"

    return OUTSIDE.sub(lead, markdown)


def pipeline_picture() -> str:
    """Return the graph of the default run's rules as SVG; docs/architecture.md has its arrows.

    An arrow that follows from others is left out, and so is a rule's arrow to itself.
    """
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    arrows = [
        (first, second)
        for several, second in GRAPH.findall(page)
        for first in several.split(" & ")
        if first != second
    ]
    return dagviz.render_svg(networkx.transitive_reduction(networkx.DiGraph(arrows)))


def claims_page() -> str:
    """Return the report's page of the claims, made from the committed tables and figures."""
    config = read_yaml(ROOT / "config.yaml")
    for pair in config["comparisons"].values():
        pair |= {side: parse_cell(pair[side]) for side in ("first", "second")}
    claims = ROOT / "results/tables/claims.csv"
    return write_claims.render(
        ROOT / "workflow/report/claims.html",
        read_claims(ROOT / config["claims"]),
        config,
        {path.stem: write_claims.read_rows(path) for path in claims.parent.glob("*.csv")},
        write_claims.read_rows(ROOT / "docs/claims-to-commands.csv"),
        {name: f"repository/results/figures/{name}.svg" for name in read_schema("figures.yaml")},
    )


def configuration_page() -> str:
    """Return the reference of config.yaml, from its schema."""
    schema = read_schema("config.schema.yaml")
    lines = [
        "# Configuration",
        "",
        "All keys of [config.yaml](../../config.yaml), generated from its schema "
        "(`workflow/schemas/config.schema.yaml`), against which it is checked before anything "
        "runs. `NAME` stands for a name of your own; keys in **bold** are required.",
        "",
    ]
    for key, entry in schema["properties"].items():
        meaning = entry["description"]
        lines += [f"## {key}", "", f"{meaning[0].upper()}{meaning[1:]}.", ""]
        rows = describe_keys(entry, schema, key, key in schema["required"])
        lines += markdown_table(["key", "value", "meaning"], rows)
    return "\n".join(lines)


def describe_keys(entry: dict, schema: dict, path: str, required: bool) -> Iterator[list[str]]:
    """Yield the table rows of a key and of all keys below it."""
    entry = resolve(entry, schema)
    name = f"**`{path}`**" if required else f"`{path}`"
    default = f"; default `{json.dumps(entry['default'])}`" if entry.get("default") else ""
    yield [name, kind_of(entry, schema) + default, entry.get("description", "")]
    for key, below in entry.get("properties", {}).items():
        yield from describe_keys(below, schema, f"{path}.{key}", key in entry.get("required", []))
    more = entry.get("additionalProperties")
    if isinstance(more, dict) and more:
        more = resolve(more, schema)
        if more.get("properties"):
            yield from describe_keys(more, schema, f"{path}.NAME", False)
        else:
            yield [f"`{path}.NAME`", kind_of(more, schema), more.get("description", "")]


def resolve(entry: dict, schema: dict) -> dict:
    """Return an entry with its $ref replaced by what it refers to."""
    referred = schema["$defs"][entry["$ref"].rsplit("/", 1)[1]] if "$ref" in entry else {}
    return referred | {key: value for key, value in entry.items() if key != "$ref"}


def kind_of(entry: dict, schema: dict) -> str:
    """Return in words which values an entry admits."""
    entry = resolve(entry, schema)
    if "enum" in entry:
        return " or ".join(f"`{value}`" for value in entry["enum"])
    if "anyOf" in entry:
        return " or ".join(kind_of(one, schema) for one in entry["anyOf"])
    kind = entry.get("type", "any value")
    kind = {"array": "list", "object": "mapping", "string": "text"}.get(kind, kind)
    if kind == "list" and "items" in entry:
        kind = f"list of {kind_of(entry['items'], schema)}"
    limits = [f"{sign} {entry[limit]}" for limit, sign in LIMITS.items() if limit in entry]
    return ", ".join([kind, *limits])


def markdown_table(heads: list[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return the lines of a table; what is in a cell does not end it."""
    cells = [heads, ["---"] * len(heads)]
    cells += [[text.replace("|", "\\|") for text in row] for row in rows]
    return [*(f"| {' | '.join(row)} |" for row in cells), ""]


def tables_page() -> str:
    """Return the reference of the tables, from the file that lists their columns."""
    kinds = read_schema("tables.yaml")["kinds"]
    lines = [
        "# Tables",
        "",
        "All tables under `results/tables/` and their columns, generated from "
        "`workflow/schemas/tables.yaml`. One row per observation, stable order, 17 "
        "significant digits: two runs can be compared with `diff`.",
        "",
        "## What may differ between two runs",
        "",
        "`make check` judges each column by its kind.",
        "",
        *markdown_table(["kind", "what it is; when it may differ"], kinds.items()),
    ]
    own = {
        f"{name} of a diagnosis": part
        for name, part in describe_columns(section="diagnosis").items()
    }
    for table, columns in {**DESCRIBED, **own}.items():
        link = f"results/tables/{table}.csv"
        title = (
            f"[{table}.csv](../../{link})" if (ROOT / link).is_file() else f"{table.split()[0]}.csv"
        )
        rows = [
            [f"`{name}`", *(entry.get(key, "") for key in ("type", "unit", "kind", "meaning"))]
            for name, entry in columns.items()
        ]
        lines += [f"## {table}", "", title, ""]
        lines += markdown_table(["column", "type", "unit", "kind", "meaning"], rows)
    return "\n".join(lines)


def rules_page(rules: dict[str, dict[str, str]]) -> str:
    """Return the reference of the rules: `rules` is {rule file: {rule: its message}}."""
    lines = [
        "# Rules",
        "",
        "Every rule of the workflow, as Snakemake lists them, with the message that its jobs "
        "print. `In` and `Out` open each rule file. A rule may be asked for by its name, a file "
        "by its path: `snakemake --use-conda -c2 results/figures/weight_sums.pdf`.",
        "",
    ]
    for path, messages in rules.items():
        _, purpose, *_ = (ROOT / path).read_text(encoding="utf-8").split('"""')
        lines += [f"## {PurePosixPath(path).name}", "", "```text", purpose.strip(), "```", ""]
        rows = [[f"`{name}`", message] for name, message in messages.items()]
        lines += markdown_table(["rule", "message"], rows)
    return "\n".join(lines)
