"""The SVG: well formed, told in words, and nothing from outside becomes markup."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element, fromstring

from shared.cli.graph.progress import with_run
from shared.cli.graph.reading import graph_of
from shared.cli.graph.style import svg_rules
from shared.cli.graph.svg import svg_of
from shared.domain.version import FlowVersion

Reports = Callable[..., dict[str, Any]]
Flows = Callable[..., FlowVersion]
NASTY = "</title><script>alert(1)</script>&\"'<![CDATA[\x00"
SVG = "{http://www.w3.org/2000/svg}"
KNOWN = {"svg", "title", "desc", "style", "defs", "marker", "path", "rect", "g", "text", "tspan"}


def drawn(text: str) -> Element:
    return fromstring(text)


def texts(picture: Element) -> list[str]:
    return ["".join(text.itertext()) for text in picture.iter(f"{SVG}text")]


def test_names_and_conditions_are_text_and_nothing_else(flows: Flows) -> None:
    version = flows(
        {"a": {"when": f"event.x == '{NASTY}'"}},
        outputs={NASTY: NASTY},
        description=NASTY,
        on={"event": NASTY},
    )
    picture = drawn(svg_of(graph_of(version)))
    assert {element.tag.removeprefix(SVG) for element in picture.iter()} == KNOWN
    shown = NASTY.replace("\x00", "\ufffd")
    assert any(shown in (title.text or "") for title in picture.iter(f"{SVG}title"))
    assert [name for element in picture.iter() for name in element.attrib if name[:2] == "on"] == []


def test_the_picture_is_told_in_words(branching: FlowVersion, reports: Reports) -> None:
    report = reports(branching, {"check": "succeeded", "gift": "skipped"}, "running")
    picture = drawn(svg_of(with_run(graph_of(branching), report)))
    ids = {element.get("id"): element.text or "" for element in picture.iter() if element.get("id")}
    title, told = (ids[name] for name in (picture.get("aria-labelledby") or "").split())
    assert title == "Flow f, run f-1"
    assert "fix (action log.write); pending, after pay (on error)" in told
    assert "gift (action log.write); when event.data.total > 100; skipped, after check" in told


def test_every_state_is_a_word_beside_its_colour(branching: FlowVersion, reports: Reports) -> None:
    statuses = {"check": "succeeded", "pay": "failed", "fix": "running", "gift": "skipped"}
    picture = drawn(svg_of(with_run(graph_of(branching), reports(branching, statuses, "running"))))
    words = [text.split()[1] for text in texts(picture) if re.match(r"[✓✗▶·-] ", text)]
    assert sorted(words) == sorted(["started", *statuses.values(), *["pending"] * 3])
    looks = {group.get("class") for group in picture.iter(f"{SVG}g")}
    assert {"succeeded", "failed", "running", "idle", "pending"} <= looks


def test_a_way_after_a_failure_is_dashed_and_named(branching: FlowVersion) -> None:
    picture = drawn(svg_of(graph_of(branching)))
    assert [path.get("class") for path in picture.iter(f"{SVG}path")].count("link error") == 1
    assert {"on error", "early end"} <= set(texts(picture))
    assert re.search(r"\.link\.error \{[^}]*stroke-dasharray", svg_rules())


def test_it_refers_to_nothing_outside(branching: FlowVersion) -> None:
    text = svg_of(graph_of(branching))
    assert set(re.findall(r"https?://[^\"]*", text)) == {"http://www.w3.org/2000/svg"}
    assert "@import" not in text
    assert set(re.findall(r"url\((.)", text)) == {"#"}


def test_it_has_colours_for_dark_screens() -> None:
    light, dark = svg_rules().split("@media (prefers-color-scheme: dark)")
    rules = [set(re.findall(r"^\.sg \.([^{]*) \{", half, re.MULTILINE)) for half in (light, dark)]
    assert rules[1] <= rules[0]
    assert {"failed .box", "idle .box", "link.taken", "ground"} <= rules[1]


def test_the_same_flow_gives_the_same_picture(branching: FlowVersion) -> None:
    assert len({svg_of(graph_of(branching)) for _ in range(5)}) == 1
