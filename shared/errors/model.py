"""Why there is no answer of a model that could be used.

Everybody imports them from `shared.errors`, where the tree of all errors is drawn.
"""

from __future__ import annotations

from shared.errors.kinds import Permanent, Transient


class ModelBusyError(Transient):
    """The model kept answering 429 or 503 until the step's time was nearly over.

    It is tried again on redelivery; raise the model's quota or lower the stage's concurrency.
    """


class ModelUnreachableError(Transient):
    """The model could not be reached, or broke off or failed while answering; it is tried again."""


class ModelMalformedError(Transient):
    """The model's HTTP answer was not JSON; it is tried again."""


class ModelCallMalformedError(Transient):
    """The model asked for a tool in a form that cannot be read; it is asked again.

    If it happens every time, make the tool's parameters and the prompt simpler.
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
