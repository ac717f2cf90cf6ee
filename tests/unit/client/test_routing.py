"""What became of an event: its runs once it is stored, before that its own dead letter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.client.routing import look_at
from shared.client.sending import Draft, send
from shared.delivery.deps import Deps
from shared.domain.events import Event
from shared.domain.records import (
    DeadLetterRecord,
    EventRecord,
    Failure,
    LetterStatus,
    dead_letter_path,
    event_path,
)
from shared.ports import Create

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OWN = {"ce-id": "mine", "ce-source": "//shop"}


async def published(deps: Deps) -> Event:
    draft = Draft("t", b"{}", source="//shop", id="mine", correlation_id="story")
    return (await send(draft, deps)).event


async def bury(deps: Deps, **about: Any) -> None:
    fields = {"correlation_id": "story", "attributes": OWN, **about}
    letter = DeadLetterRecord(
        letter_id="letter",
        stage="route",
        error=Failure(code="c", message="m"),
        size=2,
        buried_at=NOW,
        expire_at=NOW,
        **fields,
    )
    await deps.store.commit([Create(dead_letter_path("letter"), letter.document())])


async def test_an_event_on_its_way_has_neither_runs_nor_a_letter(deps: Deps) -> None:
    routed = await look_at(await published(deps), deps.store)
    assert (routed.runs, routed.letter) == (None, None)


async def test_its_own_letter_is_told(deps: Deps) -> None:
    event = await published(deps)
    await bury(deps)
    routed = await look_at(event, deps.store)
    assert routed.letter is not None
    assert routed.letter.letter_id == "letter"


@pytest.mark.parametrize(
    "about",
    [
        {"correlation_id": "other"},
        {"attributes": {**OWN, "ce-id": "another"}},
        {"attributes": {"ce-id": "mine"}},
        {"attributes": {}},
        {"status": LetterStatus.REDRIVEN},
    ],
    ids=str,
)
async def test_no_other_letter_is(deps: Deps, about: dict[str, Any]) -> None:
    event = await published(deps)
    await bury(deps, **about)
    assert (await look_at(event, deps.store)).letter is None


async def test_a_stored_event_tells_its_runs_and_which_publication_it_was(deps: Deps) -> None:
    event = await published(deps)
    record = EventRecord(
        event=event.model_dump(mode="json"),
        type=event.type,
        source=event.source,
        correlation_id=event.correlation_id,
        time=event.time,
        stored_at=NOW,
        message_id="m1",
        runs=["a", "b"],
        expire_at=NOW,
    )
    await deps.store.commit([Create(event_path(event.key), record.document())])
    await bury(deps)
    routed = await look_at(event, deps.store)
    assert (routed.runs, routed.message_id, routed.letter) == (("a", "b"), "m1", None)
