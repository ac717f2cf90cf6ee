"""Who has a share of a model's quota: a flow, or a key, as the quota says.

Pure. Keys are many, and what is counted of a window is one document: they have places in it.
"""

from __future__ import annotations

from shared.domain import ids
from shared.domain.expressions import Variables
from shared.domain.flow import Flow
from shared.domain.model_calls.quotas import OfKey, Quota
from shared.domain.starts.control import key_of

PLACES = 256  # keys that have the same place share what one has


def sharer_of(quota: Quota, flow: Flow, variables: Variables) -> str:
    """Names what a call is counted for, where its quota is shared. Raises ExpressionError."""
    if isinstance(quota.fair, OfKey):
        return _place(key_of("", quota.fair.key, variables).id)
    own = own_key(flow) if quota.fair == "key" else None
    return flow_sharer(flow) if own is None else _place(key_of(flow.flow, own, variables).id)


def flow_sharer(flow: Flow) -> str:
    """The share of a flow as a whole."""
    return ids.digest("flow", flow.flow, length=16)


def own_key(flow: Flow) -> str | None:
    """The expression by which the flow itself tells its runs apart, if it has one."""
    declared = (flow.lane, flow.rate, flow.debounce)
    return next((one.key for one in declared if one is not None and one.key is not None), None)


def _place(key: str) -> str:
    return f"key{int(ids.digest('place', key, length=8), 16) % PLACES}"
