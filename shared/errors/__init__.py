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
│   ├── ModelCallMalformedError
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
│   ├── CollectionUnknownError
│   ├── IndexMissingError
│   ├── PayloadMissingError
│   ├── PayloadDamagedError
│   ├── ModelRefusedError
│   ├── ModelTruncatedError
│   ├── ModelEmptyError
│   ├── ModelRequestError
│   ├── BudgetExceededError
│   ├── PriceUnknownError
│   ├── ShadowSkippedError
│   ├── OutputInvalidError
│   ├── ToolError                what an agent's model is told of a call of a tool
│   │   ├── ToolUnknownError
│   │   ├── ToolArgumentsError
│   │   ├── ToolFailedError
│   │   │   ├── ToolRefusal
│   │   │   └── ToolUnreachableError
│   │   ├── ToolResultError
│   │   ├── ToolTimeoutError
│   │   ├── ToolRepeatedError
│   │   └── ToolRejectedError
│   ├── ActionInvalidError
│   ├── ActionFailedError
│   ├── AgentLimitError
│   │   ├── AgentTurnsError
│   │   ├── AgentCallsError
│   │   └── AgentRepeatsError
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
    ├── ToolDeclarationError
    └── RedriveRefusedError

A class's docstring is its message: what happened, and the remedy.
"""

from __future__ import annotations

from shared.errors.data import (
    CollectionUnknownError,
    EventInvalidError,
    EventTooLargeError,
    ExpressionError,
    IndexMissingError,
    InputInvalidError,
    MapInvalidError,
    OutputTooLargeError,
    PayloadDamagedError,
    PayloadMissingError,
    PromptInputInvalidError,
    RecordTooLargeError,
    StateInvalidError,
    TemplateError,
)
from shared.errors.kinds import (
    CloudError,
    Conflict,
    Permanent,
    RefusedError,
    SegueError,
    Transient,
    UsageError,
)
from shared.errors.model import (
    ModelBusyError,
    ModelCallMalformedError,
    ModelEmptyError,
    ModelMalformedError,
    ModelRefusedError,
    ModelRequestError,
    ModelTruncatedError,
    ModelUnreachableError,
)
from shared.errors.money import BudgetExceededError, PriceUnknownError, ShadowSkippedError
from shared.errors.step import (
    AgentCallsError,
    AgentLimitError,
    AgentRepeatsError,
    AgentTurnsError,
    ApprovalRejectedError,
    ChildCancelledError,
    ChildFailedError,
    ChildMissingError,
    ChildNestedError,
    WaitInvalidError,
    WaitTimeoutError,
)
from shared.errors.tool import (
    ToolArgumentsError,
    ToolDeclarationError,
    ToolError,
    ToolFailedError,
    ToolRefusal,
    ToolRejectedError,
    ToolRepeatedError,
    ToolResultError,
    ToolTimeoutError,
    ToolUnknownError,
    ToolUnreachableError,
)

__all__ = [
    "AgentCallsError",
    "AgentLimitError",
    "AgentRepeatsError",
    "AgentTurnsError",
    "ApprovalRejectedError",
    "BudgetExceededError",
    "ChildCancelledError",
    "ChildFailedError",
    "ChildMissingError",
    "ChildNestedError",
    "CloudError",
    "CollectionUnknownError",
    "Conflict",
    "EventInvalidError",
    "EventTooLargeError",
    "ExpressionError",
    "IndexMissingError",
    "InputInvalidError",
    "MapInvalidError",
    "ModelBusyError",
    "ModelCallMalformedError",
    "ModelEmptyError",
    "ModelMalformedError",
    "ModelRefusedError",
    "ModelRequestError",
    "ModelTruncatedError",
    "ModelUnreachableError",
    "OutputTooLargeError",
    "PayloadDamagedError",
    "PayloadMissingError",
    "Permanent",
    "PriceUnknownError",
    "PromptInputInvalidError",
    "RecordTooLargeError",
    "RefusedError",
    "SegueError",
    "ShadowSkippedError",
    "StateInvalidError",
    "TemplateError",
    "ToolArgumentsError",
    "ToolDeclarationError",
    "ToolError",
    "ToolFailedError",
    "ToolRefusal",
    "ToolRejectedError",
    "ToolRepeatedError",
    "ToolResultError",
    "ToolTimeoutError",
    "ToolUnknownError",
    "ToolUnreachableError",
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


class VersionMissingError(Permanent):
    """The run is pinned to a flow version that is neither bundled nor stored.

    Restore the document under `flows/`, or redrive with --repin to move the run to today's version.
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
