"""Records a dead letter, then fails the step and the run that it stopped.

Where the flow says how the run goes on without the step, it does, and nothing is kept; nor is it of
a run that was cancelled. Knows what the message says about itself, not how it came to fail.
"""

from __future__ import annotations

from shared.delivery.closing import ending_of
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.letters.keeping import keep, letter_of
from shared.delivery.letters.reroute import reroute
from shared.delivery.telling import tell_letter
from shared.domain.records import RunStatus


async def handle(received: Received, deps: Deps) -> Handled:
    """Keeps the letter; the same letter twice is one. Telling operators is the log line's job."""
    letter = await letter_of(received.delivery, deps)
    received.describe(
        {
            **(letter.envelope.labels() if letter.envelope else {}),
            "correlation_id": letter.record.correlation_id or letter.record.letter_id,
            **({"run_id": letter.record.run_id} if letter.record.run_id else {}),
            **({"flow": letter.record.flow} if letter.record.flow else {}),
            **({"step": letter.record.step} if letter.record.step else {}),
        },
        from_stage=letter.record.stage,
        reason=letter.record.error.message,
    )
    about = letter.envelope
    if about is not None and await ending_of(deps.store, about) is RunStatus.CANCELLED:
        return Handled("run-ended", letter.record.error)
    rerouted = await reroute(letter, deps, received.span_id)
    if rerouted is not None:
        return rerouted
    received.describe({"dead_letter": letter.record.letter_id})
    await keep(letter, deps)
    tell_letter(deps, letter.record)
    return Handled("buried")
