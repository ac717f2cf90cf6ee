"""An agent that cannot work is found out before it runs, with its line and a remedy."""

from __future__ import annotations

import pytest

from shared.prompting.source import SourceProblems
from tests.functional.agents import HELPER, TOOLS_KNOWN
from tests.functional.system import flow


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("agent: hlper", "there is no prompt 'hlper'"),
        ("agent: helper, tools: [lok]", "there is no tool 'lok'; register it in functions/act"),
        ("agent: helper, tools: [lok]", "did you mean 'look'?"),
        ("agent: helper, tools: [look, {tool: look, timeout: 5s}]", "has the tool 'look' twice"),
        (
            "agent: helper, tools: [[look]]",
            "the name of a tool, or a mapping with `tool`, `collection` or `flow`",
        ),
        ("agent: helper, tools: [{flow: w, as: ask}]", "description: missing; add it"),
        ("agent: helper, tools: [{flow: w, description: Asks.}]", "as: missing; add it"),
        ("agent: helper, tools: [{flow: w, tool: look}]", "tools.0.tool: unknown key"),
        (
            "agent: helper, tools: [look, {flow: w, as: look, description: Looks.}]",
            "has the tool 'look' twice",
        ),
        (
            "agent: helper, tools: [{flow: w, as: ask, description: Asks., approvers: [ada]}]",
            "'ask' has `approvers` and nothing to approve",
        ),
        ("agent: helper, foreach: '[1]'", "is an agent, which no `foreach` takes"),
        (
            "agent: helper, tools: [{tool: pay, approval: {when: amount > 3}}]",
            "'amount' is undefined in the approval of 'pay'; it sees `args` and what step 'help'",
        ),
        (
            "agent: helper, tools: [{tool: pay, approval: {when: args.n >}}]",
            "`args.n >` is not valid",
        ),
        (
            "agent: helper, tools: [{tool: pay, approval: {when: args.price > 3}}]",
            "the approval of 'pay' looks at `args.price`, which the tool does not take",
        ),
        (
            "agent: helper, tools: [{tool: pay, approvers: [ada]}]",
            "'pay' has `approvers` and nothing to approve",
        ),
        ("agent: helper, fallback: {model: other}", "step 'help' asks no model"),
        ("agent: helper, hand_offs: {b: {agent: hlper}}", "there is no prompt 'hlper'"),
        ("agent: helper, hand_offs: {b: {agent: say}}", "prompt 'say' reads 'text', which step"),
        ("agent: helper, hand_offs: {help: {agent: helper}}", "how personas call the step's own"),
        (
            "agent: helper, hand_offs: {b: {agent: helper, tools: [look, look]}}",
            "'b' of step 'help' has the tool 'look' twice",
        ),
        (
            "agent: helper, hand_offs: {b: {agent: helper, to: [hlp]}}",
            "'b' cannot hand over to 'hlp'; there are help; did you mean 'help'?",
        ),
        ("agent: helper, hand_offs: {B: {agent: helper}}", "should match pattern"),
    ],
)
def test_an_agent_that_makes_no_sense_is_refused(step: str, told: str) -> None:
    with pytest.raises(SourceProblems) as refused:
        flow(f"help: {{{step}}}", HELPER, tools=TOOLS_KNOWN)
    assert told in str(refused.value)
    assert all(problem.line > 1 for problem in refused.value.problems)
