"""The versions a stage can serve: today's from the bundle, pinned ones from the store."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from shared.domain.records import flow_path
from shared.domain.version import FlowVersion
from shared.errors import VersionMissingError
from shared.ports import Delete
from shared.prompting import versions
from shared.prompting.library import Library
from shared.prompting.versions import FlowVersions
from shared.testing.memory import MemoryStore


def version_of(message: str, flow: str = "f") -> FlowVersion:
    step = {"action": "log.write", "with": {"message": message}}
    declared: dict[str, Any] = {"flow": flow, "on": {"event": "t"}, "steps": {"a": step}}
    return FlowVersion.model_validate({"flow": declared})


TODAY, YESTERDAY = version_of("today"), version_of("yesterday")


def served(store: MemoryStore, *versions: FlowVersion) -> FlowVersions:
    library = Library({version.flow.flow: version for version in versions}, {}, ())
    return FlowVersions(lambda: library, store)


async def test_todays_version_costs_no_read() -> None:
    store = MemoryStore()
    assert await served(store, TODAY).pinned("f", TODAY.version) is TODAY
    assert not store.reads


async def test_an_earlier_version_is_read_once_from_the_store() -> None:
    store = MemoryStore()
    await served(store, YESTERDAY).ensure_stored(YESTERDAY, stored_at="then")
    flows = served(store, TODAY)
    for _ in range(2):
        found = await flows.pinned("f", YESTERDAY.version)
        assert found == YESTERDAY
        assert found.version == YESTERDAY.version
    assert store.reads[flow_path(YESTERDAY.version)] == 1


async def test_a_version_nobody_has_is_missing() -> None:
    with pytest.raises(VersionMissingError, match="flow 'f', version 0000"):
        await served(MemoryStore(), TODAY).pinned("f", "0000")


async def test_a_flow_that_is_gone_is_still_served_to_its_runs() -> None:
    store = MemoryStore()
    await served(store, YESTERDAY).ensure_stored(YESTERDAY)
    assert await served(store).pinned("f", YESTERDAY.version) == YESTERDAY


async def test_a_version_is_stored_once_by_an_instance() -> None:
    store = MemoryStore()
    flows = served(store, TODAY)
    await flows.ensure_stored(TODAY, stored_at="now")
    await flows.ensure_stored(TODAY, stored_at="later")
    assert store.writes[flow_path(TODAY.version)] == 1
    assert store.documents[flow_path(TODAY.version)].data["stored_at"] == "now"


async def test_storing_what_another_instance_stored_is_harmless() -> None:
    store = MemoryStore()
    await served(store, TODAY).ensure_stored(TODAY, stored_at="first")
    await served(store, TODAY).ensure_stored(TODAY, stored_at="second")
    assert store.documents[flow_path(TODAY.version)].data["stored_at"] == "first"


async def test_what_was_stored_here_is_not_read_back() -> None:
    store = MemoryStore()
    flows = served(store)
    await flows.ensure_stored(YESTERDAY)
    await store.commit([Delete(flow_path(YESTERDAY.version))])
    assert await flows.pinned("f", YESTERDAY.version) is YESTERDAY


async def test_however_many_ask_at_once_a_version_is_read_once() -> None:
    store = MemoryStore()
    await served(store, YESTERDAY).ensure_stored(YESTERDAY)
    flows = served(store)
    found = await asyncio.gather(*(flows.pinned("f", YESTERDAY.version) for _ in range(5)))
    assert found == [YESTERDAY] * 5
    assert store.reads[flow_path(YESTERDAY.version)] == 1


async def test_who_waits_for_a_read_that_fails_does_not_wait_for_another() -> None:
    store = MemoryStore()
    flows = served(store)
    asked = [flows.pinned("f", YESTERDAY.version) for _ in range(5)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in found] == [VersionMissingError] * 5
    assert store.reads[flow_path(YESTERDAY.version)] == 1
    await served(store).ensure_stored(YESTERDAY)
    assert await flows.pinned("f", YESTERDAY.version) == YESTERDAY  # who asks later reads anew


async def test_who_waits_for_a_read_that_is_cut_off_reads_for_himself() -> None:
    store = MemoryStore()
    await served(store, YESTERDAY).ensure_stored(YESTERDAY)
    flows = served(store)
    first = asyncio.create_task(flows.pinned("f", YESTERDAY.version))
    second = asyncio.create_task(flows.pinned("f", YESTERDAY.version))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == YESTERDAY
    assert first.cancelled()


async def test_only_so_much_of_earlier_versions_is_held_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = len(json.dumps(version_of("0").declaration()))
    monkeypatch.setattr(versions, "_KEPT", 3 * one)
    store = MemoryStore()
    many = [version_of(str(number)) for number in range(4)]
    writer = served(store)
    for version in many:
        await writer.ensure_stored(version)
    flows = served(store)
    for version in [*many, many[-1], many[0]]:
        await flows.pinned("f", version.version)
    assert store.reads[flow_path(many[0].version)] == 2
    assert store.reads[flow_path(many[-1].version)] == 1


async def test_a_version_larger_than_all_that_is_held_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(versions, "_KEPT", 1)
    store = MemoryStore()
    await served(store).ensure_stored(YESTERDAY)
    flows = served(store)
    for _ in range(2):
        assert await flows.pinned("f", YESTERDAY.version) == YESTERDAY
    assert store.reads[flow_path(YESTERDAY.version)] == 1
