"""The graph as Mermaid text, which GitHub and many others draw. Decides nothing about places."""

from __future__ import annotations

from collections.abc import Iterator

from shared.cli.graph.card import in_one_line, mark_of
from shared.cli.graph.model import END, START, Graph, Link, Node, Way
from shared.cli.output import cut

_LONGEST = 64  # characters of a line
_SHAPES = {  # what stands about a label; a plain box otherwise
    "event": ("([", "])"),
    "schedule": ("([", "])"),
    "end": ("([", "])"),
    "prompt": ("(", ")"),
    "agent": ("(", ")"),
    "call": ("[[", "]]"),
    "flow": ("[[", "]]"),
    "wait": ("{{", "}}"),
}
_LOOKS = {
    "succeeded": "fill:#dcfce7,stroke:#15803d,color:#0f172a",
    "started": "fill:#dcfce7,stroke:#15803d,color:#0f172a",
    "failed": "fill:#fee2e2,stroke:#b91c1c,stroke-width:3px,color:#0f172a",
    "cancelled": "fill:#fee2e2,stroke:#b91c1c,color:#0f172a",
    "running": "fill:#dbeafe,stroke:#1d4ed8,stroke-width:3px,color:#0f172a",
    "waiting": "fill:#fef3c7,stroke:#b45309,color:#0f172a",
    "pending": "fill:#ffffff,stroke:#475569,color:#0f172a",
    "idle": "fill:#ffffff,stroke:#94a3b8,stroke-dasharray:4 3,color:#475569",
}
# In a quoted label these would end it, begin an entity, markup, Markdown or a directive.
_ENTITIES = {ord(char): f"#{ord(char)};" for char in '"#&<>`\\%*_'}


def mermaid_of(graph: Graph) -> str:
    """A Mermaid flowchart."""
    lines = [f"%% {fact}" for fact in _facts(graph)]
    lines += ["flowchart TD", *(_node(node) for node in graph.nodes)]
    lines += [_link(link) for link in graph.links]
    lines += _looks(graph)
    return "\n".join(lines) + "\n"


def _facts(graph: Graph) -> Iterator[str]:
    yield f"flow {graph.flow}, version {graph.version}"
    if graph.run:
        yield ", ".join(in_one_line(fact) for fact in graph.run)


def _node(node: Node) -> str:
    opening, closing = _SHAPES.get(node.kind, ("[", "]"))
    label = "<br/>".join(line for line in (_told(part) for part in _parts(node)) if line)
    return f'  {_id(node.name)}{opening}"{label}"{closing}'


def _parts(node: Node) -> Iterator[str]:
    yield node.title
    if node.name != END:
        yield node.does
    for note in node.notes:
        yield str(note)
    if node.state is not None:
        first, *more = node.state.told or ("",)
        yield f"{mark_of(node.state.status)} {node.state.status} {first}"
        yield from more
        yield node.state.error


def _told(text: str) -> str:
    return cut(in_one_line(text), _LONGEST).translate(_ENTITIES)


def _link(link: Link) -> str:
    arrow = {Way.NEXT: "-->", Way.ERROR: "-. on error .->", Way.FINISH: "-- early end -->"}
    return f"  {_id(link.source)} {arrow[link.way]} {_id(link.target)}"


def _id(name: str) -> str:
    """Never a word of Mermaid's own, such as `end`."""
    return {START: "start_", END: "end_"}.get(name, f"step_{name}")


def _looks(graph: Graph) -> Iterator[str]:
    by_look: dict[str, list[str]] = {}
    for node in graph.nodes:
        if node.state is not None:
            look = "idle" if node.state.is_idle else node.state.status
            by_look.setdefault(look, []).append(_id(node.name))
    for look, names in by_look.items():
        if look in _LOOKS:
            yield f"  classDef {look} {_LOOKS[look]}"
            yield f"  class {','.join(names)} {look}"
    skipped = [str(at) for at, link in enumerate(graph.links) if link.taken is False]
    if skipped:
        yield f"  linkStyle {','.join(skipped)} stroke:#cbd5e1"
