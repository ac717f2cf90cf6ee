"""A page that holds all it shows: the picture, and the same as a table. It needs no script."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from xml.etree.ElementTree import Element, SubElement, tostring

from shared.cli.graph.card import mark_of, written
from shared.cli.graph.model import Graph, Node
from shared.cli.graph.style import page_rules, svg_rules
from shared.cli.graph.svg import picture_of

_COLUMNS = ("step", "kind", "uses", "after", "says")
_RUN_COLUMNS = ("status", "spent", "error")


def page_of(graph: Graph) -> str:
    """An HTML document; its policy allows its own two style sheets and nothing else."""
    page = Element("html", {"lang": "en"})
    head = SubElement(page, "head")
    SubElement(head, "meta", {"charset": "utf-8"})
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _policy()})
    SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    SubElement(head, "title").text = written(f"{graph.flow} · Segue")
    SubElement(head, "style").text = page_rules()
    body = SubElement(page, "body")
    SubElement(body, "h1").text = written(graph.flow)
    _paragraph(body, graph.description)
    _paragraph(body, " · ".join([f"version {graph.version}", *graph.run]))
    SubElement(body, "figure").append(picture_of(graph, headed=False))
    _table(body, graph)
    return "<!DOCTYPE html>\n" + tostring(page, encoding="unicode", method="html") + "\n"


def _policy() -> str:
    sheets = " ".join(
        f"'sha256-{b64encode(sha256(sheet.encode()).digest()).decode()}'"
        for sheet in (page_rules(), svg_rules())
    )
    return f"default-src 'none'; style-src {sheets}; base-uri 'none'; form-action 'none'"


def _paragraph(body: Element, text: str) -> None:
    if text:
        SubElement(body, "p").text = written(text)


def _table(body: Element, graph: Graph) -> None:
    table = SubElement(SubElement(body, "div"), "table")
    titles = {node.name: node.title for node in graph.nodes}
    columns = _COLUMNS + (_RUN_COLUMNS if graph.run else ())
    head = SubElement(SubElement(table, "thead"), "tr")
    for column in columns:
        SubElement(head, "th", {"scope": "col"}).text = column
    rows = SubElement(table, "tbody")
    for node in graph.nodes:
        after = [titles[link.source] for link in graph.links if link.target == node.name]
        row = SubElement(rows, "tr")
        SubElement(row, "th", {"scope": "row"}).text = written(node.title)
        for cell in _cells(node, after)[: len(columns) - 1]:
            SubElement(row, "td").text = written(cell)


def _cells(node: Node, after: list[str]) -> list[str]:
    cells = [node.kind, node.uses, ", ".join(after), "; ".join(str(note) for note in node.notes)]
    if node.state is None:
        return cells
    return [
        *cells,
        f"{mark_of(node.state.status)} {node.state.status}",
        " · ".join(node.state.told),
        node.state.error,
    ]
