"""Laws of what travels and what is stored: read back as it was written, or refused by name."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from shared.delivery.push import delivery_of
from shared.domain.envelope import (
    ActTask,
    ComposeTask,
    Context,
    Envelope,
    GenerateTask,
    Message,
    ModelRequest,
    PromptPin,
    RunPins,
    context_of,
    decode,
)
from shared.domain.events import Event, from_message, strict_json
from shared.domain.expressions import fill
from shared.domain.records import EventRecord, StepRecord
from shared.errors import EventInvalidError, MessageInvalidError
from shared.prompting.prompt_file import read_prompt
from shared.prompting.source import SourceProblems, read_yaml

NOW = datetime(2026, 1, 1, tzinfo=UTC)
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
names = texts.filter(bool)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=15,
)
contexts = st.builds(
    Context,
    inline=st.dictionaries(texts, values, max_size=4),
    stored=st.lists(texts, max_size=3).map(tuple),
)
requests = st.builds(
    ModelRequest,
    model=texts,
    messages=st.lists(st.tuples(st.sampled_from(["user", "model"]), texts), max_size=3).map(tuple),
    system=st.none() | texts,
    parameters=st.dictionaries(texts, values, max_size=3),
    output_schema=st.none() | st.dictionaries(texts, values, max_size=3),
    labels=st.dictionaries(texts, texts, max_size=3),
)
pins = st.builds(
    RunPins,
    **dict.fromkeys(("id", "flow", "version", "revision"), texts),
    **dict.fromkeys(("event_key", "event_id", "correlation_id"), texts),
)
tasks = (
    st.builds(ComposeTask)
    | st.builds(ActTask)
    | st.builds(
        GenerateTask,
        prompt=st.builds(PromptPin, name=texts, version=texts, variant=st.none() | texts),
        request=st.none() | requests,
        blob=st.none() | texts,
    )
)
envelopes = st.builds(
    Envelope, id=texts, cause=texts, run=pins, step=texts, context=contexts, task=tasks
)
events = st.builds(
    Event,
    key=names,
    id=names,
    type=st.from_regex(r"[a-z][a-z.]{0,20}", fullmatch=True),
    source=names,
    time=st.datetimes(timezones=st.just(UTC)),
    subject=st.none() | texts,
    data=values,
    correlation_id=names,
    causation_id=st.none() | texts,
)


@given(envelopes)
def test_an_envelope_is_decoded_as_it_was_encoded(envelope: Envelope) -> None:
    assert decode(Message(envelope.encode())) == envelope
    assert decode(Message(envelope.encode())).encode() == envelope.encode()


@given(events)
def test_an_event_is_read_from_its_record_as_it_was(event: Event) -> None:
    record = EventRecord(
        event=event.model_dump(mode="json"),
        type=event.type,
        source=event.source,
        correlation_id=event.correlation_id,
        time=event.time,
        stored_at=NOW,
        message_id="m",
        expire_at=NOW,
    )
    assert EventRecord.of(record.document()).read() == event


@given(values)
def test_an_events_data_arrives_as_it_was_sent(data: Any) -> None:
    for text in (json.dumps(data), json.dumps(data, ensure_ascii=False)):
        event = from_message({"ce-type": "t"}, text.encode(), message_id="m", published_at=NOW)
        assert event.data == data


@given(values)
def test_any_output_survives_its_record(output: Any) -> None:
    record = StepRecord(run_id="r", flow="f", step="s", stage="act", output=output, expire_at=NOW)
    assert StepRecord.of(record.document()).output == output


@given(st.dictionaries(texts, values, max_size=6), st.integers(0, 200))
def test_a_context_names_or_carries_everything_and_fits(values_: dict[str, Any], room: int) -> None:
    context = context_of(values_, room=room)
    assert {*context.inline, *context.stored} == set(values_)
    assert not {*context.inline} & {*context.stored}
    assert all(context.inline[name] == values_[name] for name in context.inline)
    assert sum(len(to_json(value)) for value in context.inline.values()) <= room


@given(values)
def test_values_without_templates_are_left_alone(value: Any) -> None:
    if not any(mark in json.dumps(value) for mark in ("{{", "{%", "{#")):
        assert fill(value, {}) == value


@given(values)
def test_a_lone_expression_gives_its_value_unchanged(value: Any) -> None:
    filled = fill({"a": ["{{ value }}"]}, {"value": value})
    assert filled == {"a": [value]}
    assert type(filled["a"][0]) is type(value)


@given(st.binary(max_size=60), st.dictionaries(texts, texts, max_size=3), st.integers(1, 99))
def test_a_push_is_read_as_it_was_sent(
    data: bytes, attributes: dict[str, str], attempt: int
) -> None:
    message = {
        "data": base64.b64encode(data).decode(),
        "attributes": attributes,
        "messageId": "7",
        "publishTime": "2026-01-01T00:00:00Z",
    }
    push = {"message": message, "subscription": "a/b/s", "deliveryAttempt": attempt}
    delivery = delivery_of(json.dumps(push).encode())
    assert delivery.message == Message(data, attributes)
    assert (delivery.attempt, delivery.subscription, delivery.published_at) == (attempt, "s", NOW)


anything = st.binary(max_size=80) | values.map(lambda value: json.dumps(value).encode())
attributes_ = st.dictionaries(
    st.sampled_from(["type", "ce-type", "ce-time", "id", "source", "content-type"]), texts
)


@given(anything)
def test_garbage_is_refused_by_name(data: bytes) -> None:
    with suppress(MessageInvalidError):
        decode(Message(data))
    with suppress(MessageInvalidError):
        delivery_of(data)
    with suppress(ValueError):
        strict_json(data.decode(errors="surrogateescape"))


@given(attributes_, anything)
def test_no_event_is_too_strange_to_be_refused(attributes: dict[str, str], data: bytes) -> None:
    with suppress(EventInvalidError):
        event = from_message(attributes, data, message_id="m", published_at=NOW)
        assert Event.model_validate_json(event.model_dump_json()) == event


yaml_like = st.text(
    alphabet=st.sampled_from("ab:- \n\t{}[]\"'&*!|>%#?,01~\x01\x85\ufeff"), max_size=40
)


@given(yaml_like | texts)
def test_no_text_is_too_strange_to_be_a_problem(text: str) -> None:
    with suppress(SourceProblems):
        read_yaml(text, "f.yaml")


@given(st.text(alphabet=st.sampled_from("ab{}%#|. \n'\"-+()if"), max_size=40))
def test_no_template_is_too_strange_to_be_a_problem(body: str) -> None:
    with suppress(SourceProblems):
        prompt = read_prompt("p", f"---\ndescription: d\nmodel: m\n---\n{body}", "p.md.j2", {})
        assert prompt.references is not None
