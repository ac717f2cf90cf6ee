"""Runs operations on one engine and answers in a form that two engines can be compared by."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from google.api_core.exceptions import GoogleAPICallError
from google.cloud.firestore import (
    DELETE_FIELD,
    ArrayRemove,
    ArrayUnion,
    Client,
    Increment,
    Maximum,
    Minimum,
)
from google.cloud.firestore_v1.base_query import And, FieldFilter, Or

from tests.conformance.firestore.operations import Ask, Commit, Get, Operation, Transform, Write

_TRANSFORMS = {
    "increment": Increment,
    "maximum": Maximum,
    "minimum": Minimum,
    "union": lambda items: ArrayUnion(list(items)),
    "remove": lambda items: ArrayRemove(list(items)),
    "absent": lambda _: DELETE_FIELD,
}


class Replay:
    """One engine, one collection of it. Times are numbered as they appear for the first time."""

    def __init__(self, client: Client, room: str) -> None:
        self._client = client
        self._things = client.collection(room)
        self._group = f"{room}-sub"  # other rooms have groups of their own
        self._times: dict[datetime, int] = {}

    def run(self, operation: Operation) -> Any:
        """What the engine answers: plain values, or the name of the error."""
        try:
            return self._answer(operation)
        except GoogleAPICallError as error:
            return type(error).__name__
        except ValueError:  # the client itself refuses, for both engines alike
            return "refused by the client"

    def _answer(self, operation: Operation) -> Any:
        match operation:
            case Commit():
                return self._commit(operation)
            case Get():
                return self._get(operation)
            case Ask():
                return self._ask(operation)
        listed = sorted(each.id for each in self._things.list_documents())
        return listed, [each.id for each in self._things.document("a").collections()]

    def _document(self, name: str) -> Any:
        return self._things.document(name.replace("/sub/", f"/{self._group}/"))

    def _commit(self, commit: Commit) -> Any:
        batch = self._client.batch()
        for write in commit.writes:
            self._add(batch, write)
        results = batch.commit()
        assert all(
            each.update_time is None or each.update_time <= batch.commit_time for each in results
        )
        return [self._state(write.document) for write in commit.writes]

    def _add(self, batch: Any, write: Write) -> None:
        document = self._document(write.document)
        fields = {name: _sent(value) for name, value in write.fields}
        option = self._option(write)
        match write.kind:
            case "set":
                batch.set(document, fields)
            case "merge":
                batch.set(document, fields, merge=True)
            case "update":
                batch.update(document, fields, option=option)
            case "create":
                batch.create(document, fields)
            case "delete":
                batch.delete(document, option=option)

    def _option(self, write: Write) -> Any:
        if write.revision is None:
            return None
        found = self._document(write.document).get()
        if not found.exists:
            return None
        earlier = timedelta() if write.revision else timedelta(seconds=1)
        return self._client.write_option(last_update_time=found.update_time - earlier)

    def _state(self, name: str) -> Any:
        found = self._document(name).get()
        if not found.exists:
            return None
        times = self._number(found.create_time), self._number(found.update_time)
        return _shown(found.to_dict()), times

    def _number(self, time: datetime) -> int:
        return self._times.setdefault(time, len(self._times))

    def _get(self, get: Get) -> Any:
        wanted = [self._document(name) for name in get.documents]
        found = self._client.get_all(wanted, field_paths=get.mask)
        return sorted((each.id, _shown(each.to_dict())) for each in found)

    def _ask(self, ask: Ask) -> Any:
        query: Any = self._client.collection_group(self._group) if ask.group else self._things
        if ask.where is not None:
            query = query.where(filter=_filter(ask.where))
        for field, descending in ask.order:
            query = query.order_by(field, direction="DESCENDING" if descending else "ASCENDING")
        for bound, values in ask.cursors:
            names = [field for field, _ in ask.order]
            query = getattr(query, bound)(dict(zip(names, values, strict=False)))
        query = query.offset(ask.offset) if ask.offset else query
        query = query.limit(ask.limit) if ask.limit is not None else query
        if ask.aggregate:
            return self._aggregated(query)
        query = query.select(ask.select) if ask.select is not None else query
        return [(each.reference.path, _shown(each.to_dict())) for each in query.stream()]

    def _aggregated(self, query: Any) -> Any:
        [row] = query.count(alias="c").sum("n", alias="s").avg("n", alias="a").get()
        return sorted((each.alias, _rounded(each.value)) for each in row)


def _sent(value: Any) -> Any:
    if isinstance(value, Transform):
        return _TRANSFORMS[value.kind](value.operand)
    return value


def _filter(where: Any) -> Any:
    if where[0] in {"and", "or"} and isinstance(where[1], list):
        combine = And if where[0] == "and" else Or
        return combine([_filter(one) for one in where[1]])
    field, operator, value = where
    return FieldFilter(field, operator, value)


def _shown(value: Any) -> Any:
    """The value with its type: 1 and 1.0 are told apart, NaN equals itself."""
    match value:
        case dict():
            return {name: _shown(inner) for name, inner in value.items()}
        case list():
            return [_shown(inner) for inner in value]
        case float():
            return repr(value)
    return value if value is None else (type(value).__name__, value)


def _rounded(value: Any) -> Any:
    return repr(value) if math.isnan(value) or math.isinf(value) else round(value, 9)
