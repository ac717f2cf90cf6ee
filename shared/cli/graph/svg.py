"""The picture as SVG: complete in itself, without scripts, and told in words for who cannot see it.

What comes from outside passes through the XML writer, and so cannot become markup.
"""

from __future__ import annotations

from itertools import pairwise
from xml.etree.ElementTree import Element, SubElement, tostring

from shared.cli.graph.card import Card, Face, card_of, folded, full_text, written
from shared.cli.graph.layout import Box, Point, Route, arrange
from shared.cli.graph.model import Graph, Node, Way
from shared.cli.graph.shapes import SIGNS, edges_of, outline, sign
from shared.cli.graph.style import svg_rules

_MARGIN = 24.0
_HEAD = 20.0  # pixels a line above the picture
_NARROWEST = 480.0
_TIPS = ("", "error", "taken", "passed")


def svg_of(graph: Graph) -> str:
    """An SVG document."""
    picture = picture_of(graph)
    return tostring(picture, encoding="unicode") + "\n"


def picture_of(graph: Graph, *, headed: bool = True) -> Element:
    """The root element of the picture; the flow's name, description and run stand above it."""
    cards = [card_of(node) for node in graph.nodes]
    layout = arrange(cards, graph.links)
    width = max(layout.width, _NARROWEST) + 2 * _MARGIN
    facts = _facts(graph, width - 2 * _MARGIN) if headed else []
    top = _MARGIN + (_HEAD * (1 + len(facts)) + 8 if headed else 0)
    root = _root(graph, width, layout.height + top + _MARGIN)
    if headed:
        _head(root, graph, facts)
    left = _MARGIN + max(0.0, (_NARROWEST - layout.width) / 2)
    body = SubElement(root, "g", {"transform": f"translate({_px(left)} {_px(top)})"})
    for route in sorted(layout.routes, key=lambda route: bool(route.link.taken)):
        _draw_link(body, route, is_turned=layout.is_turned)
    for route in layout.routes:
        _draw_tag(body, route)
    for card in cards:
        _draw_node(body, card, layout.boxes[card.node.name])
    return root


def _root(graph: Graph, width: float, height: float) -> Element:
    size = {"width": _px(width), "height": _px(height)}
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {_px(width)} {_px(height)}",
            **size,
            "class": "sg",
            "role": "img",
            "aria-labelledby": "sg-title sg-told",
        },
    )
    title = f"Flow {graph.flow}" + (f", {graph.run[0]}" if graph.run else "")
    SubElement(root, "title", {"id": "sg-title"}).text = written(title)
    SubElement(root, "desc", {"id": "sg-told"}).text = _in_words(graph)
    SubElement(root, "style").text = svg_rules()
    defs = SubElement(root, "defs")
    for tip in _TIPS:
        _tip(defs, tip)
    SubElement(root, "rect", {**size, "class": "ground"})
    return root


def _in_words(graph: Graph) -> str:
    after: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    titles = {node.name: node.title for node in graph.nodes}
    for link in graph.links:
        when = {Way.NEXT: "", Way.ERROR: " (on error)", Way.FINISH: " (early end)"}[link.way]
        after[link.target].append(titles[link.source] + when)
    lines = [" · ".join(graph.run)] if graph.run else []
    for node in graph.nodes:
        comes = f", after {', '.join(after[node.name])}" if after[node.name] else ""
        lines.append("; ".join(full_text(node).split("\n")) + comes)
    return written("\n".join(lines))


def _facts(graph: Graph, room: float) -> list[str]:
    run = [" · ".join(graph.run[:2]), " · ".join(graph.run[2:])]
    return [
        *folded(graph.description, room, 3),
        *(line for fact in run for line in folded(fact, room, 2)),
    ]


def _head(root: Element, graph: Graph, facts: list[str]) -> None:
    y = _MARGIN + 14
    head = SubElement(root, "text", {"x": _px(_MARGIN), "y": _px(y), "class": "head"})
    head.text = written(graph.flow)
    SubElement(head, "tspan", {"class": "code", "dx": "10"}).text = graph.version
    for fact in facts:
        y += _HEAD
        line = SubElement(root, "text", {"x": _px(_MARGIN), "y": _px(y), "class": "fact"})
        line.text = fact


def _tip(defs: Element, look: str) -> None:
    marker = SubElement(
        defs,
        "marker",
        {
            "id": f"sg-tip{look}",
            "viewBox": "0 0 10 10",
            "refX": "9",
            "refY": "5",
            "markerWidth": "9",
            "markerHeight": "9",
            "markerUnits": "userSpaceOnUse",
            "orient": "auto",
        },
    )
    SubElement(marker, "path", {"d": "M0 0 10 5 0 10z", "class": f"tip {look}".strip()})


def _draw_link(body: Element, route: Route, *, is_turned: bool) -> None:
    link = route.link
    look = "error" if link.way is Way.ERROR else ""
    tip = {True: "taken", False: "passed", None: look}[link.taken]
    classes = " ".join(dict.fromkeys(part for part in ("link", look, tip) if part))
    path = _path(route.points, is_turned=is_turned)
    SubElement(body, "path", {"d": path, "class": classes, "marker-end": f"url(#sg-tip{tip})"})


def _draw_tag(body: Element, route: Route) -> None:
    """What the link is for, on its first bend."""
    if route.link.way is not Way.NEXT:
        (x, y), (to_x, to_y) = route.points[1:3]
        at = {"x": _px((x + to_x) / 2), "y": _px((y + to_y) / 2 + 4)}
        tag = SubElement(body, "text", {**at, "class": "tag"})
        tag.text = {Way.ERROR: "on error", Way.FINISH: "early end"}[route.link.way]


def _path(points: tuple[Point, ...], *, is_turned: bool) -> str:
    """Path data; pieces without a length, which would turn the arrow's tip, are left out."""
    shown = [(_px(x), _px(y)) for x, y in points]
    drawn = [f"M{' '.join(shown[0])}"]
    for number, ((x, y), (to_x, to_y)) in enumerate(pairwise(shown)):
        if (x, y) == (to_x, to_y):
            continue
        if number % 2 == 0:
            drawn.append(f"L{to_x} {to_y}")
            continue
        (from_x, from_y), (end_x, end_y) = points[number : number + 2]
        if is_turned:
            half = _px((from_x + end_x) / 2)
            drawn.append(f"C{half} {y} {half} {to_y} {to_x} {to_y}")
        else:
            half = _px((from_y + end_y) / 2)
            drawn.append(f"C{x} {half} {to_x} {half} {to_x} {to_y}")
    return "".join(drawn)


def _draw_node(body: Element, card: Card, box: Box) -> None:
    node = card.node
    group = SubElement(body, "g", {"class": _look(node)})
    SubElement(group, "title").text = card.full
    SubElement(group, "path", {"d": outline(node.kind, box), "class": "box"})
    if edges := edges_of(node.kind, box):
        SubElement(group, "path", {"d": edges, "class": "line"})
    at = (box.x + 22, box.y + (box.height - card.height) / 2 + 21)
    badge = SubElement(group, "g", {"class": "sign"})
    SubElement(badge, "path", {"d": sign(node.kind, at)})
    mark = SubElement(badge, "text", {"x": _px(at[0]), "y": _px(at[1] + 4)})
    mark.text = SIGNS.get(node.kind, node.kind[:1].upper())
    for line in card.lines:
        x = box.x + (40 if line.face is Face.NAME else 14)
        y = box.y + (box.height - card.height) / 2 + line.y
        text = SubElement(group, "text", {"x": _px(x), "y": _px(y), "class": line.face.value})
        text.text = line.text


def _look(node: Node) -> str:
    if node.state is not None:
        return "idle" if node.state.is_idle else node.state.status
    return node.kind if node.kind in {"prompt", "action", "call"} else "plain"


def _px(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
