"""Which flows an event starts. Content-based routing (Hohpe & Woolf 2003, Message Router).

Knows nothing of how runs are stored or steps are sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from shared.delivery.children.homecoming import see_to_parent
from shared.delivery.commands.obeying import obey
from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.runs.choosing import chosen
from shared.delivery.runs.opening import Opener, Opening
from shared.delivery.scope import dead_letter
from shared.delivery.starts.admission import require_fitting_event
from shared.delivery.starts.misfires import check_schedules, in_time
from shared.delivery.starts.turns import advance
from shared.delivery.waits.awaiting import bring
from shared.domain.commands import command_of
from shared.domain.envelope import Delivery, Message
from shared.domain.events import ONLY_FLOW, Event, from_message
from shared.domain.expressions import holds
from shared.domain.records import Failure
from shared.domain.starts.by_name import START
from shared.domain.starts.schedules import CHECK, tick_id
from shared.domain.version import FlowVersion
from shared.errors import ExpressionError, InputInvalidError, SegueError

if TYPE_CHECKING:
    from shared.delivery.starts.collecting import Collecting

OPENED_RUN = "segue-run"


async def handle(received: Received, deps: Deps) -> Handled:
    """Stores the event, opens its runs and ends the waits for it.

    A flow whose condition fails or whose input schema the data breaks gets a failed run and a dead
    letter; the event's other flows are not disturbed. Raises EventInvalidError and
    EventTooLargeError.
    """
    delivery = received.delivery
    event = from_message(
        delivery.message.attributes,
        delivery.message.data,
        message_id=_identity(delivery),
        published_at=delivery.published_at,
    )
    received.describe(
        {"correlation_id": event.correlation_id, "event_id": event.id, "event_type": event.type}
    )
    if event.type == CHECK:
        return await check_schedules(received, deps)
    command = command_of(event)
    if command is not None:
        return await obey(command, event, received, deps)
    _warn_of_problems(deps)
    reach("decoded")
    only = delivery.message.attributes.get(ONLY_FLOW)
    batches, refused = _batches(deps, event, only)
    found = [*_openings(deps, event, only), *refused]
    openings = await _with_versions(await in_time(found, received, deps), event, only, deps)
    opener = Opener(deps, received, event)
    await opener.open_all(openings)
    for key in opener.waiting:  # somebody may have made room after that was decided
        await advance(key, deps)
    await _collect(batches, deps)
    await _bury_refused(openings, delivery.message, deps)
    met = await bring(event, deps)
    if event.type == START:
        await see_to_parent(event, delivery.message, openings, deps)
    _describe(openings, received, **({"waits": met} if met else {}))
    if batches:
        return Handled("collected")
    return Handled("routed" if openings or met else "no-flow")


async def _with_versions(
    found: Sequence[Opening], event: Event, only: str | None, deps: Deps
) -> list[Opening]:
    """The openings with what they will say: rollouts are loaded where there are some."""
    if not deps.flows.library().rollouts:
        return await chosen(found, deps)
    from shared.delivery.rollouts.picking import picked  # noqa: PLC0415

    return await picked(found, event, only, deps)


def _describe(openings: Sequence[Opening], received: Received, **details: Any) -> None:
    received.describe({}, runs=[opening.run_id for opening in openings], **details)
    if len(openings) == 1:
        [opened] = openings
        about = {"flow": opened.version.flow.flow, "flow_version": opened.version.version}
        received.describe({"run_id": opened.run_id, **about})


def _identity(delivery: Delivery) -> str:
    """What stands in for the id of an event that brought none."""
    given = tick_id(delivery.message.attributes, delivery.published_at)
    return given or delivery.message_id


def _openings(deps: Deps, event: Event, only: str | None) -> Iterator[Opening]:
    for name, version in deps.flows.current().items():
        if only not in {None, name} or not version.flow.takes(event.type, event.subject):
            continue
        try:
            if _is_started(version, event):
                yield Opening(version, event)
        except (ExpressionError, InputInvalidError) as error:
            yield Opening(version, event, refusal=error)


def _batches(deps: Deps, event: Event, only: str | None) -> tuple[list[Collecting], list[Opening]]:
    """What the event is collected for; where that fails, a run is refused like any other."""
    found, refused = [], []
    for name, version in deps.flows.current().items():
        batch = version.flow.collects(event.type) if only in {None, name} else None
        if batch is None:
            continue
        from shared.delivery.starts.collecting import collecting  # noqa: PLC0415 - few flows have batches

        condition = version.flow.on.where
        try:
            if condition is None or holds(condition, {"event": event.variables()}):
                found.append(collecting(name, batch, event))
        except (ExpressionError, InputInvalidError) as error:
            refused.append(Opening(version, event, refusal=error))
    return found, refused


async def _collect(batches: Sequence[Collecting], deps: Deps) -> None:
    for each in batches:
        from shared.delivery.starts.collecting import collect  # noqa: PLC0415 - few flows have batches

        await collect(each, deps)


def _is_started(version: FlowVersion, event: Event) -> bool:
    """Whoever starts a flow by its name has chosen already: its condition is not asked."""
    condition = version.flow.on.where if event.type != START else None
    if condition is not None and not holds(condition, {"event": event.variables()}):
        return False
    require_fitting_event(version, event)
    return True


async def _bury_refused(openings: Sequence[Opening], message: Message, deps: Deps) -> None:
    for opening in openings:
        if opening.refusal is not None:
            await _bury(deps, message, opening, opening.refusal)


async def _bury(deps: Deps, message: Message, opening: Opening, refusal: SegueError) -> None:
    letter = dead_letter(message, deps.stage.name, Failure.of(refusal))
    about = {
        ONLY_FLOW: opening.version.flow.flow,
        OPENED_RUN: opening.run_id,
        "ce-id": opening.event.id,  # one that brought none must keep the one it was given
    }
    marked = Message(letter.data, {**letter.attributes, **about})
    await deps.bus.publish(deps.stage.dead_letter_topic, [marked])


def _warn_of_problems(deps: Deps) -> None:
    """A flow that cannot be read starts nothing: that must not be silent."""
    for problem in deps.flows.library().problems:
        deps.telemetry.log("ERROR", f"left out: {problem}")
