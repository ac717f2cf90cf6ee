"""What every Objects guarantees, held by the double and by Cloud Storage's adapter."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from emulator.ports import HOST, free_port
from emulator.serving import serve
from shared.adapters import gcs_calls
from shared.adapters.gcs_objects import GcsObjects
from shared.delivery.blobs import PIECE_BYTES, Blobs
from shared.domain.records import blob_path
from shared.errors import ObjectsUnavailableError
from shared.runtime.settings import ROOT
from shared.testing.memory import MemoryStore
from shared.testing.memory_objects import MemoryObjects
from tests.contract.gcs_standin import Buckets, crc32c

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from shared.ports import Objects

# The answer to a download that the client gives up stays unread, and its socket open.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
BUCKET, NAME = "payloads", "2026-01-31/0a1b"
SMALL = os.urandom(1_000_000)
# Over 8 MiB the client opens a session first and sends the bytes with a second request.
SIZES = {"empty": b"", "small": SMALL, "large": SMALL * 9}


_UNUSED = """
import asyncio, sys
from shared.adapters.gcs_objects import GcsObjects
asyncio.run(GcsObjects("p").aclose())
print([name for name in sys.modules if name.startswith("google.cloud.")])
"""


@dataclass(frozen=True)
class Standin:
    """The stand-in for Cloud Storage, and what it holds."""

    url: str
    buckets: Buckets


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served() -> AsyncIterator[Standin]:
    buckets = Buckets()
    server = await serve(buckets.app())
    yield Standin(server.url, buckets)
    await server.stop()
    gc.collect()  # here, where the warning is ignored, and not during other tests


@pytest.fixture(autouse=True)
def buckets(served: Standin) -> Buckets:
    served.buckets.reset()
    return served.buckets


@pytest_asyncio.fixture(loop_scope="session")
async def gcs(served: Standin, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GcsObjects]:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", served.url)
    objects = GcsObjects("p", patience=2.0)
    yield objects
    await objects.aclose()


@pytest.fixture(params=["memory", "gcs"])
def objects(request: pytest.FixtureRequest) -> Objects:
    if request.param == "memory":
        return MemoryObjects()
    found: Objects = request.getfixturevalue("gcs")
    return found


# -- both -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_put_comes_back_whole(objects: Objects, size: str) -> None:
    await objects.put(BUCKET, NAME, SIZES[size])
    assert await objects.get(BUCKET, NAME) == SIZES[size]


@pytest.mark.parametrize("size", ["small", "large"])
async def test_an_object_that_is_there_is_left_as_it_is(objects: Objects, size: str) -> None:
    await objects.put(BUCKET, NAME, b"first")
    await objects.put(BUCKET, NAME, SIZES[size])
    assert await objects.get(BUCKET, NAME) == b"first"


async def test_what_is_not_there_is_none(objects: Objects) -> None:
    await objects.put(BUCKET, NAME, b"x")
    assert await objects.get(BUCKET, f"{NAME}2") is None


async def test_names_are_kept_apart(objects: Objects) -> None:
    for name in ("a", "b", "a/b", "a b?#é"):
        await objects.put(BUCKET, name, name.encode())
    for name in ("a", "b", "a/b", "a b?#é"):
        assert await objects.get(BUCKET, name) == name.encode()


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(objects: Objects) -> None:
    await objects.put(BUCKET, NAME, b"x")
    await objects.delete(BUCKET, NAME)
    assert await objects.get(BUCKET, NAME) is None
    await objects.delete(BUCKET, NAME)


async def test_many_may_be_put_at_once(objects: Objects) -> None:
    names = [f"{n}" for n in range(8)]
    await asyncio.gather(*(objects.put(BUCKET, name, name.encode()) for name in names))
    found = await asyncio.gather(*(objects.get(BUCKET, name) for name in names))
    assert found == [name.encode() for name in names]


async def test_a_large_blob_goes_there_and_back_and_away(objects: Objects) -> None:
    blobs = Blobs(MemoryStore(), objects, BUCKET)
    data = os.urandom(PIECE_BYTES + 1)
    expire_at = datetime(2026, 1, 31, tzinfo=UTC)
    blob_id = await blobs.put(data, expire_at)
    assert await blobs.put(data, expire_at) == blob_id
    assert await blobs.get(blob_id) == data
    assert await objects.get(BUCKET, f"2026-01-31/{blob_id}") == data
    head = await blobs.store.get(blob_path(blob_id))
    assert head is not None
    await blobs.delete(head)
    assert await objects.get(BUCKET, f"2026-01-31/{blob_id}") is None


# -- Cloud Storage's adapter -------------------------------------------------------------------


@pytest.mark.parametrize("fault", [429, 500, 503, "lost"])
@pytest.mark.parametrize("size", ["small", "large"])
async def test_a_failure_that_passes_is_waited_out(
    gcs: GcsObjects, buckets: Buckets, fault: int | str, size: str
) -> None:
    for call in (lambda: gcs.put(BUCKET, NAME, SIZES[size]), lambda: gcs.get(BUCKET, NAME)):
        buckets.faults = [fault]
        await call()
        assert buckets.faults == []
    assert buckets.objects == {(BUCKET, NAME): SIZES[size]}
    buckets.faults = [fault]
    await gcs.delete(BUCKET, NAME)
    assert buckets.objects == {}


async def test_a_download_that_breaks_off_goes_on_where_it_was(
    gcs: GcsObjects, buckets: Buckets
) -> None:
    await gcs.put(BUCKET, NAME, SMALL)
    buckets.faults = ["cut"]
    assert await gcs.get(BUCKET, NAME) == SMALL
    assert buckets.requests["GET"] == 2


CALLS: dict[str, Callable[[GcsObjects], object]] = {
    "put": lambda gcs: gcs.put(BUCKET, NAME, SMALL),
    "get": lambda gcs: gcs.get(BUCKET, NAME),
    "delete": lambda gcs: gcs.delete(BUCKET, NAME),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", [400, 403, 503])
async def test_what_does_not_pass_in_time_is_unavailable(
    served: Standin, buckets: Buckets, monkeypatch: pytest.MonkeyPatch, call: str, fault: int
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", served.url)
    hasty = GcsObjects("p", patience=0.1)
    buckets.faults = [fault] * 20
    with pytest.raises(ObjectsUnavailableError, match=f"gs://{BUCKET}/{NAME}.*{fault}"):
        await CALLS[call](hasty)  # type: ignore[misc]
    await hasty.aclose()


@pytest.mark.parametrize("call", CALLS)
async def test_a_server_that_does_not_answer_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://{HOST}:{free_port()}")
    hasty = GcsObjects("p", patience=0.1)
    with pytest.raises(ObjectsUnavailableError):
        await CALLS[call](hasty)  # type: ignore[misc]
    await hasty.aclose()


async def test_a_bucket_that_is_missing_is_no_missing_object(gcs: GcsObjects) -> None:
    with pytest.raises(ObjectsUnavailableError, match="bucket does not exist"):
        await gcs.put("nowhere", NAME, b"x")
    with pytest.raises(ObjectsUnavailableError, match="bucket does not exist"):
        await gcs.get("nowhere", NAME)
    await gcs.delete("nowhere", NAME)


@pytest.mark.parametrize("size", ["small", "large"])
async def test_who_may_only_create_puts_again_without_harm(
    gcs: GcsObjects, buckets: Buckets, size: str
) -> None:
    buckets.may_replace = False
    await gcs.put(BUCKET, NAME, b"first")
    await gcs.put(BUCKET, NAME, SIZES[size])
    assert buckets.objects == {(BUCKET, NAME): b"first"}
    with pytest.raises(ObjectsUnavailableError, match="delete"):
        await gcs.delete(BUCKET, NAME)


@pytest.mark.parametrize("size", SIZES)
async def test_the_service_is_told_the_sum_of_what_it_gets(
    gcs: GcsObjects, buckets: Buckets, size: str
) -> None:
    await gcs.put(BUCKET, NAME, SIZES[size])
    assert buckets.sums == {NAME: crc32c(SIZES[size])}


@pytest.mark.parametrize("may_replace", [True, False])
async def test_bytes_damaged_on_their_way_there_are_told(
    gcs: GcsObjects, buckets: Buckets, *, may_replace: bool
) -> None:
    """The client deletes them, if it may; that it may not does not make them sound."""
    buckets.may_replace = may_replace
    buckets.faults = [None, "damaged"]
    with pytest.raises(ObjectsUnavailableError):
        await gcs.put(BUCKET, NAME, SIZES["large"])


async def test_bytes_damaged_on_their_way_back_are_told(gcs: GcsObjects, buckets: Buckets) -> None:
    await gcs.put(BUCKET, NAME, SMALL)
    buckets.faults = ["garbled"]
    with pytest.raises(ObjectsUnavailableError, match="DataCorruption"):
        await gcs.get(BUCKET, NAME)


async def test_no_failure_tells_where_an_upload_could_be_continued(
    gcs: GcsObjects, buckets: Buckets
) -> None:
    buckets.faults = [None, 403]
    with pytest.raises(ObjectsUnavailableError) as caught:
        await gcs.put(BUCKET, NAME, SIZES["large"])
    assert "upload_id=…" in caught.value.detail


async def test_missing_credentials_are_unavailable_and_looked_for_again(
    served: Standin, buckets: Buckets, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", f"{tmp_path}/none.json")
    objects = GcsObjects("p")
    with pytest.raises(ObjectsUnavailableError, match=r"none\.json"):
        await objects.put(BUCKET, NAME, b"x")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", served.url)
    await objects.put(BUCKET, NAME, b"x")
    await objects.aclose()
    assert buckets.objects == {(BUCKET, NAME): b"x"}


def test_the_client_library_is_loaded_with_the_first_use_and_not_before() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _UNUSED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


async def test_every_request_is_bounded_in_time(
    gcs: GcsObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    await gcs.put(BUCKET, "other", b"x")
    session = gcs._calls._client._http  # type: ignore[union-attr]
    send = session.request

    def request(method: str, url: str, **options: object) -> object:
        asked.append(options["timeout"])
        return send(method, url, **options)

    monkeypatch.setattr(session, "request", request)
    for size, data in SIZES.items():
        await gcs.put(BUCKET, size, data)
    await gcs.get(BUCKET, "small")
    await gcs.delete(BUCKET, "small")
    assert set(asked) == {gcs_calls._ATTEMPT}
    assert len(asked) == 6
