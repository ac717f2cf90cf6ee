"""What travels between stages: the codec, what is refused, and what is named instead of carried."""

from __future__ import annotations

import json

import pytest

from shared.domain.envelope import (
    INLINE_BYTES,
    ActTask,
    Context,
    Envelope,
    GenerateTask,
    Message,
    ModelRequest,
    Place,
    PromptPin,
    RunPins,
    context_of,
    decode,
)
from shared.domain.events import REDRIVE
from shared.errors import MessageInvalidError

PINS = RunPins(
    id="run-1",
    flow="f",
    version="v",
    revision="7",
    event_key="k",
    event_id="e",
    correlation_id="c",
)
ENVELOPE = Envelope(id="m", cause="k", run=PINS, step="draft", task=ActTask())


@pytest.mark.parametrize(
    "envelope",
    [
        ENVELOPE,
        ENVELOPE.model_copy(update={"step": "draft[3]", "place": Place(size=9, next=5)}),
        ENVELOPE.model_copy(update={"context": Context(inline={"a": [1, None]}, stored=("b",))}),
        ENVELOPE.model_copy(
            update={
                "task": GenerateTask(
                    prompt=PromptPin(name="p", version="v"),
                    request=ModelRequest(model="m", messages=(("user", "hi"),)),
                )
            }
        ),
        ENVELOPE.model_copy(
            update={"task": GenerateTask(prompt=PromptPin(name="p", version="v"), blob="b" * 64)}
        ),
    ],
)
def test_what_is_encoded_is_decoded(envelope: Envelope) -> None:
    assert decode(Message(envelope.encode())) == envelope


def test_a_message_of_an_older_deployment_is_read() -> None:
    older = json.loads(ENVELOPE.encode())
    del older["place"]
    assert decode(Message(json.dumps(older).encode())) == ENVELOPE


def test_a_newer_senders_fields_are_passed_over() -> None:
    newer = ENVELOPE.encode()[:-1] + b',"priority":3}'
    assert decode(Message(newer)) == ENVELOPE


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"", "message"),
        (b"hello", "message"),
        (b"[]", "message"),
        (b"{}", "id"),
        (ENVELOPE.encode().replace(b'"v":1', b'"v":2'), "v"),
        (ENVELOPE.encode().replace(b'"act"', b'"cook"'), "task"),
        (ENVELOPE.encode().replace(b'"draft"', b"7"), "step"),
        (b"\xff\xfe", "message"),
        (b"[" * 100_000, "message"),
    ],
)
def test_a_message_of_another_kind_is_refused(data: bytes, where: str) -> None:
    with pytest.raises(MessageInvalidError) as caught:
        decode(Message(data))
    assert caught.value.detail.startswith(f"{where}:")


@pytest.mark.parametrize(
    ("text", "count"), [("3", 3), ("0", 0), ("", 0), ("-1", 0), ("x", 0), ("٣", 0)]
)
def test_the_redrive_count_is_read_or_zero(text: str, count: int) -> None:
    assert Message(b"", {REDRIVE: text}).redrives == count
    assert Message(b"").redrives == 0


def test_labels_name_the_step_and_its_story() -> None:
    assert ENVELOPE.labels() == {
        "correlation_id": "c",
        "event_id": "e",
        "run_id": "run-1",
        "flow": "f",
        "flow_version": "v",
        "step": "draft",
    }


def test_a_task_for_a_model_is_labelled_with_its_prompt() -> None:
    task = GenerateTask(prompt=PromptPin(name="p", version="v2"), blob="b")
    asking = ENVELOPE.model_copy(update={"task": task})
    assert asking.labels() == {**ENVELOPE.labels(), "prompt": "p", "prompt_version": "v2"}


def test_a_run_of_an_older_deployment_does_not_say_when_it_began() -> None:
    older = ENVELOPE.encode().replace(b',"started_at":null', b"")
    assert b"started_at" not in older
    assert decode(Message(older)).run.started_at is None


def test_a_small_context_rides_along() -> None:
    values = {"event": {"data": "x"}, "draft": [1, 2]}
    assert context_of(values) == Context(inline=values)


def test_the_largest_values_are_named_until_the_rest_fits() -> None:
    values = {"a": "x" * 400, "b": "x" * 300, "c": "x" * 100, "d": 1}
    context = context_of(values, room=500)
    assert context.stored == ("a",)
    assert context.inline == {name: values[name] for name in ("b", "c", "d")}
    assert context_of(values, room=10).stored == ("a", "b", "c", "d")


@pytest.mark.parametrize("letter", ["x", "ü", "語", "\U0001f600"])
def test_room_is_counted_in_bytes(letter: str) -> None:
    values = {"one": letter * (INLINE_BYTES // 4), "two": letter * (INLINE_BYTES // 8)}
    carried = sum(len(str(value).encode()) for value in context_of(values).inline.values())
    assert carried <= INLINE_BYTES
