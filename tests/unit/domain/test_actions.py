"""Actions: the arguments each takes, and what data from outside cannot smuggle in."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.actions import ACTIONS, OWN_COLLECTIONS, action_of
from shared.errors import ActionInvalidError

GOOD: dict[str, dict[str, Any]] = {
    "slack.post": {"channel": "#ops", "text": "hi"},
    "email.send": {"to": "a@b.c", "subject": "s", "text": "t"},
    "http.request": {"url": "https://example.com/x"},
    "firestore.set": {"path": "tickets/42", "data": {"a": 1}},
    "event.publish": {"type": "order.paid"},
    "log.write": {"message": "m"},
    "collection.put": {
        "collection": "docs",
        "document": "a/b.md",
        "at": "2026-01-31T12:00:00Z",
        "text": "t",
    },
    "collection.remove": {
        "collection": "docs",
        "document": "a/b.md",
        "at": "2026-01-31T12:00:00Z",
    },
}


def test_there_is_a_good_example_of_every_action() -> None:
    assert set(GOOD) == set(ACTIONS)


@pytest.mark.parametrize("name", list(GOOD))
def test_each_action_takes_its_least_arguments(name: str) -> None:
    assert action_of(name, GOOD[name]).action == name


@pytest.mark.parametrize("name", list(GOOD))
def test_each_action_refuses_an_argument_it_does_not_take(name: str) -> None:
    with pytest.raises(ActionInvalidError, match="colour"):
        action_of(name, {**GOOD[name], "colour": "red"})


@pytest.mark.parametrize(
    ("name", "argument"), [(name, argument) for name, given in GOOD.items() for argument in given]
)
def test_each_action_names_the_argument_it_misses(name: str, argument: str) -> None:
    with pytest.raises(ActionInvalidError, match=f"{argument}: Field required"):
        action_of(name, {key: value for key, value in GOOD[name].items() if key != argument})


def test_an_unknown_action_is_told_what_there_is() -> None:
    with pytest.raises(ActionInvalidError, match=r"no action 'email'; there are .*email\.send"):
        action_of("email", {})


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("email.send", {"subject": "x\r\nBcc: all@corp"}),
        ("email.send", {"subject": "x\nBcc: all@corp"}),
        ("email.send", {"reply_to": "a@b.c\r\nBcc: all@corp"}),
        ("email.send", {"to": "a@b.c\r\nBcc: d@e.f"}),
        ("email.send", {"to": "a@b.c,d@e.f"}),
        ("email.send", {"to": "A <a@b.c>"}),
        ("email.send", {"to": ["a@b.c", "nobody"]}),
        ("email.send", {"to": []}),
        ("email.send", {"to": ""}),
        ("http.request", {"headers": {"X-A": "1\r\nX-B: 2"}}),
        ("http.request", {"headers": {"X-A\r\nX-B": "2"}}),
        ("http.request", {"headers": {"": "2"}}),
        ("http.request", {"url": "ftp://example.com"}),
        ("http.request", {"url": "file:///etc/passwd"}),
        ("http.request", {"method": "TRACE"}),
        ("http.request", {"timeout": 0}),
        ("http.request", {"json_body": {}}),
        ("firestore.set", {"path": "tickets"}),
        ("firestore.set", {"path": "tickets/1/notes"}),
        ("firestore.set", {"path": "/tickets/1"}),
        ("firestore.set", {"path": "tickets/.."}),
        ("firestore.set", {"path": "tickets/__x__"}),
        ("firestore.set", {"path": "tickets//1/x"}),
        ("firestore.set", {"data": [1]}),
        ("event.publish", {"type": "a b"}),
        ("event.publish", {"type": "order.*"}),
        ("event.publish", {"type": ""}),
        ("slack.post", {"text": ""}),
        ("slack.post", {"text": "x" * 40_001}),
        ("log.write", {"severity": "LOUD"}),
    ],
)
def test_arguments_that_do_not_fit_are_refused(name: str, change: dict[str, Any]) -> None:
    with pytest.raises(ActionInvalidError, match=name):
        action_of(name, {**GOOD[name], **change})


@pytest.mark.parametrize("collection", sorted(OWN_COLLECTIONS))
def test_segues_own_collections_are_refused(collection: str) -> None:
    for path in (f"{collection}/x", f"{collection}/x/steps/y"):
        with pytest.raises(ActionInvalidError, match="belongs to Segue"):
            action_of("firestore.set", {"path": path, "data": {}})


def test_one_address_is_a_list_of_one() -> None:
    assert action_of("email.send", GOOD["email.send"]).to == ["a@b.c"]  # type: ignore[union-attr]


def test_arguments_cannot_change_which_action_it_is() -> None:
    assert action_of("log.write", {"message": "m", "action": "email.send"}).action == "log.write"
