"""What an agent fails of, beside what its turns and calls fail of.

Everybody imports them from `shared.errors`, where the tree of all errors is drawn.
"""

from __future__ import annotations

from shared.error_kinds import Permanent


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
