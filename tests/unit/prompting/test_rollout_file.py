"""Rollout files: what they may say, and that each mistake is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.domain.rollouts.declared import SUCCESS, Guard, Rollout
from shared.prompting.library import Library, read_library

PROMPT = "---\ndescription: d\nmodel: m\n---\nHi."
FLOW = "flow: {name}\non: {{event: t}}\nsteps:\n  a: {{prompt: say}}\n"


def read(tmp_path: Path, *files: str, flow: str = FLOW) -> Library:
    """A library of flows `old` and `new`, prompt `say` and rollouts named x, y, …"""
    texts = {
        "templates/say.md.j2": PROMPT,
        **{f"flows/{name}.yaml": flow.format(name=name) for name in ("old", "new")},
        **{f"rollouts/{name}.yaml": text for name, text in zip("xyz", files, strict=False)},
    }
    for name, text in texts.items():
        path = tmp_path / "prompts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return read_library(tmp_path / "prompts")


SPLIT = "rollout: x\nof: {prompt: say}\nsplit: {variants: {production: 90, staging: 10}}\n"


@pytest.mark.parametrize(
    "way",
    [
        "of: {prompt: say}\nsplit: {key: event.data.user, variants: {production: 99.5, '3': 0.5}}",
        "of: {model: say}\ncanary: {candidate: gemini-2.5-pro, share: 10%}",
        "of: {prompt: say}\ncanary: {candidate: s, share: 5, guard: {metric: cost, range: [0, 1]}}",
        "of: {prompt: say}\nshadow: {candidate: staging}",
        "of: {flow: old}\nsplit: {variants: {old: 50, new: 50}}\nfallback: old",
        "of: {flow: old}\nadapt: {arms: [old, new], outcome: helpful, explore: 20%}",
    ],
)
def test_every_way_to_share_runs_can_be_written(tmp_path: Path, way: str) -> None:
    found = read(tmp_path, f"rollout: x\n{way}\n")
    assert found.problems == ()
    rollout = found.rollouts["x"]
    assert Rollout.model_validate(rollout.declaration()) == rollout


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (SPLIT.replace("10}", "20}"), 3, "add up to 110; they must add up to 100"),
        (SPLIT.replace("split", "splitt"), 3, "splitt: unknown key"),
        (SPLIT.replace("say", "sya"), 2, "there is no prompt 'sya'; did you mean 'say'?"),
        (SPLIT.replace("prompt: say", "flow: old"), 2, "no sound flow 'production'"),
        (SPLIT.replace("prompt: say", "prompt: say, flow: old"), 2, "exactly one of prompt, model"),
        (SPLIT.replace("x", "z"), 1, "name the file after it"),
        (SPLIT.replace("{v", "{key: run.id, v"), 3, "'run' is undefined; a key sees `event`"),
        (SPLIT.replace("{v", "{key: 'event.', v"), 3, "is not valid"),
        (f"{SPLIT}shadow: {{candidate: s}}\n", 1, "give exactly one of split, canary"),
        (f"{SPLIT}fallback: old\n", 1, "only where runs get other flows"),
        (
            "rollout: x\nof: {model: say}\n"  # noqa: ISC004
            "canary: {candidate: m2, share: 10%, guard: {metric: latency}}\n",
            3,
            "latency needs a range",
        ),
        ("rollout: x\nof: {prompt: say}\nadapt: {arms: [a, a], outcome: o}\n", 3, "there twice"),
        ("just text", 1, "a rollout file is a mapping"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_leaves_the_rest_alone(
    tmp_path: Path, text: str, line: int, told: str
) -> None:
    found = read(tmp_path, text)
    assert found.rollouts == {}
    assert set(found.flows) == {"old", "new"}
    assert {(one.file, one.line) for one in found.problems} == {("prompts/rollouts/x.yaml", line)}
    assert any(told in problem.message for problem in found.problems)


def test_a_prompt_that_flows_name_by_a_label_alone_has_no_rollout(tmp_path: Path) -> None:
    found = read(tmp_path, SPLIT, flow=FLOW.replace("say", "say@staging"))
    assert found.rollouts == {}
    [problem] = found.problems
    assert "by its name alone; nobody would get a variant" in problem.message


def test_one_prompt_has_one_rollout(tmp_path: Path) -> None:
    other = SPLIT.replace("x", "y").replace("prompt: say", "model: say")
    found = read(tmp_path, SPLIT, other)
    assert set(found.rollouts) == {"x"}
    assert "'x' is about 'say' already" in found.problems[0].message


def test_a_guard_knows_which_way_is_better() -> None:
    assert Guard().metric == SUCCESS
    assert [Guard().score(value) for value in (0, 1, 7)] == [0, 1, 1]
    seconds = Guard(metric="latency", range=(0, 10), margin=1)
    assert [seconds.score(value) for value in (0, 5, 20)] == [1, 0.5, 0]
    assert seconds.tolerated == 0.1
    assert Guard(metric="handed_on", better="lower").score(1) == 0


def test_a_shadow_of_what_only_speaks_as_a_persona_and_searches_is_refused(tmp_path: Path) -> None:
    searching = PROMPT.replace("model: m", "model: m\nretrieve: {collection: docs, query: q}")
    flow = (
        "flow: team\non: {event: t}\nsteps:\n"
        "  a: {agent: say, hand_offs: {other: {agent: searching}}}\n"
    )
    for name, text in {
        "templates/searching.md.j2": searching,
        "collections/docs.yaml": "collection: docs\n",
        "flows/team.yaml": flow,
    }.items():
        (tmp_path / "prompts" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "prompts" / name).write_text(text, "utf-8")
    of = "rollout: {}\nof: {{prompt: {}}}\nshadow: {{candidate: staging}}\n"
    found = read(tmp_path, of.format("x", "searching"), of.format("y", "say"))
    [problem] = found.problems
    assert (problem.file, problem.line) == ("prompts/rollouts/x.yaml", 2)
    assert "speaks only as a persona: it is not shadowed" in problem.message
    assert list(found.rollouts) == ["y"]


def test_a_flow_whose_agent_opens_others_is_no_shadow(tmp_path: Path) -> None:
    tool = "{flow: old, as: ask, description: Asks.}"
    (tmp_path / "prompts" / "flows").mkdir(parents=True)
    (tmp_path / "prompts" / "flows" / "team.yaml").write_text(
        f"flow: team\non: {{event: t}}\nsteps:\n  a: {{agent: say, tools: [{tool}]}}\n"
    )
    of = "rollout: x\nof: {flow: new}\nshadow: {candidate: team}\n"
    asked = FLOW.replace("steps:", "input: {{type: object}}\nsteps:")
    found = read(tmp_path, of, flow=asked)
    [problem] = found.problems
    assert "flow 'team' has steps that open children, and cannot be a shadow" in problem.message
