"""People's answer to a step that asks for more money: the limit is raised, or the step is to stop.

Either way the step goes on, once; it finds the answer in its record.
"""

from __future__ import annotations

from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled
from shared.domain.budgets.declared import NOTHING, Amount, amount
from shared.domain.budgets.records import Balance, MoreAsked, increments
from shared.domain.chain import StepStatus
from shared.domain.commands import Signal
from shared.domain.events import Event
from shared.domain.model import Json
from shared.domain.records import StepRecord, step_path
from shared.ports import Document, Increment, Store, Update


async def asking_step(command: Signal, store: Store) -> Document | None:
    """The step that the command names, if it has ever asked for money."""
    found = await store.get(step_path(command.run, command.name))
    return found if found is not None and found.data.get("asks") is not None else None


def refusal_of(command: Signal, found: Document) -> tuple[str, str]:
    """(reason, why the answer is not taken), empty where it is."""
    record, said = StepRecord.of(found.data), command.data
    if not isinstance(said, dict) or not isinstance(said.get("approved"), bool):
        return "unfit", "an answer about money is {approved: true}, with usd or tokens, or false"
    if any(_number(said.get(key)) is None for key in ("usd", "tokens")):
        return "unfit", "usd and tokens are numbers from 0 to 1,000,000 and 1,000,000,000,000"
    if not is_open(record):
        return "too-late", f"step {record.step!r} does not ask for money any more"
    return "", ""


def is_open(record: StepRecord) -> bool:
    """Whether the step waits for the answer."""
    is_waiting = record.status is StepStatus.PENDING and not record.status.is_final
    return is_waiting and record.asks is not None and record.asks.answer is None


def is_answered_by(found: Document, event: str | None) -> bool:
    """Whether this event has brought the answer before."""
    asks = StepRecord.of(found.data).asks
    return asks is not None and event is not None and asks.event == event


def _number(value: Json) -> float | None:
    """The amount that somebody allows; 0 where they name none, None where it is no amount."""
    if value is None:
        return 0.0
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 1e12 else None  # type: ignore[arg-type,operator]


def _allowed(asks: MoreAsked, said: dict[str, Json]) -> Amount:
    """What is added to the limit: what is named, or else just what the call lacks."""
    if not said.get("approved"):
        return NOTHING
    named = amount(_number(said.get("usd")), int(_number(said.get("tokens")) or 0))
    return named if named.is_some else asks.lack


async def answer(command: Signal, event: Event, found: Document, deps: Deps) -> Handled:
    """Takes the answer, which nothing speaks against, and sends the step on its way.

    Raises Conflict where the step's record has changed since.
    """
    record, said = StepRecord.of(found.data), command.data
    assert record.asks is not None
    assert isinstance(said, dict)
    answered = {
        "answer": "approved" if said["approved"] else "rejected",
        "by": command.by,
        "event": event.key,
    }
    asks = record.asks.model_copy(update=answered)
    due = "held_due" if record.held else "due"  # a run that is paused goes on when it is resumed
    fields = StepRecord.fields_of({"asks": asks, due: deps.clock.now()})
    raised = Balance(raised=_allowed(record.asks, said))
    about = {"expire_at": deps.expire_at()}
    more = Increment(record.asks.account, increments(raised), about)
    await deps.store.commit([Update(found.path, fields, found.revision), more])
    reach("committed")
    await go_on(found.path, deps)
    return Handled("answered")


async def go_on(path: str, deps: Deps) -> None:
    """Sends the step that has its answer, unless it is on its way; `sweep` would do it, too."""
    from shared.delivery.waits.due import take_up  # noqa: PLC0415 - that opens steps, which may wait

    found = await deps.store.get(path)
    if found is not None and not found.data.get("held") and found.data.get("due") is not None:
        await take_up(found, deps)
    reach("emitted")
