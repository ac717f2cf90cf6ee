"""The methods that read documents by name, and that list what exists.

Translates between requests and the database. Must not know how anything is stored or locked.
"""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from typing import Any

from emulator.embedded.firestore.databases import Databases
from emulator.embedded.firestore.model import Document, FieldPath
from emulator.embedded.firestore.rpc.consistency import present_only, selected
from emulator.embedded.firestore.rpc.wire import (
    document_message,
    document_path,
    fill_document,
    full_name,
    read_mask,
    split_document,
    split_parent,
)
from emulator.embedded.firestore.rpc.wire_values import set_time
from emulator.embedded.firestore.values import path_key
from emulator.embedded.messages import firestore_pb
from emulator.embedded.refusal import Refusal, Status, invalid, not_found

_PAGE = 300  # where the request does not say


class Reads:
    """Handlers by the method's name."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    async def get_document(self, request: Any, context: Any) -> Any:
        """Raises NOT_FOUND."""
        database, path = split_document(request.name)
        wanted = read_mask(request)
        store = self._databases.get(database)
        transaction, _ = selected(store, request)
        (document,) = await store.get([path], transaction)
        if document is None:
            raise not_found(f'Document "{request.name}" not found.')
        return document_message(database, document, wanted)

    async def batch_get_documents(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """One response for each document, in the order asked; duplicates are left out."""
        database = request.database
        store = self._databases.get(database)
        paths = list(dict.fromkeys(document_path(database, name) for name in request.documents))
        wanted = read_mask(request)
        transaction, begun = selected(store, request)
        documents = await store.get(paths, transaction)
        at = store.read_time(transaction)
        if begun and not paths:
            yield firestore_pb.BatchGetDocumentsResponse(transaction=begun)
        for path, document in zip(paths, documents, strict=True):
            response = firestore_pb.BatchGetDocumentsResponse(transaction=begun)
            begun = b""  # only the first tells
            if document is None:
                response.missing = full_name(database, path)
            else:
                fill_document(response.found, database, document, wanted)
            set_time(response.read_time, at)
            yield response

    async def list_documents(self, request: Any, context: Any) -> Any:
        """In name order, page by page; a page begins after the last name of the one before."""
        database, parent = split_parent(request.parent)
        wanted = read_mask(request)
        store = self._databases.get(database)
        present_only(request)
        if request.order_by not in {"", "__name__", "__name__ asc"}:
            raise Refusal(
                Status.UNIMPLEMENTED, "ListDocuments in another order than by name is not served."
            )
        found = store.database.list_documents(
            parent, request.collection_id or None, show_missing=request.show_missing
        )
        page, token = _page(found, _size(request), request.page_token)
        response = firestore_pb.ListDocumentsResponse(next_page_token=token)
        for one in page:
            _add(response, database, one, wanted)
        return response

    async def list_collection_ids(self, request: Any, context: Any) -> Any:
        """In order, page by page."""
        database, parent = split_parent(request.parent)
        present_only(request)
        store = self._databases.get(database)
        found = store.database.collection_ids(parent)
        page, token = _page(found, _size(request), request.page_token)
        return firestore_pb.ListCollectionIdsResponse(collection_ids=page, next_page_token=token)


def _add(
    response: Any, database: str, one: Document | str, wanted: Sequence[FieldPath] | None
) -> None:
    if isinstance(one, str):
        response.documents.add(name=full_name(database, one))
    else:
        fill_document(response.documents.add(), database, one, wanted)


def _size(request: Any) -> int:
    if request.page_size < 0:
        raise invalid("Page size must be nonnegative.")
    return int(request.page_size) or _PAGE


def _page(found: Sequence[Any], size: int, token: str) -> tuple[Sequence[Any], str]:
    """What follows the token, and the next token; `found` is in name order."""
    start = 0
    if token:
        try:
            last = path_key(b64decode(token, b"-_", validate=True).decode())
        except ValueError:
            raise invalid("Invalid page token.") from None
        start = bisect_right(found, last, key=lambda one: path_key(_name(one)))
    page = found[start : start + size]
    if len(found) <= start + size:
        return page, ""
    return page, urlsafe_b64encode(_name(page[-1]).encode()).decode()


def _name(one: Document | str) -> str:
    return one if isinstance(one, str) else one.path
