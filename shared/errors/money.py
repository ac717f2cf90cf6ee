"""Why a model is not asked that costs money.

Everybody imports them from `shared.errors`, where the tree of all errors is drawn.
"""

from __future__ import annotations

from shared.errors.kinds import Permanent


class BudgetExceededError(Permanent):
    """The call could cost more than the budget has left, so it was not made.

    Raise the flow's `budget`, or say in `on_breach` what is to be tried, then redrive with --repin.
    """


class ShadowSkippedError(Permanent):
    """A shadow was not asked: it would have taken money or quota that runs may need.

    Raise the flow's `usd_per_day` or the model's quota, or shadow a smaller share of the runs.
    """


class PriceUnknownError(Permanent):
    """What the call can cost is not known, and the flow has a budget, so it was not made.

    Correct `prompts/prices.yaml` or the model's name, deploy, then redrive.
    """
