"""The message in hand, as far as lines that are written meanwhile can tell."""

from __future__ import annotations

import asyncio

from shared.domain.origin import Origin, in_hand, origin


def named(name: str) -> Origin:
    return Origin({"message": name})


def test_outside_of_any_message_nothing_is_known() -> None:
    assert origin() == Origin()


def test_what_is_learnt_meanwhile_counts() -> None:
    labels: dict[str, str] = {}
    with in_hand(lambda: Origin(dict(labels))):
        labels["step"] = "a"
        assert origin().labels == {"step": "a"}


def test_the_one_before_is_in_hand_again_afterwards() -> None:
    with in_hand(lambda: named("a")):
        with in_hand(lambda: named("b")):
            assert origin() == named("b")
        assert origin() == named("a")
    assert origin() == Origin()


async def test_messages_handled_at_once_are_kept_apart() -> None:
    async def handle(name: str) -> tuple[Origin, Origin, Origin]:
        with in_hand(lambda: named(name)):
            await asyncio.sleep(0)
            inner = await asyncio.create_task(there())
            return origin(), inner, await asyncio.to_thread(origin)

    async def there() -> Origin:
        return origin()

    names = [str(n) for n in range(20)]
    seen = await asyncio.gather(*(handle(name) for name in names))
    assert seen == [(named(name),) * 3 for name in names]
