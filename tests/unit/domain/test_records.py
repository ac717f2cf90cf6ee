"""Records: stored and read back unchanged, in fields that Firestore takes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.document_size import MAX_DOCUMENT_BYTES, document_size
from shared.domain.chain import StepStatus
from shared.domain.envelope import PromptPin
from shared.domain.events import MAX_DATA_BYTES, from_message
from shared.domain.mapped import ItemError, Mapped
from shared.domain.records import (
    Attempt,
    DeadLetterRecord,
    EventRecord,
    Failure,
    JoinRecord,
    LetterStatus,
    Record,
    RunRecord,
    RunStatus,
    StepRecord,
    Tokens,
    Usage,
)
from shared.errors import StepTimeoutError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAILURE = Failure(code="StepTimeout", message="too slow", step="draft")
RUN = RunRecord(
    run_id="r",
    flow="f",
    flow_version="v",
    status=RunStatus.FAILED,
    correlation_id="c",
    event_key="k",
    event_id="e",
    event_type="t",
    traceparent="00-1-2-01",
    opened_by="m",
    created_at=NOW,
    outputs={"nested": [[1], [2]]},
    error=FAILURE,
    extensions={"tenant": "acme"},
    expire_at=NOW,
)
STEP = StepRecord(
    run_id="r",
    flow="f",
    step="draft",
    stage="generate",
    status=StepStatus.SUCCEEDED,
    attempts=[
        Attempt(n=1, started_at=NOW, outcome="released", error=FAILURE),
        Attempt(n=2, started_at=NOW, usage=Usage(llm_calls=1, tokens=Tokens(input=3, output=4))),
    ],
    output=[[1, [2]], None],
    prompt=PromptPin(name="p", version="v"),
    expire_at=NOW,
)
EVENT = EventRecord(
    event={"data": [[]]},
    type="t",
    source="s",
    correlation_id="c",
    time=NOW,
    stored_at=NOW,
    message_id="m",
    runs=["r"],
    expire_at=NOW,
)
LETTER = DeadLetterRecord(
    letter_id="l",
    stage="act",
    status=LetterStatus.REDRIVEN,
    error=FAILURE,
    attributes={"a": "b"},
    data=b"\x00\xff",
    size=2,
    buried_at=NOW,
    expire_at=NOW,
)


MAP = STEP.model_copy(
    update={
        "mapped": Mapped(
            size=3,
            values=[[1], {"a": None}, "x"],
            rest=[0, 2],
            failed=1,
            errors=[ItemError(index=1, code="ActionFailed", message="no")],
        )
    }
)


@pytest.mark.parametrize(
    "record",
    [RUN, STEP, MAP, EVENT, LETTER, JoinRecord(arrived=2, succeeded=1)],
    ids=lambda record: type(record).__name__,
)
def test_a_record_is_read_back_as_it_was_stored(record: Record) -> None:
    assert type(record).of(record.document()) == record


def test_a_step_of_an_older_deployment_is_read() -> None:
    newer = {"handled", "item_of", "index", "mapped"}
    older = {name: value for name, value in STEP.document().items() if name not in newer}
    assert StepRecord.of(older) == STEP


@pytest.mark.parametrize("output", [None, "text", "null", 0, False, [], {}, [[1]], {"a": None}])
def test_any_json_output_survives_being_stored(output: Any) -> None:
    stored = STEP.model_copy(update={"output": output}).document()
    assert isinstance(stored["output"], str)
    assert StepRecord.of(stored).output == output


@pytest.mark.parametrize("record", [RUN, STEP, MAP, EVENT, LETTER])
def test_stored_fields_are_plain_data(record: Record) -> None:
    def check(value: object) -> None:
        assert type(value) in {str, int, float, bool, bytes, datetime, type(None), list, dict}
        inner = value.values() if isinstance(value, dict) else value
        for item in inner if isinstance(value, dict | list) else ():
            check(item)

    check(record.document())


def test_an_update_stores_fields_as_the_record_would() -> None:
    fields = StepRecord.fields_of({"status": StepStatus.FAILED, "output": {"a": 1}, "error": None})
    assert fields == {"status": "failed", "output": '{"a":1}', "error": None}


def test_the_widest_event_that_is_accepted_fits_into_its_document() -> None:
    data = b"[" + b"1," * (MAX_DATA_BYTES // 2 - 2) + b"1]"
    event = from_message({"type": "t"}, data, message_id="m", published_at=NOW)
    record = EVENT.model_copy(update={"event": event.model_dump(mode="json")})
    assert document_size("events/m", record.document()) < MAX_DOCUMENT_BYTES
    assert json.loads(record.document()["event"])["data"] == event.data


def test_usage_is_the_sum_of_all_attempts() -> None:
    attempts = [
        Attempt(n=n, started_at=NOW, usage=Usage(llm_calls=1, tokens=Tokens(input=n), cost_usd=0.5))
        for n in (1, 2, 3)
    ]
    usage = STEP.model_copy(update={"attempts": attempts}).usage
    assert usage == Usage(llm_calls=3, tokens=Tokens(input=6), cost_usd=1.5)


def test_one_unpriced_call_leaves_the_sum_unpriced() -> None:
    total = (
        Usage(llm_calls=1, cost_usd=0.5) + Usage(llm_calls=1, cost_usd=None) + Usage(llm_calls=1)
    )
    assert (total.llm_calls, total.cost_usd) == (3, None)


@pytest.mark.parametrize("status", list(RunStatus))
def test_a_run_is_final_when_it_has_ended(status: RunStatus) -> None:
    assert status.is_final is (status.value in {"succeeded", "failed", "cancelled"})


def test_a_failure_keeps_code_words_and_place_of_its_error() -> None:
    failure = Failure.of(StepTimeoutError("step 'a': 5 s"), "a")
    assert failure.code == "StepTimeout"
    assert failure.message.startswith("step 'a': 5 s. The step took longer")
    assert failure.step == "a"
