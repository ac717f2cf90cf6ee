"""How the Firestore adapter behaves where answers are lost or the service refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions as google
from google.cloud.firestore import AsyncWriteBatch

from shared.adapters.firestore_store import FirestoreStore
from shared.errors import (
    AlreadyExistsError,
    RecordTooLargeError,
    StaleError,
    StoreUnavailableError,
)
from shared.ports import Create, Increment, Put, Update

if TYPE_CHECKING:
    from collections.abc import Callable

_commit = AsyncWriteBatch.commit


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Lets commits fail with the given errors in turn, after or instead of happening."""

    def arm(*errors: Exception, happens: bool) -> list[int]:
        left, sizes = list(errors), list[int]()

        async def commit(batch: AsyncWriteBatch, **options: Any) -> Any:
            sizes.append(len(batch))
            error = left.pop(0) if left else None
            if error is None:
                return await _commit(batch, **options)
            if happens:
                again = batch._write_pbs  # the client forgets them once it has the answer
                await _commit(batch, **options)
                batch._write_pbs = again
            raise error

        monkeypatch.setattr(AsyncWriteBatch, "commit", commit)
        return sizes

    return arm


async def test_a_lost_answer_to_a_create_is_met_as_already_existing(
    firestore: FirestoreStore, collection: str, spoil: Callable[..., list[int]]
) -> None:
    spoil(google.ServiceUnavailable("connection reset"), happens=True)
    with pytest.raises(AlreadyExistsError):
        await firestore.commit([Create(f"{collection}/a", {"owner": "me"})])
    found = await firestore.get(f"{collection}/a")
    assert found is not None
    assert found.data == {"owner": "me"}


async def test_a_lost_answer_never_counts_twice_beside_a_precondition(
    firestore: FirestoreStore, collection: str, spoil: Callable[..., list[int]]
) -> None:
    [first] = await firestore.commit([Create(f"{collection}/a", {"n": 1})])
    spoil(google.DeadlineExceeded("slow"), happens=True)
    with pytest.raises(StaleError):
        await firestore.commit(
            [
                Update(f"{collection}/a", {"n": 2}, first.revision),
                Increment(f"{collection}/count", {"n": 1}),
            ]
        )
    count = await firestore.get(f"{collection}/count")
    assert count is not None
    assert count.data == {"n": 1}


@pytest.mark.parametrize(
    "error",
    [
        google.ServiceUnavailable("down"),
        google.DeadlineExceeded("slow"),
        google.InternalServerError("oops"),
        google.Aborted("contention"),
        google.ResourceExhausted("Quota exceeded."),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_passing_failure_is_tried_again(
    firestore: FirestoreStore, collection: str, spoil: Callable[..., list[int]], error: Exception
) -> None:
    tries = spoil(error, happens=False)
    await firestore.commit([Create(f"{collection}/a", {})])
    assert tries == [1, 1]


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (
            google.ResourceExhausted("gRPC message exceeds maximum size 4194304: 5000000"),
            RecordTooLargeError,
        ),
        (google.InvalidArgument("Request payload size exceeds the limit"), RecordTooLargeError),
        (google.NotFound("The database (default) does not exist"), StoreUnavailableError),
        (google.PermissionDenied("Missing permissions"), StoreUnavailableError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.__name__,
)
async def test_a_lasting_failure_is_told_at_once(
    firestore: FirestoreStore,
    spoil: Callable[..., list[int]],
    error: Exception,
    meaning: type[Exception],
) -> None:
    tries = spoil(error, happens=False)
    with pytest.raises(meaning):
        await firestore.commit([Put("a/b", {})])
    assert len(tries) == 1


async def test_a_failure_that_lasts_ends_the_patience(
    firestore: FirestoreStore, spoil: Callable[..., list[int]]
) -> None:
    tries = spoil(*[google.ServiceUnavailable("down")] * 100, happens=False)
    with pytest.raises(StoreUnavailableError, match="down"):
        await FirestoreStore(firestore._client, patience=0.3).commit([Put("a/b", {})])
    assert 1 < len(tries) < 100
