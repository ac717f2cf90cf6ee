"""Which state of the database a request reads: the present, or a transaction's.

Decides what a consistency selector means. Must not know what is read.
"""

from __future__ import annotations

from typing import Any

from emulator.embedded.firestore.locking_database import LockingDatabase
from emulator.embedded.firestore.transactions import Mode, Transaction
from emulator.embedded.refusal import Refusal, Status, invalid

_MODES = {0: None, 1: Mode.OPTIMISTIC, 2: Mode.PESSIMISTIC}


def begin(store: LockingDatabase, options: Any, *, read_only: bool = False) -> Transaction:
    """A transaction as TransactionOptions ask for it; `read_only` is what unset options mean."""
    mode = options.WhichOneof("mode") or ("read_only" if read_only else "read_write")
    if mode == "read_write":
        wanted = options.read_write
        if wanted.concurrency_mode not in _MODES:
            raise invalid("Unrecognized concurrency mode.")
        return store.transactions.begin(
            _MODES[wanted.concurrency_mode], retry=wanted.retry_transaction
        )
    if options.read_only.HasField("read_time"):
        raise _no_past()
    return store.transactions.begin_read_only(store.database.time())


def selected(store: LockingDatabase, request: Any) -> tuple[Transaction | None, bytes]:
    """The transaction to read in, and its id where the request is what begins it."""
    match request.WhichOneof("consistency_selector"):
        case "transaction":
            return store.transactions.find(request.transaction), b""
        case "new_transaction":
            begun = begin(store, request.new_transaction, read_only=True)
            return begun, begun.id
        case "read_time":
            raise _no_past()
    return None, b""


def present_only(request: Any) -> None:
    """Raises UNIMPLEMENTED where the request selects anything else. For methods that list."""
    if request.HasField("read_time"):
        raise _no_past()
    if getattr(request, "transaction", b""):
        raise Refusal(Status.UNIMPLEMENTED, "Listing in a transaction is not served.")


def _no_past() -> Refusal:
    return Refusal(Status.UNIMPLEMENTED, "Reading at a time in the past (read_time) is not served.")
