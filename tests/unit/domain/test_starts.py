"""The event that starts a flow by its name; a child's is the same however often it is made."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from shared.domain import ids
from shared.domain.events import from_message
from shared.domain.flow import CallTrigger, Flow
from shared.domain.starts.by_name import PARENT_RUN, PARENT_STEP, START, Child, parent_of

STEPS = {"a": {"flow": "leaf", "await": False, "with": {"n": 1}}}


def test_a_childs_run_is_the_one_that_its_event_opens():
    child = Child("top-1", "each[3]", "leaf", 2)
    event = from_message(
        child.attributes(), b"{}", message_id="m", published_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert (event.type, event.subject, event.id) == (START, "leaf", child.event_id)
    assert ids.run_id("leaf", event.key) == child.run_id
    assert parent_of(child.attributes()) == ("top-1", "each[3]")


def test_each_child_of_a_step_has_a_run_of_its_own():
    children = [Child("p", "a", "leaf"), Child("p", "b", "leaf"), Child("q", "a", "leaf")]
    children += [Child("p", "a", "leaf", 2), Child("p", "a[0]", "leaf"), Child("p", "a", "other")]
    assert len({child.run_id for child in children}) == len(children)


def test_nobody_waits_for_any_other_event():
    attributes = dict(Child("p", "a", "leaf").attributes())
    assert parent_of({**attributes, "ce-type": "other"}) is None
    assert parent_of({PARENT_RUN: "p", "ce-type": START}) is None
    assert parent_of({PARENT_STEP: "a", "ce-type": START}) is None


@pytest.mark.parametrize("on", ["call", {"event": "x.*"}, {"schedule": {"cron": "0 3 * * *"}}])
def test_every_flow_is_started_by_its_own_name_and_no_other(on: object):
    flow = Flow.model_validate({"flow": "thing", "on": on, "steps": STEPS})
    assert flow.takes(START, "thing")
    assert not flow.takes(START, "other")
    assert not flow.takes(START)


def test_a_flow_started_by_name_alone_takes_no_other_event_and_reads_back():
    flow = Flow.model_validate({"flow": "thing", "on": "call", "steps": STEPS})
    assert isinstance(flow.on, CallTrigger)
    assert not flow.takes("call", "thing")
    written = flow.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    assert written == {"flow": "thing", "on": "call", "steps": STEPS}
    assert Flow.model_validate(written) == flow


@pytest.mark.parametrize("on", ["cal", {"call": "x"}, {"call": "x", "event": "t"}, None])
def test_the_word_is_call(on: object):
    with pytest.raises(ValidationError):
        Flow.model_validate({"flow": "thing", "on": on, "steps": STEPS})
