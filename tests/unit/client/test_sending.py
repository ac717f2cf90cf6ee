"""What a client publishes is the message that any client could have sent."""

from __future__ import annotations

import pytest

from shared.client.errors import EventRefusedError
from shared.client.sending import Draft, send
from shared.delivery.deps import Deps
from shared.domain import ids
from shared.domain.events import MAX_DATA_BYTES, from_message
from shared.errors import UsageError
from shared.testing.pipeline import World


async def test_the_message_is_what_any_client_would_send(deps: Deps, world: World) -> None:
    draft = Draft("order.paid", b"[1]", source="//shop", id="42", key="k", correlation_id="c")
    sent = await send(draft, deps)
    [(topic, message_id, message)] = world.messages.published
    assert (topic, message_id) == ("events", sent.message_id)
    assert dict(message.attributes) == {
        "ce-specversion": "1.0",
        "ce-type": "order.paid",
        "ce-id": "42",
        "ce-source": "//shop",
        "ce-partitionkey": "k",
        "correlationid": "c",
        "content-type": "application/json",
    }
    routed = from_message(
        message.attributes, message.data, message_id=message_id, published_at=deps.clock.now()
    )
    assert sent.event == routed


async def test_further_attributes_travel_with_it_and_replace_none_of_its_own(
    deps: Deps, world: World
) -> None:
    given = {"tenant": "a", "traceparent": f"00-{'1' * 32}-{'2' * 16}-01", "ce-type": "other"}
    await send(Draft("t", b"", id="1", attributes=given), deps)
    [(_, _, message)] = world.messages.published
    assert message.attributes.items() >= {**given, "ce-type": "t", "ce-id": "1"}.items()


async def test_without_an_id_every_event_is_its_own(deps: Deps) -> None:
    sent = [await send(Draft("t", b""), deps) for _ in range(2)]
    one, other = (each.event for each in sent)
    assert one.id != other.id
    assert one.correlation_id == ids.correlation_id(one.key)


async def test_the_same_id_is_the_same_event(deps: Deps) -> None:
    sent = [await send(Draft("t", b"", id="1"), deps) for _ in range(2)]
    assert sent[0].event.key == sent[1].event.key


@pytest.mark.parametrize(
    ("draft", "told"),
    [
        (Draft("bad type*", b""), "attribute `type`"),
        (Draft("t", b"NaN"), "not JSON"),
        (Draft("", b""), "no type"),
        (Draft("t", b'"' + b"x" * MAX_DATA_BYTES + b'"'), "the limit is"),
    ],
)
async def test_what_route_would_refuse_is_bad_usage_and_not_sent(
    deps: Deps, world: World, draft: Draft, told: str
) -> None:
    with pytest.raises(EventRefusedError, match=told) as caught:
        await send(draft, deps)
    assert isinstance(caught.value, UsageError)
    assert world.messages.published == []
