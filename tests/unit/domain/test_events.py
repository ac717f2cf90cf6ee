"""Events: three accepted forms, and every way in which one cannot be read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain import ids
from shared.domain.envelope import ActTask, Context, Envelope, Message, RunPins, decode
from shared.domain.events import (
    MAX_DATA_BYTES,
    MAX_DEPTH,
    MAX_EXTENSIONS,
    REDRIVE,
    STRUCTURED,
    Event,
    extensions,
    from_message,
)
from shared.errors import EventInvalidError, EventTooLargeError

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FULL = {
    "type": "order.paid",
    "source": "//shop",
    "id": "42",
    "time": "2026-01-01T00:00:00Z",
    "subject": "order 42",
    "correlationid": "story-1",
    "causationid": "41",
}


def read(attributes: dict[str, str], data: bytes = b"{}") -> Event:
    return from_message(attributes, data, message_id="m-1", published_at=NOW)


def structured(**fields: Any) -> bytes:
    return json.dumps({"specversion": "1.0", **fields}).encode()


@pytest.mark.parametrize(
    ("attributes", "data"),
    [
        ({f"ce-{name}": text for name, text in FULL.items()}, b'{"total": 5}'),
        ({f"CE-{name.title()}": text for name, text in FULL.items()}, b'{"total": 5}'),
        (FULL, b'{"total": 5}'),
        ({"content-type": STRUCTURED}, structured(**FULL, data={"total": 5})),
        ({"content-type": f"{STRUCTURED}; charset=utf-8"}, structured(**FULL, data={"total": 5})),
        ({}, structured(**FULL, data={"total": 5})),
        (FULL, '\ufeff{"total": 5}'.encode()),
    ],
    ids=["ce", "upper case", "plain", "structured", "charset", "structured, unmarked", "bom"],
)
def test_all_forms_give_the_same_event(attributes: dict[str, str], data: bytes) -> None:
    assert read(attributes, data) == Event(
        key=ids.event_key("//shop", "42"),
        id="42",
        type="order.paid",
        source="//shop",
        time=datetime(2026, 1, 1, tzinfo=UTC),
        subject="order 42",
        data={"total": 5},
        correlation_id="story-1",
        causation_id="41",
    )


def test_what_is_missing_comes_from_the_message() -> None:
    event = read({"ce-type": "t"}, b"")
    assert (event.id, event.time, event.source, event.data) == (
        "m-1",
        NOW,
        ids.UNNAMED_SOURCE,
        None,
    )
    assert event.correlation_id == ids.correlation_id("m-1")


def test_a_derived_correlation_id_is_the_same_for_duplicates() -> None:
    first = from_message({"type": "t", "id": "1"}, b"1", message_id="m-1", published_at=NOW)
    second = from_message({"type": "t", "id": "1"}, b"1", message_id="m-2", published_at=NOW)
    assert first.correlation_id == second.correlation_id


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T12:00:00", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("2026-01-01T12:00:00+02:00", datetime(2026, 1, 1, 10, tzinfo=UTC)),
        ("", NOW),
    ],
)
def test_times_are_held_in_utc(text: str, expected: datetime) -> None:
    event = read({"ce-type": "t", "ce-time": text})
    assert event.time == expected
    assert event.time.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("attributes", "data", "complaint"),
    [
        ({}, b"{}", "no type"),
        ({"ce-type": ""}, b"{}", "no type"),
        ({"ce-id": "1"}, b"{}", "no type"),
        ({"ce-type": "t"}, b"{", "not JSON"),
        ({"ce-type": "t"}, b"hello", "not JSON"),
        ({"ce-type": "t"}, b"NaN", "NaN is not JSON"),
        ({"ce-type": "t"}, b'{"a": -Infinity}', "-Infinity is not JSON"),
        ({"ce-type": "t"}, b"[1e999]", "too large a number"),
        ({"ce-type": "t"}, b"1" * 5000, "not JSON"),
        ({"ce-type": "t"}, b'"\\ud800"', "surrogates not allowed"),
        ({"ce-type": "t"}, b'{"\\udfff": 1}', "surrogates not allowed"),
        ({"ce-type": "t"}, b'"\xed\xa0\x80"', "not JSON"),
        ({"ce-type": "t"}, b'"\xff"', "not JSON"),
        ({"ce-type": "t"}, b"[" * 101 + b"]" * 101, "100 deep"),
        ({"ce-type": "t"}, b'{"a":' * 101 + b"1" + b"}" * 101, "100 deep"),
        ({"ce-type": "t"}, b"[" * 100_000, "not JSON"),
        ({"ce-type": "a.*"}, b"{}", "`type`"),
        ({"ce-type": "a?"}, b"{}", "`type`"),
        ({"ce-type": "a[b]"}, b"{}", "`type`"),
        ({"ce-type": "a b"}, b"{}", "`type`"),
        ({"ce-type": "a\n"}, b"{}", "`type`"),
        ({"ce-type": "x" * 257}, b"{}", "`type`"),
        ({"ce-type": "t", "ce-id": "x" * 1025}, b"{}", "`id`"),
        ({"ce-type": "t", "ce-time": "yesterday"}, b"{}", "`time`"),
        ({"ce-type": "t", "ce-time": "0001-01-01T00:00:00+10:00"}, b"{}", "`time`"),
        ({"ce-type": "t", "ce-time": "9999-12-31T23:59:59-10:00"}, b"{}", "`time`"),
        ({"content-type": STRUCTURED}, b"[]", "is a JSON object"),
        ({"content-type": STRUCTURED}, b"", "is a JSON object"),
        ({}, structured(type="t", data_base64="AA=="), "data_base64"),
        ({}, structured(type="t", subject=5), "`subject`"),
        ({}, structured(id="1"), "no type"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(
    attributes: dict[str, str], data: bytes, complaint: str
) -> None:
    with pytest.raises(EventInvalidError) as caught:
        read(attributes, data)
    assert complaint in caught.value.detail


def test_data_beyond_the_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(EventTooLargeError, match="921,601"):
        read({"ce-type": "t"}, b"{" * (MAX_DATA_BYTES + 1))


def test_data_at_the_limit_is_taken() -> None:
    data = b'"' + b"x" * (MAX_DATA_BYTES - 2) + b'"'
    assert len(str(read({"ce-type": "t"}, data).data)) == MAX_DATA_BYTES - 2


@pytest.mark.parametrize(("count", "fits"), [(MAX_EXTENSIONS, True), (MAX_EXTENSIONS + 1, False)])
def test_extensions_are_limited(count: int, *, fits: bool) -> None:
    attributes = {"ce-type": "t", **{f"x{number}": "1" for number in range(count)}}
    if fits:
        assert len(extensions(attributes)) == count
        assert read(attributes).type == "t"
    else:
        with pytest.raises(EventInvalidError, match="80 extension attributes"):
            read(attributes)


def test_the_deepest_event_fits_into_an_envelope() -> None:
    event = read({"ce-type": "t"}, b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    pins = RunPins(
        id="r", flow="f", version="v", revision="1", event_key="k", event_id="i", correlation_id="c"
    )
    context = Context(inline={"event": event.variables()})
    sent = Envelope(id="e", cause="c", run=pins, step="s", context=context, task=ActTask())
    assert decode(Message(sent.encode())) == sent


def test_only_what_segue_does_not_know_is_carried_on() -> None:
    carried = {"tenant": "acme", "ce-partitionkey": "7", REDRIVE: "2"}
    own = {
        "ce-type": "t",
        "ID": "1",
        "correlationid": "c",
        "causationid": "d",
        "traceparent": "x",
        "Content-Type": "application/json",
        "segue-run": "r",
        "googclient_x": "1",
        "CloudPubSubDeadLetterSourceDeliveryCount": "5",
    }
    assert extensions({**carried, **own}) == carried


def test_expressions_see_the_event_without_its_storage_key() -> None:
    seen = read(FULL, b"[1]").variables()
    assert set(seen) == {
        "id",
        "type",
        "source",
        "time",
        "subject",
        "data",
        "correlation_id",
        "causation_id",
    }
    assert seen["time"] == "2026-01-01T00:00:00Z"
