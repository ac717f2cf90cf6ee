"""Whether a collection holds what its documents' records say, and these never go back.

By what is stored alone; it must not know how a document is put.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from shared.testing.simulator.engine import Change, Fields

_DEPTH = 3  # slashes in the path of what is in a collection


def changed_document(_watch: object, change: Change) -> Iterator[tuple[str, str]]:
    """What is older than what is there changes nothing."""
    before, after = change.before, change.after
    if after is None:
        yield "collection", f"{change.path} was deleted"
    elif before is not None and _version(before) > _version(after):
        yield "collection", f"{change.path} goes back to {_version(after)}"


def _version(record: Fields) -> tuple[object, str]:
    return record["at"], record["digest"]


def broken_collections(documents: Mapping[str, Fields]) -> Iterator[str]:
    """What is wrong with the chunks of each, when all is quiet."""
    told: Counter[str] = Counter()
    there: dict[str, str] = {}
    for path, fields in documents.items():
        if path.startswith("collections/") and path.count("/") == _DEPTH:
            _, collection, kind, name = path.split("/")
            if kind == "documents":
                told.update(f"{collection}/{chunk}" for chunk in fields["chunks"])
            elif kind == "chunks":
                there[f"{collection}/{name}"] = fields["document"]
    for chunk in sorted(told.keys() | there.keys()):
        if told[chunk] != 1 or chunk not in there:
            of = there.get(chunk, "nothing")
            yield f"chunk {chunk} is of {of}, and in the records of {told[chunk]} documents"
