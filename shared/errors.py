"""Every error Segue raises on purpose; the class decides what happens to the message that met it.

SegueError
├── Transient                    the same message may succeed later: nack, Pub/Sub redelivers
│   ├── StoreUnavailableError
│   ├── BusUnavailableError
│   ├── ObjectsUnavailableError
│   ├── ClaimBusyError
│   ├── ClaimLostError
│   ├── ModelBusyError
│   ├── ModelUnreachableError
│   ├── ModelMalformedError
│   ├── EffectUnavailableError
│   └── StageBudgetError
├── Permanent                    the same message fails the same way: buried at once with its reason
│   ├── MessageInvalidError
│   ├── EventInvalidError
│   ├── EventTooLargeError
│   ├── OutputTooLargeError
│   ├── InputInvalidError
│   ├── PromptInputInvalidError
│   ├── ExpressionError
│   ├── MapInvalidError
│   ├── WaitInvalidError
│   ├── TemplateError
│   ├── VersionMissingError
│   ├── RecordTooLargeError
│   ├── StateInvalidError
│   ├── PayloadMissingError
│   ├── PayloadDamagedError
│   ├── ModelRefusedError
│   ├── ModelTruncatedError
│   ├── ModelEmptyError
│   ├── ModelRequestError
│   ├── OutputInvalidError
│   ├── ActionInvalidError
│   ├── ActionFailedError
│   ├── ChildFailedError
│   ├── ChildCancelledError
│   ├── ChildMissingError
│   ├── ChildNestedError
│   ├── StepTimeoutError
│   ├── WaitTimeoutError
│   ├── ApprovalRejectedError
│   ├── StepFailedError
│   ├── DeliveriesExhaustedError
│   └── RunTimeoutError
├── Conflict                     answers of the store that the step protocol decides on
│   ├── AlreadyExistsError
│   └── StaleError
├── RefusedError                 a run does not take what was asked of it; nothing was changed
├── CloudError                   Google Cloud did not answer what a person asked; adapters say why
└── UsageError                   what a person asked for cannot be done
    ├── SettingsInvalidError
    ├── SourceInvalidError
    ├── NotFoundError
    └── RedriveRefusedError

A class's docstring is its message: what happened, and the remedy.
"""

from __future__ import annotations

from shared.error_kinds import (
    CloudError,
    Conflict,
    Permanent,
    RefusedError,
    SegueError,
    Transient,
    UsageError,
)
from shared.step_errors import (
    ApprovalRejectedError,
    ChildCancelledError,
    ChildFailedError,
    ChildMissingError,
    ChildNestedError,
    WaitInvalidError,
    WaitTimeoutError,
)

__all__ = [
    "ApprovalRejectedError",
    "ChildCancelledError",
    "ChildFailedError",
    "ChildMissingError",
    "ChildNestedError",
    "CloudError",
    "Conflict",
    "Permanent",
    "RefusedError",
    "SegueError",
    "Transient",
    "UsageError",
    "WaitInvalidError",
    "WaitTimeoutError",
]


class StoreUnavailableError(Transient):
    """Firestore did not answer in time; the message is redelivered."""


class BusUnavailableError(Transient):
    """Pub/Sub did not take a message in time; the message at hand is redelivered."""


class ObjectsUnavailableError(Transient):
    """Cloud Storage did not do what was asked; the message is redelivered.

    If it happens every time, check the bucket in SEGUE_PAYLOAD_BUCKET and the stage's rights on it.
    """


class ClaimBusyError(Transient):
    """Another delivery is working on this step, or this key; this one waits its turn."""


class ClaimLostError(Transient):
    """Another delivery took this step over while this one was working; its work is discarded."""


class ModelBusyError(Transient):
    """The model kept answering 429 or 503 until the step's time was nearly over.

    It is tried again on redelivery; raise the model's quota or lower the stage's concurrency.
    """


class ModelUnreachableError(Transient):
    """The model could not be reached, or broke off or failed while answering; it is tried again."""


class ModelMalformedError(Transient):
    """The model's HTTP answer was not JSON; it is tried again."""


class EffectUnavailableError(Transient):
    """The outside service did not answer or asked to come back later; it is tried again."""


class StageBudgetError(Transient):
    """The stage's time ran out before the step's own timeout; the step is tried again.

    If it happens every time, give the step a `timeout` or the stage a larger `budget`.
    """


class MessageInvalidError(Permanent):
    """The message is not one that Segue's stages send.

    Publish events to the entry topic; only stages publish to stage topics.
    """


class EventInvalidError(Permanent):
    """The event cannot be read.

    Send JSON data with at least the attribute `ce-type`, or a CloudEvents 1.0 structured message.
    """


class EventTooLargeError(Permanent):
    """The event's data is larger than an event may be.

    Put the payload into Cloud Storage and send its URI in the event.
    """


class OutputTooLargeError(Permanent):
    """A step's output is larger than a step may hand on.

    Put the payload into Cloud Storage and return its URI.
    """


class InputInvalidError(Permanent):
    """The event's data does not fit the flow's `input` schema.

    Correct the producer or the schema, then redrive the dead letter.
    """


class PromptInputInvalidError(Permanent):
    """What the step hands the prompt does not fit the prompt's `input` schema.

    Correct the step's `with` or the schema, then redrive with --repin.
    """


class ExpressionError(Permanent):
    """An expression of the flow failed.

    Guard what may be missing (`x is defined`, `x | default(...)`), then redrive with --repin.
    """


class MapInvalidError(Permanent):
    """A step cannot be run for each item of what its `foreach` gives.

    Give a list of at most 10,000 items (`x | list` makes one of most things), then redrive with
    --repin.
    """


class TemplateError(Permanent):
    """A prompt could not be rendered.

    Correct the template or the step's `with`, then redrive with --repin.
    """


class VersionMissingError(Permanent):
    """The run is pinned to a flow version that is neither bundled nor stored.

    Restore the document under `flows/`, or redrive with --repin to move the run to today's version.
    """


class RecordTooLargeError(Permanent):
    """A Firestore document would be larger than 1 MiB.

    Store less, or put the payload into Cloud Storage and store its URI.
    """


class StateInvalidError(Permanent):
    """The run's state could not be read or edited as the step's method asked.

    Correct the method, or give the state's model defaults for what older runs lack, then redrive.
    """


class PayloadMissingError(Permanent):
    """A payload that travelled by reference is no longer stored.

    It has outlived SEGUE_RETENTION_DAYS; publish the event again.
    """


class PayloadDamagedError(Permanent):
    """A payload that travelled by reference is not the one that was stored.

    Check who else writes to `blobs` or to the bucket; publish the event again.
    """


class ModelRefusedError(Permanent):
    """The model or its safety filters refused to answer.

    Change the prompt or its safety settings, then redrive with --repin.
    """


class ModelTruncatedError(Permanent):
    """The answer was cut off at the token limit.

    Raise `max_output_tokens` in the prompt's parameters, then redrive with --repin.
    """


class ModelEmptyError(Permanent):
    """The model answered with no text.

    Change the prompt, then redrive with --repin.
    """


class ModelRequestError(Permanent):
    """The model's API refused the request.

    Check the model's name, location, parameters and the service account's rights.
    """


class OutputInvalidError(Permanent):
    """The model's answer did not fit the prompt's `output` schema, and neither did its repair.

    Both answers are kept on the step; change the prompt or the schema, then redrive with --repin.
    """


class ActionInvalidError(Permanent):
    """The action does not exist or its arguments do not fit.

    `segue flows check` lists what each action takes; correct the flow, then redrive with --repin.
    """


class ActionFailedError(Permanent):
    """The action was carried out and failed.

    Correct what it complains of, then redrive the dead letter.
    """


class StepTimeoutError(Permanent):
    """The step took longer than its `timeout`.

    Raise it or make the step smaller, then redrive the dead letter.
    """


class StepFailedError(Permanent):
    """The step has failed for good; its record says why."""


class DeliveriesExhaustedError(Permanent):
    """Pub/Sub gave the message up after its last delivery attempt.

    Remove the cause that the step's attempts name, then redrive the dead letter.
    """


class RunTimeoutError(Permanent):
    """The run took longer than its flow's `timeout`.

    Raise it or find the slow step with `segue trace`, then continue it:
    `segue dead-letters redrive RUN`.
    """


class AlreadyExistsError(Conflict):
    """A document that should be new is already there."""


class StaleError(Conflict):
    """A document has changed since it was read."""


class SettingsInvalidError(UsageError):
    """Set the environment variables named above and start again."""


class SourceInvalidError(UsageError):
    """Correct the lines named above; `segue flows check` checks again."""


class NotFoundError(UsageError):
    """`segue runs` and `segue dead-letters` list what there is."""


class RedriveRefusedError(UsageError):
    """Nothing was changed."""
