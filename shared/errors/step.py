"""What steps fail of that no stage works on: those that wait, open a child, or are agents.

Everybody imports them from `shared.errors`, where the tree of all errors is drawn.
"""

from __future__ import annotations

from shared.errors.kinds import Permanent


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


class AgentLimitError(Permanent):
    """The agent has reached one of its limits.

    Raise it in the step's `limits`, then redrive with --repin.
    """


class AgentTurnsError(AgentLimitError):
    """The agent has had as many turns as it may have.

    Raise `limits.turns` or change its prompt, then redrive with --repin.
    """


class AgentCallsError(AgentLimitError):
    """The agent asks for more calls of tools than it may make.

    Raise `limits.calls` or change its prompt, then redrive with --repin.
    """


class AgentRepeatsError(AgentLimitError):
    """The agent goes on asking for the same call, though it was told that this leads nowhere.

    Change its prompt or the tool's description, then redrive with --repin.
    """
