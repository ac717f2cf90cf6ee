"""What steps fail of that no stage works on: those that wait, and those that open a child.

Everybody imports them from `shared.errors`, where the tree of all errors is drawn.
"""

from __future__ import annotations

from shared.error_kinds import Permanent


class WaitInvalidError(Permanent):
    """A step cannot wait for what its `wait` gives.

    Correct the template, then redrive with --repin.
    """


class WaitTimeoutError(Permanent):
    """Nothing came that the step waited for.

    Say what is to happen then (`on_timeout`), or redrive the dead letter to wait once more.
    """


class ApprovalRejectedError(Permanent):
    """It was rejected; provide for that (`on_error`), or redrive the letter to ask once more."""


class ChildFailedError(Permanent):
    """The run that the step waited for has failed.

    Remove the cause, then redrive: the run above or the child, each takes the other along.
    """


class ChildCancelledError(Permanent):
    """The run that the step waited for was cancelled.

    A redrive opens another one.
    """


class ChildMissingError(Permanent):
    """The flow that the step opens is not deployed.

    Deploy it, or correct the step, then redrive with --repin.
    """


class ChildNestedError(Permanent):
    """Too many runs wait for each other.

    Correct the flows, which open each other without end, then redrive with --repin.
    """
