"""What ships under `prompts/` is sound: every flow, every prompt, every price."""

from __future__ import annotations

import pytest
import yaml

import functions.act.calls  # registers the functions that flows call
import functions.act.flows  # noqa: F401 - the same
from shared.calls import registered_names
from shared.domain.step import RetrieveStep
from shared.prompting.cases import read_cases
from shared.prompting.fitting import with_inputs
from shared.prompting.library import Library, read_flow, read_library, read_prices
from shared.prompting.prompt_file import SUFFIX, read_prompt
from shared.runtime.settings import ROOT
from shared.typed.answers import answer_problems
from shared.typed.calling import registered_flows
from shared.typed.files import stale_files

PROMPTS = ROOT / "prompts"


@pytest.fixture(scope="module")
def library() -> Library:
    return read_library(PROMPTS, registered_names())


def test_nothing_is_left_out(library: Library) -> None:
    assert library.problems == ()
    assert len(library.flows) == len(list((PROMPTS / "flows").iterdir()))
    files = [path for path in PROMPTS.rglob(f"*{SUFFIX}") if "_partials" not in path.parts]
    assert len(library.prompts) == len(files)


def test_the_flow_that_the_manual_of_tools_shows_is_sound(library: Library) -> None:
    manual = (PROMPTS / "TOOLS.md").read_text("utf-8")
    [text] = [one for one in manual.split("```") if "flow: briefing" in one]
    head = "---\ndescription: Leads.\nmodel: gemini-2.5-flash\n---\n"
    lead = read_prompt("briefing/lead", f"{head}Write.", "lead.md.j2", {})
    shown = read_flow(text.removeprefix("yaml\n"), "TOOLS.md", {lead.name: lead})
    told = with_inputs(shown, library.flows).inputs["ask-docs"]
    assert told == library.flows["ask-docs"].flow.input
    assert told["type"] == "object"


def test_every_prompt_is_used_by_a_flow_or_judges_a_case(library: Library) -> None:
    used = {name for version in library.flows.values() for name in version.prompts}
    cases = read_cases(PROMPTS, library.prompts)
    checks = [case.answer for each in cases.of.values() for case in each if case.answer is not None]
    used |= {check.judge.prompt for check in checks if check.judge is not None}
    assert used == set(library.prompts)


def test_every_partial_is_included_by_a_prompt(library: Library) -> None:
    included = {name for prompt in library.prompts.values() for name in prompt.partials}
    there = (PROMPTS / "templates" / "_partials").glob("*")
    assert included == {f"_partials/{path.name}" for path in there}


def test_every_model_that_is_asked_has_a_price(library: Library) -> None:
    prices = read_prices(PROMPTS)
    asked = {prompt.head.model for prompt in library.prompts.values()}
    assert asked <= set(prices.models)


def test_every_flow_says_what_it_is_for_what_it_takes_and_what_it_gives(library: Library) -> None:
    for version in library.flows.values():
        assert version.flow.description
        assert version.flow.input is not None
        assert version.flow.outputs


def test_every_typed_flow_has_the_file_that_it_compiles_to(library: Library) -> None:
    shipped = {
        name: flow
        for name, flow in registered_flows().items()
        if flow.__module__.startswith("functions.")
    }
    assert shipped
    assert stale_files(shipped, PROMPTS, complete=True) == []
    for flow in shipped.values():
        assert list(answer_problems(flow.shape, library.prompts)) == []


def test_every_search_has_the_vector_index_that_it_needs(library: Library) -> None:
    declared = yaml.safe_load((ROOT / "infra" / "indexes.yaml").read_text("utf-8"))["indexes"]
    there = {
        (*sorted(field["path"] for field in index["fields"]), index["fields"][-1]["vector"])
        for index in declared
        if index["collection"] == "chunks"
    }
    for version in library.flows.values():
        asked = [p.head.retrieve for p in version.prompts.values()]
        asked += [s.retrieve for s in version.flow.steps.values() if isinstance(s, RetrieveStep)]
        for one in asked:
            if one is not None:
                fields = sorted(["vector", *(f"metadata.{field}" for field in one.where)])
                assert (*fields, version.collections[one.collection].dimensions) in there


def test_every_collection_can_be_searched_and_its_model_has_a_price(library: Library) -> None:
    declared = yaml.safe_load((ROOT / "infra" / "indexes.yaml").read_text("utf-8"))["indexes"]
    alone = [one["fields"] for one in declared if one["collection"] == "chunks"]
    prices = read_prices(PROMPTS).models
    for collection in library.collections.values():
        assert [{"path": "vector", "vector": collection.dimensions}] in alone
        assert collection.model in prices
