"""The graph of the rules of the default run, as docs/architecture.md shows it.

python tests/rule_graph.py        writes it there again, in the driver environment
"""

import re

from repository import ROOT, run_driver

PAGE = ROOT / "docs/architecture.md"
BLOCK = re.compile(r"```mermaid\n.*?```\n", re.DOTALL)


def draw_graph():
    """Return the graph as Mermaid draws it: Snakemake's, with the rules' names and no colours."""
    lines = run_driver("snakemake", "--rulegraph", "mermaid-js").stdout.splitlines()
    nodes = dict(re.findall(r"^\s*(id\d+)\[(\w+)\]$", "\n".join(lines), re.MULTILINE))
    edges = re.findall(r"^\s*(id\d+) --> (id\d+)$", "\n".join(lines), re.MULTILINE)
    before: dict[str, list[str]] = {}  # of each rule, the rules that come before it
    for first, second in edges:
        before.setdefault(nodes[second], []).append(nodes[first])
    lines = [f"    {' & '.join(sorted(first))} --> {rule}\n" for rule, first in before.items()]
    return f"```mermaid\nflowchart LR\n{''.join(sorted(lines))}```\n"


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(BLOCK.sub(draw_graph(), page), encoding="utf-8")
