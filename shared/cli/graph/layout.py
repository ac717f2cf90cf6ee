"""Where nodes and links go: layers in the direction of the flow, links led around the nodes.

The library decides layers, order and places across; sizes along the flow are ours. It is imported
only when something is laid out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from shared.cli.graph.card import Card
from shared.cli.graph.model import Link, Way

GAP = 28.0  # pixels between neighbours of a layer
LANE = 24.0  # pixels that a link takes where it passes a layer
_STEP = 46.0  # pixels between layers, at least
_STEEP = 0.06  # of the way across: how much more a gap between layers gets
_STEPS = 130.0  # pixels between layers, at most
_TOO_WIDE = 2400.0  # pixels; a wider picture is turned where that makes it less wide
_APART = 9.0  # pixels between links of the same two nodes
_SIDE = 0.3  # of a node's size: how far from its middle it is left other than after a success

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A node's place: its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Route:
    """A link's way: straight from each even point to the next, bent from each odd one."""

    link: Link
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Layout:
    """The picture's geometry in pixels. `is_turned`: it goes from left to right, not downwards."""

    width: float
    height: float
    boxes: Mapping[str, Box]
    routes: tuple[Route, ...]
    is_turned: bool = False


@dataclass(frozen=True)
class _Place:
    """Centre across the flow, and layer along it."""

    across: float
    layer: int


def arrange(cards: Sequence[Card], links: Sequence[Link]) -> Layout:
    """Lays out a graph without cycles; downwards, or to the right where that would be too wide."""
    downwards = _arranged(cards, links, is_turned=False)
    if downwards.width <= _TOO_WIDE:
        return downwards
    turned = _arranged(cards, links, is_turned=True)
    return turned if turned.width < downwards.width else downwards


def _arranged(cards: Sequence[Card], links: Sequence[Link], *, is_turned: bool) -> Layout:
    """As if downwards; where the picture is turned, its axes are swapped before and after."""
    width = max(card.width for card in cards)
    tallest = max(card.height for card in cards)
    size = tallest if is_turned else width
    ways = _Ways(cards, links, size)
    depths = {card.node.name: width if is_turned else card.height for card in cards}
    spans = ways.spans(depths)
    boxes = {}
    for name, depth in depths.items():
        place = ways.places[name]
        top, bottom = spans[place.layer]
        own = tallest if is_turned else width
        corner = (place.across - own / 2, (top + bottom - depth) / 2)
        boxes[name] = _box(corner, own, depth, is_turned=is_turned)
    routes = tuple(_route(link, ways, spans, boxes, is_turned=is_turned) for link in links)
    across, along = ways.across + size, spans[-1][1]
    wide, high = (along, across) if is_turned else (across, along)
    return Layout(wide, high, boxes, routes, is_turned)


class _Ways:
    """What the library says, in our terms: where nodes are, and links where they pass a layer."""

    def __init__(self, cards: Sequence[Card], links: Sequence[Link], size: float) -> None:
        self._size = size
        numbers = {card.node.name: number for number, card in enumerate(cards)}
        pairs = dict.fromkeys((numbers[link.source], numbers[link.target]) for link in links)
        placed, edges = _laid_out([(a, b) for a, b in pairs if a != b], size)
        layers = {y: n for n, y in enumerate(sorted({y for _, y in placed.values()}, reverse=True))}
        at = _from_left({n: _Place(x, layers[y]) for n, (x, y) in placed.items()}, len(cards))
        at = {n: _Place(place.across + size / 2, place.layer) for n, place in at.items()}
        self.places = {name: at[number] for name, number in numbers.items()}
        self.across = max(place.across for place in at.values()) - size / 2
        self._between = {
            pair: [at[n] for n in passed] for pair, passed in _chains(edges, len(cards)).items()
        }
        self._numbers = numbers
        self._same = Counter((link.source, link.target) for link in links)

    def stops(self, link: Link) -> list[_Place]:
        """Where a link is across and in which layer: at its source, on its way, at its target."""
        source, target = self.places[link.source], self.places[link.target]
        passed = self._between.get((self._numbers[link.source], self._numbers[link.target]), [])
        if link.way is Way.NEXT:
            side = shift = 0.0
        else:  # beside the usual way out, on the side that it goes to
            is_left = (*passed, target)[0].across < source.across
            side = self._size * (-_SIDE if is_left else _SIDE)
            shift = _APART if self._same[link.source, link.target] > 1 else 0.0
        return [
            _Place(source.across + side, source.layer),
            *(_Place(stop.across + shift, stop.layer) for stop in (*passed, target)),
        ]

    def spans(self, depths: Mapping[str, float]) -> list[tuple[float, float]]:
        """Where each layer begins and ends along the flow."""
        deepest: dict[int, float] = defaultdict(float)
        for name, depth in depths.items():
            layer = self.places[name].layer
            deepest[layer] = max(deepest[layer], depth)
        gaps = self._gaps()
        spans = []
        start = 0.0
        for layer in range(max(deepest) + 1):
            spans.append((start, start + deepest[layer]))
            start += deepest[layer] + gaps.get(layer, _STEP)
        return spans

    def _gaps(self) -> dict[int, float]:
        """Room below a layer: more where links go far across, lest they lie flat."""
        farthest: dict[int, float] = defaultdict(float)
        stops = [self._passing(pair) for pair in self._between]
        for way in stops:
            for here, there in pairwise(way):
                far = abs(here.across - there.across)
                farthest[here.layer] = max(farthest[here.layer], far)
        return {layer: min(_STEP + _STEEP * far, _STEPS) for layer, far in farthest.items()}

    def _passing(self, pair: tuple[int, int]) -> list[_Place]:
        names = list(self._numbers)
        return [self.places[names[pair[0]]], *self._between[pair], self.places[names[pair[1]]]]


def _laid_out(
    edges: list[tuple[int, int]], size: float
) -> tuple[dict[int, Point], list[tuple[int, int]]]:
    """By the library: positions of nodes and of invisible ones, and the edges between them all."""
    from fast_sugiyama import from_edges  # noqa: PLC0415 - only pictures need it

    [(positions, _, _, between)] = from_edges(
        edges,
        vertex_spacing=size + GAP,
        dummy_vertices=True,
        dummy_size=LANE,
        ranking_type="minimize",
    )
    placed = {int(number): (float(x), float(y)) for number, (x, y) in positions}
    return placed, [(int(source), int(target)) for source, target in between or ()]


def _from_left(places: dict[int, _Place], nodes: int) -> dict[int, _Place]:
    """The same from zero on, the other way about where nodes then stand more as they are declared.

    The library does not look at the order of declaration; its mirror image is as good.
    """
    layers: dict[int, list[float]] = defaultdict(list)
    for number in range(nodes):
        layers[places[number].layer].append(places[number].across)
    pairs = [pair for layer in layers.values() for pair in combinations(layer, 2)]
    sign = 1 if sum((a < b) - (a > b) for a, b in pairs) >= 0 else -1
    least = min(sign * place.across for place in places.values())
    return {n: _Place(sign * at.across - least, at.layer) for n, at in places.items()}


def _chains(edges: list[tuple[int, int]], nodes: int) -> dict[tuple[int, int], list[int]]:
    """By source and target: the invisible nodes on the way between."""
    after = {source: target for source, target in edges if source >= nodes}
    found = {}
    for source, target in edges:
        if source < nodes:
            passed = list(_followed(target, after))
            found[source, passed.pop()] = passed
    return found


def _followed(number: int, after: Mapping[int, int]) -> Iterator[int]:
    yield number
    while number in after:
        number = after[number]
        yield number


def _box(corner: Point, size: float, depth: float, *, is_turned: bool) -> Box:
    across, along = corner
    return Box(along, across, depth, size) if is_turned else Box(across, along, size, depth)


def _route(
    link: Link,
    ways: _Ways,
    spans: Sequence[tuple[float, float]],
    boxes: Mapping[str, Box],
    *,
    is_turned: bool,
) -> Route:
    """Leaves at the far side of its source, passes layers straight, arrives at its target."""
    source, target = boxes[link.source], boxes[link.target]
    start = source.x + source.width if is_turned else source.y + source.height
    end = target.x if is_turned else target.y
    first, *passed, last = ways.stops(link)
    points = [(first.across, start), (first.across, spans[first.layer][1])]
    for stop in passed:
        points += [(stop.across, edge) for edge in spans[stop.layer]]
    points += [(last.across, spans[last.layer][0]), (last.across, end)]
    return Route(link, tuple((y, x) if is_turned else (x, y) for x, y in points))
