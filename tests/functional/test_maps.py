"""A step run for each item of a list: all items, in order, once, so many at a time."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.version import FlowVersion
from tests.functional import calls
from tests.functional.system import EVENT, System, flow, prompt


def mapped(foreach: str, *, value: str = "{{ item * 10 }}", more: str = "") -> FlowVersion:
    return flow(
        f"""
        each: {{foreach: {foreach}, call: test.echo, with: {{value: "{value}"}}{more}}}
        total: {{needs: each, call: test.echo, with: {{value: "{{{{ each | length }}}}"}}}}
        """,
        more="outputs: {each: '{{ each }}', total: '{{ total }}'}",
    )


FAILING = flow(
    """
    each:
      foreach: {in: event.data, tolerate: 2, max_parallel: 3}
      call: test.count
      with: {name: "i{{ item }}", value: "{{ item }}"}
    """,
    more="outputs: {each: '{{ each }}'}",
)
STRICT = flow(
    """
    each:
      foreach: {in: event.data, max_parallel: 2}
      call: test.count
      with: {name: "i{{ item }}", value: "{{ item }}"}
    after: {needs: each, call: test.echo, with: {value: "{{ each | sum }}"}}
    """,
    more="outputs: {sum: '{{ after }}'}",
)


async def started(version: FlowVersion, data: Any, **about: Any) -> System:
    system = System([version], **about)
    await system.start(data)
    return system


def under_way(system: System) -> int:
    return len([one for one in system.pipeline.collect() if one.stage in {"compose", "act"}])


def sent(system: System) -> list[str]:
    """The items sent, as often as they were."""
    steps = [m.attributes.get("segue-step", "") for _, _, m in system.world.messages.published]
    return [step for step in steps if "[" in step]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [0, 1, 2, 7, 130])
async def test_outputs_come_in_the_order_of_the_items(size: int, seed: int):
    system = await started(mapped("event.data"), list(range(size)), seed=seed)
    report = await system.report()
    assert report["status"] == "succeeded"
    assert report["outputs"] == {"each": [n * 10 for n in range(size)], "total": size}
    assert sorted(sent(system)) == sorted(f"each[{n}]" for n in range(size))


async def test_no_more_than_so_many_items_are_under_way_at_once():
    system = System([mapped("{in: event.data, max_parallel: 3}")])
    await system.publish(EVENT, list(range(10)))
    await system.pipeline.step("route")
    most = 0
    while under_way(system):
        most = max(most, under_way(system))
        await system.pipeline.step()
    assert most == 3
    assert (await system.report())["outputs"]["each"] == [n * 10 for n in range(10)]


async def test_prompts_see_their_item_and_its_index():
    version = flow(
        """
        say: {foreach: event.data.names, prompt: greet, with: {greeting: "{{ event.data.hi }}"}}
        """,
        prompt("greet", "{{ greeting }} {{ item.name }} {{ index }}"),
        more="outputs: {said: \"{{ say | map(attribute='text') | list }}\"}",
    )
    data = {"hi": "Hello", "names": [{"name": "Ada"}, {"name": "Bob"}]}
    system = await started(version, data)
    assert (await system.report())["outputs"] == {
        "said": ["say[0](Hello Ada 0)", "say[1](Hello Bob 1)"]
    }
    assert len(system.model.calls) == 2


async def test_actions_run_for_each_item_with_a_key_of_their_own():
    version = flow(
        """
        post:
          foreach: event.data
          action: http.request
          with: {url: "https://example.com/{{ item }}"}
        """
    )
    system = await started(version, ["a", "b", "c"])
    performed = system.effects.performed
    assert sorted(str(action.url) for _, action in performed) == [
        f"https://example.com/{name}" for name in "abc"
    ]
    assert len({key for key, _ in performed}) == 3


async def test_a_condition_is_decided_once_and_before():
    version = mapped("event.data.items", more=", when: event.data.go")
    system = await started(version, {"go": False, "items": [1]})
    report = await system.report()
    assert report["steps"]["each"]["status"] == "skipped"
    assert report["outputs"] == {"each": None, "total": None}
    assert sent(system) == []


async def test_maps_follow_each_other_and_join():
    version = flow(
        """
        ones: {foreach: range(5), call: test.echo, with: {value: "{{ item }}"}}
        twos: {needs: ones, foreach: ones, call: test.echo, with: {value: "{{ item * 2 + index }}"}}
        no: {foreach: "[]", call: test.echo}
        all: {needs: [ones, twos, no], call: test.echo, with: {value: "{{ ones + twos + no }}"}}
        """,
        more="outputs: {all: '{{ all }}'}",
    )
    system = await started(version, None)
    assert (await system.report())["outputs"] == {"all": [0, 1, 2, 3, 4, 0, 3, 6, 9, 12]}


async def test_a_run_may_end_with_a_map_or_be_nothing_else():
    version = flow("each: {foreach: event.data, call: test.echo, with: {value: '{{ item }}'}}")
    for data in ([1, 2], []):
        system = await started(version, data)
        assert (await system.report())["steps"]["each"]["output"] == data
        assert (await system.report())["status"] == "succeeded"


# -- what it costs ------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "parallel"), [(1, 100), (40, 100), (40, 7), (250, 100)])
async def test_a_map_of_n_items_costs_two_writes_an_item_and_four(size: int, parallel: int):
    version = flow(
        f"each: {{foreach: {{in: event.data, max_parallel: {parallel}}}, call: test.echo}}"
    )
    system = await started(version, [0])
    system.world.documents.reset_counts()
    await system.start(list(range(size)))
    store = system.world.documents
    opening = 2  # the event and the run
    assert store.writes.total() == opening + 2 * size + 3  # begun, collected, the run's end
    assert store.writes.total() - opening <= 2 * size + 4
    # Only items that no other follows ask how many have ended.
    assert store.counts.total() == min(size, parallel)


async def test_hundreds_of_items_make_no_document_hot():
    version = mapped("{in: range(300), max_parallel: 300}", value="{{ item }}")
    system = System([version])
    await system.publish(EVENT, None)
    await system.run(most=1500)
    assert (await system.report())["outputs"]["total"] == 300
    writes = system.world.documents.writes
    assert max(writes.values()) == 2


async def test_messages_carry_what_their_item_needs_and_no_more():
    version = flow(
        """
        each: {foreach: event.data.items, call: test.echo, with: {value: "{{ item }}"}}
        after: {needs: each, call: test.echo, with: {value: "{{ event.data.big }}"}}
        """
    )
    system = System([version])
    await system.publish(EVENT, {"items": list(range(50)), "big": "x" * 100_000})
    await system.pipeline.step("route")
    sizes = [len(one.message.data) for one in system.pipeline.collect()]
    assert len(sizes) == 50
    assert max(sizes) < 2000
    await system.run()
    assert (await system.report())["status"] == "succeeded"


async def test_an_item_too_large_to_ride_along_is_read_from_the_record():
    version = mapped("event.data", value="{{ item | length }}")
    system = await started(version, ["x" * 300_000, "y", "z" * 280_000])
    assert (await system.report())["outputs"]["each"] == [300_000, 1, 280_000]


# -- what is seen of it -------------------------------------------------------------------------


async def test_the_report_shows_items_in_order_with_a_summary():
    calls.BROKEN.add("i1")
    system = await started(FAILING, list(range(12)))
    each = (await system.report())["steps"]["each"]
    assert each["summary"] == {"size": 12, "succeeded": 11, "failed": 1}
    assert [item["index"] for item in each["items"]] == list(range(12))
    assert [item["status"] for item in each["items"][:3]] == ["succeeded", "failed", "succeeded"]
    assert each["items"][1]["error"]["code"] == "ActionFailed"
    assert each["items"][11]["attempts"] == 1


async def test_the_report_of_a_map_under_way_tells_how_far_it_is():
    system = System([STRICT])
    await system.publish(EVENT, list(range(5)))
    await system.pipeline.step("route")
    await system.pipeline.step("act")
    each = (await system.report())["steps"]["each"]
    assert each["status"] == "running"
    assert each["summary"] == {"size": 5, "succeeded": 1, "pending": 4}


async def test_the_cost_of_items_is_part_of_the_runs_totals():
    version = flow("each: {foreach: range(4), prompt: say, with: {text: '{{ item }}'}}")
    system = await started(version, None)
    report = await system.report()
    assert report["totals"]["llm_calls"] == 4
    assert report["steps"]["each"]["llm_calls"] == 4
    assert report["totals"]["tokens"] == report["steps"]["each"]["tokens"]


async def test_an_expired_run_is_deleted_with_all_its_items():
    system = await started(mapped("range(900)"), None)
    system.world.clock.advance(31 * 86_400)
    await system.send("sweep", b"", {})
    await system.run()
    assert [path for path in system.world.documents.documents if path.startswith("runs/")] == []
