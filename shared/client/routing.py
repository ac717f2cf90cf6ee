"""What has become of an event that was published; waits for nothing."""

from __future__ import annotations

from dataclasses import dataclass

from shared.domain import ids
from shared.domain.events import Event
from shared.domain.records import DeadLetterRecord, EventRecord, LetterStatus, event_path
from shared.ports import Query, Store


@dataclass(frozen=True)
class Routed:
    """`runs` are the ids of an event that is stored, None before; `letter` is what it became.

    `message_id` is that of the publication that was stored: of several, the first.
    """

    runs: tuple[str, ...] | None = None
    message_id: str | None = None
    letter: DeadLetterRecord | None = None


async def look_at(event: Event, store: Store) -> Routed:
    """Costs one read of an event that is stored; before, those of its story's dead letters too."""
    found = await store.get(event_path(event.key))
    if found is None:
        return Routed(letter=await _letter(event, store))
    record = EventRecord.of(found.data)
    return Routed(tuple(record.runs), record.message_id)


async def _letter(event: Event, store: Store) -> DeadLetterRecord | None:
    """The event's own dead letter: its story may hold those of others."""
    query = Query("dead_letters", (("correlation_id", "==", event.correlation_id),))
    letters = [DeadLetterRecord.of(found.data) for found in await store.find(query)]
    own = (letter for letter in letters if _is_of(event, letter))
    return next(own, None)


def _is_of(event: Event, letter: DeadLetterRecord) -> bool:
    about = letter.attributes
    source = about.get("ce-source", ids.UNNAMED_SOURCE)
    is_open = letter.status is LetterStatus.OPEN  # one that was redriven is on its way again
    return is_open and (about.get("ce-id"), source) == (event.id, event.source)
