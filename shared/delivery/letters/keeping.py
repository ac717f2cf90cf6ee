"""Dead letters: what is kept of a message nobody could process, and what that fails.

Decides what a message from a dead-letter topic is about; a broken one is kept all the same.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.delivery.blobs import PIECE_BYTES
from shared.delivery.deps import Deps
from shared.delivery.runs.aftermath import announce
from shared.delivery.runs.ending import end_of_run
from shared.delivery.scope import (
    BLOB,
    FROM_STAGE,
    MESSAGE_ID,
    PUBLISHED,
    REASON,
    REASON_CODE,
)
from shared.delivery.telling import tell_ended_run
from shared.domain import ids
from shared.domain.chain import StepStatus
from shared.domain.envelope import Delivery, Envelope, Message, decode
from shared.domain.events import count_in
from shared.domain.instances import instance_of
from shared.domain.records import (
    DeadLetterRecord,
    Failure,
    LetterStatus,
    RunRecord,
    RunStatus,
    StepRecord,
    dead_letter_path,
    run_path,
    step_path,
)
from shared.domain.starts.schedules import tick_id
from shared.errors import (
    AlreadyExistsError,
    Conflict,
    DeliveriesExhaustedError,
    MessageInvalidError,
    StoreUnavailableError,
)
from shared.ports import Create, Document, Update, Write

_BROKER = "CloudPubSubDeadLetterSource"
_COUNT = f"{_BROKER}DeliveryCount"
_PUBLISHED = f"{_BROKER}TopicPublishTime"
_ADDED = (REASON, REASON_CODE, FROM_STAGE, MESSAGE_ID, PUBLISHED, BLOB)
_ROOM = PIECE_BYTES // 2  # bytes kept in the letter itself, beside its attributes
_TRIES = 5


@dataclass(frozen=True)
class Letter:
    """A dead letter about to be kept. `envelope` is None where it is not a stage message."""

    record: DeadLetterRecord
    original: Message
    envelope: Envelope | None


async def letter_of(delivery: Delivery, deps: Deps) -> Letter:
    """The letter in a message from a dead-letter topic, with the message's own attributes."""
    message = await _whole(delivery.message, deps)
    stage = message.attributes.get(FROM_STAGE) or _stage_of(delivery.subscription)
    original = Message(message.data, _own_attributes(message))
    is_event = stage == "route"  # then data and attributes are a stranger's, and stop no step
    envelope = None if is_event else _envelope(original)
    run_id = envelope.run.id if envelope else original.attributes.get("segue-run")
    named = None if is_event else original.attributes.get("segue-step")
    step = envelope.step if envelope else named
    identity = _identity(original, envelope, message)
    record = DeadLetterRecord(
        letter_id=ids.dead_letter_id(stage, identity, original.redrives),
        stage=stage,
        error=await _reason(message, run_id, step, deps),
        attributes=dict(original.attributes),
        size=len(message.data),
        run_id=run_id,
        flow=envelope.run.flow if envelope else original.attributes.get("segue-flow"),
        step=step,
        correlation_id=_correlation(original, envelope),
        deliveries=_count(message),
        redrives=original.redrives,
        buried_at=deps.clock.now(),
        expire_at=deps.expire_at(),
    )
    return Letter(record, original, envelope)


async def keep(letter: Letter, deps: Deps) -> None:
    """Fails what the letter stopped, then stores it with its bytes. Repeating it is harmless.

    It is open, unless the run has been redriven since its message was sent.
    """
    record = letter.record
    if len(letter.original.data) <= _ROOM:
        record = record.model_copy(update={"data": letter.original.data})
    else:
        blob = await deps.blobs.put(letter.original.data, record.expire_at)
        record = record.model_copy(update={"blob": blob})
    if record.run_id is not None and record.step is not None:
        await _fail(record, record.run_id, record.step, deps)
    with suppress(AlreadyExistsError):
        path = dead_letter_path(record.letter_id)
        await deps.store.commit([Create(path, record.document())])
    if record.run_id is not None and record.step is not None:
        await _close_if_redriven(record, record.run_id, deps)


async def _close_if_redriven(record: DeadLetterRecord, run_id: str, deps: Deps) -> None:
    """Nobody has to see to what has been sent again; a redrive could not see this letter yet."""
    paths = [dead_letter_path(record.letter_id), run_path(run_id)]
    found, run = await deps.store.get_many(paths)
    if found is None or run is None or RunRecord.of(run.data).redrives <= record.redrives:
        return
    fields = {"status": LetterStatus.REDRIVEN.value}
    with suppress(Conflict):  # the redrive did see it
        await deps.store.commit([Update(found.path, fields, found.revision)])


# -- what the message is about ------------------------------------------------------------------


async def _whole(message: Message, deps: Deps) -> Message:
    """The message with its bytes, where they were too many to be sent with the reason."""
    blob = message.attributes.get(BLOB)
    if blob is None:
        return message
    return Message(await deps.blobs.get(blob), message.attributes)


def _stage_of(subscription: str) -> str:
    """`<prefix>-<stage>-dead` is the subscription of a stage's dead-letter topic."""
    return subscription.removesuffix("-dead").rsplit("-", 1)[-1]


def _own_attributes(message: Message) -> dict[str, str]:
    """A tick gets the id that it was given: nothing else in it tells it from the next one."""
    own = {
        name: text
        for name, text in message.attributes.items()
        if name not in _ADDED and not name.startswith(_BROKER)
    }
    published = _published(message)
    tick = None if published is None else tick_id(own, published)
    return own if tick is None else {**own, "ce-id": tick}


def _published(message: Message) -> datetime | None:
    """When the message was published that the letter is about."""
    told = message.attributes.get(PUBLISHED) or message.attributes.get(_PUBLISHED, "")
    try:
        return datetime.fromisoformat(told).astimezone(UTC)
    except (ValueError, OverflowError):  # anybody can send a message that looks like a letter
        return None


def _envelope(message: Message) -> Envelope | None:
    try:
        return decode(message)
    except MessageInvalidError:
        return None


def _identity(message: Message, envelope: Envelope | None, letter: Message) -> str:
    """Equal for the same message buried twice; the broker gives it a new message id each time.

    Of what nobody can read, the time tells, to the millisecond: it is all that the letter of a
    stage and one that the broker has sent, as nobody had heard the stage, have in common.
    """
    if envelope is not None:
        return envelope.id
    named = "\n".join(f"{name}={text}" for name, text in sorted(message.attributes.items()))
    published = _published(letter)
    if published is None:
        return ids.digest(letter.attributes.get(MESSAGE_ID) or message.data.hex(), named)
    sent = published.isoformat(timespec="milliseconds")
    return ids.digest(sent, message.data.hex(), named)


def _correlation(message: Message, envelope: Envelope | None) -> str | None:
    return envelope.run.correlation_id if envelope else message.attributes.get("correlationid")


def _count(message: Message) -> int | None:
    return count_in(message.attributes, _COUNT)


async def _reason(message: Message, run_id: str | None, step: str | None, deps: Deps) -> Failure:
    """What the stage said; where the broker gave up by itself, what the last attempt ran into."""
    if REASON in message.attributes:
        code = message.attributes.get(REASON_CODE, "Permanent")
        return Failure(code=code, message=message.attributes[REASON], step=step)
    count = _count(message)
    told = f"given up after {count} deliveries" if count else "given up by Pub/Sub"
    last = await _last_error(run_id, step, deps)
    return Failure.of(DeliveriesExhaustedError(f"{told}{last}"), step)


async def _last_error(run_id: str | None, step: str | None, deps: Deps) -> str:
    if run_id is None or step is None:
        return ""
    found = await deps.store.get(step_path(run_id, step))
    attempts = StepRecord.of(found.data).attempts if found else []
    errors = [attempt.error for attempt in attempts if attempt.error is not None]
    return f"; the last attempt: {errors[-1].message}" if errors else ""


# -- what it stopped ----------------------------------------------------------------------------


async def _fail(record: DeadLetterRecord, run_id: str, step: str, deps: Deps) -> None:
    """Fails the step, unless it has finished, and the run, unless it has ended."""
    for _ in range(_TRIES):
        found, run = await deps.store.get_many([step_path(run_id, step), run_path(run_id)])
        if run is not None and RunRecord.of(run.data).redrives > record.redrives:
            return  # redriven since: all that was under way has been sent again, with its count
        ends = _run_write(record, run, deps)
        is_unfinished = found is None or not StepRecord.of(found.data).status.is_final
        result = [failed_step(record, run_id, step, found, deps)] if is_unfinished else []
        writes: list[Write] = [*result, *ends]
        if not writes:
            return
        with suppress(Conflict):
            await deps.store.commit(writes)
            if run is not None and ends:
                tell_ended_run(deps, run.data, ends[0].data)
                await announce(RunRecord.of(run.data), deps)
            return
    raise StoreUnavailableError(f"run {run_id} keeps changing while it is being failed")


def failed_step(
    record: DeadLetterRecord,
    run_id: str,
    step: str,
    found: Document | None,
    deps: Deps,
    *,
    handled: bool = False,
) -> Create | Update:
    """The write that fails an unfinished step with the letter's reason, as it was `found`."""
    now = deps.clock.now()
    if found is not None:
        failed = {"status": StepStatus.FAILED, "error": record.error, "finished_at": now}
        freed = {"owner": "", "lease_until": None, "due": None, "held": False}
        fields = {**failed, **freed, "handled": handled}
        return Update(found.path, StepRecord.fields_of(fields), found.revision)
    instance = instance_of(step)
    fresh = StepRecord(
        run_id=run_id,
        flow=record.flow or "",
        step=step,
        stage=record.stage,
        status=StepStatus.FAILED,
        error=record.error,
        handled=handled,
        finished_at=now,
        item_of=instance.item_of,
        index=instance.index,
        expire_at=record.expire_at,
    )
    return Create(step_path(run_id, step), fresh.document())


def _run_write(record: DeadLetterRecord, run: Document | None, deps: Deps) -> list[Update]:
    if run is None or RunRecord.of(run.data).status.is_final:
        return []
    run_id = str(record.run_id)
    ending = {"status": RunStatus.FAILED, "error": record.error}
    return [end_of_run(deps, run_id, run.revision, **ending)]
