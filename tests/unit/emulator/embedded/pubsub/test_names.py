"""Resource names: which are names, and how a refusal words them."""

from __future__ import annotations

import pytest

from emulator.embedded.pubsub import names
from emulator.embedded.refusal import Refusal, Status

GOOD = ["abc", "a" * 255, "Abc-._~+%9", "agoog", "gooo"]
BAD = ["", "ab", "a" * 256, "1bc", "-bc", "goog", "google-x", "a b", "a/b", "abç", "abc\n"]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_id_is_a_name(name):
    names.check_topic(f"projects/p-1/topics/{name}")
    names.check_subscription(f"projects/p/subscriptions/{name}")
    names.check_snapshot(f"projects/example.com:p/snapshots/{name}")


@pytest.mark.parametrize("name", BAD)
def test_a_bad_id_is_refused(name):
    with pytest.raises(Refusal, match=r"Invalid \[topics\] name: \(name=projects/p/topics/"):
        names.check_topic(f"projects/p/topics/{name}")


@pytest.mark.parametrize("name", ["abc", "projects//topics/abc", "projects/p/subscriptions/abc"])
def test_another_form_is_refused(name):
    with pytest.raises(Refusal):
        names.check_topic(name)


def test_projects_have_a_form_too():
    names.check_project("projects/p")
    with pytest.raises(Refusal):
        names.check_project("p")


def test_refusals_show_the_id_alone():
    missing, taken = names.missing("projects/p/topics/abc"), names.taken("projects/p/topics/abc")

    assert (missing.status, missing.message) == (
        Status.NOT_FOUND,
        "Resource not found (resource=abc).",
    )
    assert (taken.status, taken.message) == (
        Status.ALREADY_EXISTS,
        "Resource already exists in the project (resource=abc).",
    )
