"""Dead letters on the command line: whose letter ends a wait, and how all are redriven."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from shared.cli.app import app
from shared.cli.commands.letters import Refused, redrive_all
from shared.cli.watch import Progress, follow
from shared.client.sending import Draft, send
from shared.delivery.deps import Deps
from shared.delivery.letters.redrive import Redriven
from shared.domain.events import Event
from shared.domain.records import DeadLetterRecord, Failure, dead_letter_path
from shared.errors import RedriveRefusedError
from shared.ports import Create
from shared.testing.pipeline import World

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def bury(deps: Deps, letter_id: str, **about: Any) -> None:
    letter = DeadLetterRecord(
        letter_id=letter_id,
        stage="route",
        error=Failure(code="c", message="m"),
        attributes=about.pop("attributes", {}),
        data=b"{}",
        size=2,
        buried_at=NOW,
        expire_at=NOW,
        **about,
    )
    await deps.store.commit([Create(dead_letter_path(letter_id), letter.document())])


async def last(event: Event, deps: Deps) -> Progress:
    return [progress async for progress in follow(event, deps, seconds=0)][-1]


async def test_only_the_events_own_letter_ends_the_wait(deps: Deps) -> None:
    sent = await send(Draft("t", b"{}", id="mine", correlation_id="story"), deps)
    event = sent.event
    await bury(deps, "a", correlation_id="story", attributes={"ce-id": "another"})
    await bury(deps, "b", correlation_id="story")
    waited = await last(event, deps)
    assert (waited.letter, waited.timed_out) == (None, True)

    await bury(deps, "c", correlation_id="story", attributes={"ce-id": "mine"})
    ended = await last(event, deps)
    assert ended.letter is not None
    assert (ended.letter.letter_id, ended.timed_out) == ("c", False)


async def test_a_letter_that_cannot_be_redriven_does_not_stop_the_others(
    deps: Deps, world: World
) -> None:
    await bury(deps, "a")
    await bury(deps, "b", run_id="gone", step="write")
    await bury(deps, "c", attributes={"ce-type": "t"})
    redriven, refused = await redrive_all(deps, repin=False)
    assert [item.letter_id for item in redriven] == ["a", "c"]
    assert [letter_id for letter_id, _ in refused] == ["b"]
    assert len(world.messages.published) == 2
    assert (await redrive_all(deps, repin=False))[0] == []


def test_the_command_tells_what_was_refused_and_exits_1(monkeypatch: pytest.MonkeyPatch) -> None:
    async def some(*_: object, **__: object) -> tuple[list[Redriven], Refused]:
        return [Redriven("a", None, ())], [("b", RedriveRefusedError("it is over"))]

    monkeypatch.setattr("shared.cli.commands.letters.connect", lambda: None)
    monkeypatch.setattr("shared.cli.commands.letters.redrive_all", some)
    told: list[str] = []
    monkeypatch.setattr("shared.cli.commands.letters.complain", told.append)
    done = CliRunner().invoke(app, ["dead-letters", "redrive", "--all", "--json"])
    assert done.exit_code == 1
    assert [item["letter_id"] for item in json.loads(done.stdout)] == ["a"]
    assert "b: it is over" in told[0]
