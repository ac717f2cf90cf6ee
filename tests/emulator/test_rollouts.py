"""A canary in real processes: the choice is sticky, outcomes count, and the label moves."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from shared.domain.prompts.refs import PromptRef
from shared.domain.rollouts.outcomes import OutcomeRecord, outcome_path
from shared.domain.rollouts.shadows import ComparisonRecord, comparison_path
from shared.prompting.prompt_file import read_prompt
from shared.prompting.pushing import By, PromptChanges
from shared.prompting.registry import StoredPrompts
from tests.emulator.harness import TEMPLATES, Harness


async def test_a_canary_is_sticky_counted_and_promoted_without_a_deployment(
    system: Harness,
) -> None:
    store, by = system.deps.store, By("ada", datetime.now(UTC))
    soft = read_prompt(
        "test/rolled", TEMPLATES["test/rolled"].replace("{{", "Loud {{"), "rolled.md.j2", {}
    )
    pushed = await PromptChanges(store).push(soft, by, label="staging")
    tried: list[str] = []

    async def seen() -> bool | None:
        """Whether `route` has learnt of the label: some get the candidate then."""
        event = await system.publish("test.rolled", {"user": f"early {len(tried)}"})
        tried.append((await system.only_run(event))["variants"]["rolled"])
        return tried[-1] == "staging" or None

    await system.eventually(seen, "the label")
    users = [*range(8), *range(8)]
    events = [await system.publish("test.rolled", {"user": user}) for user in users]
    by_user: dict[int, set[str]] = {}
    runs = await asyncio.gather(*map(system.only_run, events))
    for user, run in zip(users, runs, strict=True):
        variant = run["steps"]["say"]["prompt"]["variant"]
        assert run["variants"] == {"rolled": variant}
        by_user.setdefault(user, set()).add(variant)
    assert {len(variants) for variants in by_user.values()} == {1}
    for run in runs:
        liked = run["variants"]["rolled"] == "staging"
        told = {"run": run["run_id"], "name": "liked", "value": liked}
        await system.publish("outcome.recorded", told)

    async def promoted() -> Any:
        return await StoredPrompts(store).pushed(PromptRef("test/rolled", "production"))

    production = await system.eventually(promoted, "the promotion")
    assert production.number == pushed.version.number
    code, text, _ = await system.segue("prompts", "stats", "test/rolled", "--json")
    groups = {group["variant"]: group for group in json.loads(text)["groups"]}
    assert (code, sum(group["runs"] for group in groups.values())) == (0, 16 + len(tried))
    assert groups["staging"]["outcomes"]["liked"]["value"] == 1

    async def judged() -> OutcomeRecord | None:
        """What the judge said of one of the half that it judges."""
        said = await store.get_many([outcome_path(run["run_id"], "helpful") for run in runs])
        return next((OutcomeRecord.of(one.data) for one in said if one is not None), None)

    said = await system.eventually(judged, "the judge")
    assert (said.value, str(said.by).startswith("rolled-judge-helpful-")) == (0.9, True)


async def test_the_flow_in_code_runs_beside_the_agent_and_comes_to_the_same(
    system: Harness,
) -> None:
    ill = {"provider_id": "T001", "date": "2025-11-21", "reason": "sick"}
    run = await system.only_run(await system.publish("provider.unavailable", ill))
    path = comparison_path("reassign-twin", run["run_id"])

    async def compared() -> ComparisonRecord | None:
        found = await system.store.get(path)
        return ComparisonRecord.of(found.data) if found and not found.data["open"] else None

    found = await system.eventually(compared, "the comparison")
    assert found.candidate.error is None
    assert found.candidate.output["total_affected"] == run["outputs"]["total_affected"] == 3
    twin = await system.store.get(f"runs/{found.shadow_run}")
    assert twin is not None
    assert (twin.data["shadow_of"], twin.data["status"]) == (run["run_id"], "succeeded")
    code, told, _ = await system.segue("rollouts", "show", "reassign-twin", "--json")
    assert (code, json.loads(told)["comparisons"]["compared"] >= 1) == (0, True)
