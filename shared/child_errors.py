"""What a step fails of whose child does not come to a good end.

Everybody imports them from `shared.errors`, where the tree of all errors is drawn.
"""

from __future__ import annotations

from shared.error_kinds import Permanent


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
