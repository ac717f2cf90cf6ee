"""The documents of a database in memory, by path, by collection and by collection group.

Decides their order and who hears of a change. Must not know commits, queries or storage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeAlias

from emulator.embedded.firestore.model import Document
from emulator.embedded.firestore.paths import collection_id, collection_of
from emulator.embedded.firestore.snapshot import Snapshot
from emulator.embedded.firestore.sorted_paths import SortedPaths

Subscriber: TypeAlias = Callable[[Document | None, Document | None], None]


class View(Protocol):
    """What can be read, now (`Documents`) or as of a moment (`Snapshot`)."""

    def get(self, path: str) -> Document | None: ...

    def collection(self, path: str) -> Sequence[str]: ...

    def in_group(self, group: str | None, under: str = "") -> Iterator[Document]: ...


class Documents:
    """Orders are built at their first use and kept up to date from then on."""

    def __init__(self) -> None:
        self._documents: dict[str, Document] = {}
        # Of every collection and document: how many documents each child holds or is.
        self._tree: dict[str, dict[str, int]] = {}
        self._collections: dict[str, SortedPaths] = {}
        self._groups: dict[str | None, SortedPaths] = {}
        self._subscribers: list[Subscriber] = []

    def __len__(self) -> int:
        return len(self._documents)

    def __iter__(self) -> Iterator[Document]:
        """In no order that means anything; nothing may be changed meanwhile."""
        return iter(self._documents.values())

    def get(self, path: str) -> Document | None:
        return self._documents.get(path)

    def put(self, document: Document) -> None:
        """Adds or replaces the document and tells the subscribers."""
        path = document.path
        before = self._documents.get(path)
        self._documents[path] = document
        if before is None:
            self._count(path, 1)
            for order in self._orders(path):
                order.add(path)
        self._tell(before, document)

    def remove(self, path: str) -> None:
        """Removes the document, where there is one, and tells the subscribers."""
        before = self._documents.pop(path, None)
        if before is None:
            return
        self._count(path, -1)
        for order in self._orders(path):
            order.discard(path)
        if collection_of(path) not in self._tree:
            self._collections.pop(collection_of(path), None)
        self._tell(before, None)

    def clear(self) -> None:
        """Removes all; the subscribers are told of each."""
        self._collections.clear()
        self._groups.clear()
        for path in list(self._documents):
            self.remove(path)

    def collection(self, path: str) -> Sequence[str]:
        """The paths of the collection's documents in name order.

        The sequence is alive: copy it before changing documents.
        """
        order = self._collections.get(path)
        if order is None:
            candidates = (f"{path}/{one}" for one in self._tree.get(path, ()))
            order = SortedPaths(one for one in candidates if one in self._documents)
            if order.paths:
                self._collections[path] = order
        return order.paths

    def in_group(self, group: str | None, under: str = "") -> Iterator[Document]:
        """The documents of all collections with that id (None: any) below a document, by name."""
        order = self._groups.get(group)
        if order is None:
            members = (one for one in self._documents if group in {None, collection_id(one)})
            order = self._groups[group] = SortedPaths(members)
        return (self._documents[path] for path in order.below(under))

    def collection_ids(self, parent: str) -> list[str]:
        """The ids of collections below a document (or the root, "") with anything in them."""
        return sorted(self._tree.get(parent, ()))

    def missing(self, collection: str) -> list[str]:
        """The paths in a collection that are no documents, but have some below them; no order."""
        candidates = (f"{collection}/{one}" for one in self._tree.get(collection, ()))
        return [path for path in candidates if path not in self._documents]

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Calls `subscriber(before, after)` after each put and remove; returns how to stop it."""
        self._subscribers.append(subscriber)

        def stop() -> None:
            self._subscribers = [one for one in self._subscribers if one is not subscriber]

        return stop

    def snapshot(self) -> Snapshot:
        """The documents as they are now; it costs little, and nothing once it is dropped."""
        return Snapshot(self)

    def _orders(self, path: str) -> Iterator[SortedPaths]:
        collection = self._collections.get(collection_of(path))
        if collection is not None:
            yield collection
        if self._groups:
            for group in (collection_id(path), None):
                order = self._groups.get(group)
                if order is not None:
                    yield order

    def _count(self, path: str, by: int) -> None:
        for parent, child in _steps(path):
            children = self._tree.setdefault(parent, {})
            children[child] = children.get(child, 0) + by
            if not children[child]:
                del children[child]
                if not children:
                    del self._tree[parent]

    def _tell(self, before: Document | None, after: Document | None) -> None:
        for subscriber in self._subscribers:
            subscriber(before, after)


def _steps(path: str) -> Iterator[tuple[str, str]]:
    """("", "a"), ("a", "b"), ("a/b", "c"), ... for `a/b/c/...`."""
    parent = ""
    for child in path.split("/"):
        yield parent, child
        parent = f"{parent}/{child}" if parent else child
