"""What is wrong with data: of events, of steps, of a run, or too large to be stored.

Everybody imports them from `shared.errors`, where the tree of all errors is drawn.
"""

from __future__ import annotations

from shared.errors.kinds import Permanent


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


class RecordTooLargeError(Permanent):
    """A Firestore document would be larger than 1 MiB.

    Store less, or put the payload into Cloud Storage and store its URI.
    """


class StateInvalidError(Permanent):
    """The run's state could not be read or edited as the step's method asked.

    Correct the method, or give the state's model defaults for what older runs lack, then redrive.
    """


class CollectionUnknownError(Permanent):
    """A collection that is not declared.

    Declare it in `prompts/collections`, or correct its name, then redrive with --repin.
    """


class IndexMissingError(Permanent):
    """A search needs a vector index that the database does not have, or not for that many numbers.

    Declare it in `infra/indexes.yaml` and deploy, or create it as told above, then redrive.
    """


class PayloadMissingError(Permanent):
    """A payload that travelled by reference is no longer stored.

    It has outlived SEGUE_RETENTION_DAYS; publish the event again.
    """


class PayloadDamagedError(Permanent):
    """A payload that travelled by reference is not the one that was stored.

    Check who else writes to `blobs` or to the bucket; publish the event again.
    """
