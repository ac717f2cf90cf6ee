"""What goes wrong with a call of a tool; an agent's model is told, as data.

Everybody imports them from `shared.errors`, where the tree of all errors is drawn.
"""

from __future__ import annotations

from shared.errors.kinds import Permanent, UsageError


class ToolError(Permanent):
    """A call of a tool came to nothing."""


class ToolUnknownError(ToolError):
    """There is no such tool.

    `segue tools list` shows what there is; correct the prompt, or deploy the tool.
    """


class ToolArgumentsError(ToolError):
    """The arguments do not fit the tool's parameters.

    `segue tools show` lists them. Correct the prompt where models get them wrong again and again.
    """


class ToolFailedError(ToolError):
    """The tool was called and failed.

    Correct what it complains of, then redrive the dead letter.
    """


class ToolRefusal(ToolFailedError):
    """The tool did not do what was asked, and says why: its authors raise this for the model.

    Change the prompt where models ask for it again and again.
    """


class ToolUnreachableError(ToolFailedError):
    """The server that has the tool cannot be reached; nothing was sent.

    Check its entry in `prompts/tools/servers.yaml`, then redrive the dead letter.
    """


class ToolResultError(ToolError):
    """The tool returned what its result's annotation does not allow.

    Correct the tool, then redrive the dead letter. What it did was done.
    """


class ToolTimeoutError(ToolError):
    """The tool took longer than it may; whether it has done something is not known.

    Raise the tool's `timeout` in the step, or make the tool quicker.
    """


class ToolRepeatedError(ToolError):
    """The same was asked for again and again, and is not done once more.

    Change the prompt or the tool's description; `limits.repeats` says how often it may be.
    """


class ToolRejectedError(ToolError):
    """A person did not want the call to be made.

    `segue show RUN` tells who; redrive the run where that was a mistake and it has failed of it.
    """


class ToolDeclarationError(UsageError):
    """Correct the function named above."""
