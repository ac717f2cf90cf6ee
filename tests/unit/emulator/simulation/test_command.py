"""`simulate` plays seeds, tells what broke and how to replay it, and exits as it says."""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.simulation import command, runner
from emulator.simulation.runner import FairWeatherError
from shared.calls import registered
from shared.delivery import steps
from shared.delivery.handled import Handled
from shared.runtime.settings import settings

FLOW = """
flow: mine
on: {event: mine.asked}
steps:
  a: {prompt: say, with: {text: "{{ event.data.text }}"}}
  b: {needs: a, call: CALL}
outputs: {text: "{{ a.text }}", b: "{{ b }}"}
"""
PROMPT = """---
description: Says something.
model: gemini-2.5-flash
---
{{ text }}
"""
numbers = itertools.count()


@registered("simulated.plain")
def plain() -> str:
    return "plain"


@registered("simulated.odd")
def odd() -> int:
    """Answers differently each time."""
    return next(numbers)


@registered("simulated.broken")
def broken() -> None:
    raise RuntimeError("no such customer")


@pytest.fixture(autouse=True)
def _own_prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "flows").mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "say.md.j2").write_text(PROMPT)
    monkeypatch.setenv("SEGUE_PROMPTS", str(tmp_path))
    monkeypatch.setattr(runner, "_CASES", {})
    settings.cache_clear()
    yield
    settings.cache_clear()


def calling(tmp_path: Path, function: str) -> None:
    (tmp_path / "flows" / "mine.yaml").write_text(FLOW.replace("CALL", function))


def simulate(*options: str, data: str = '{"text": "hello"}') -> int:
    parser = argparse.ArgumentParser()
    command.add_to(parser.add_subparsers())
    given = ["simulate", "--flow=mine", f"--data={data}", "--jobs=1", *options]
    return command.simulate(parser.parse_args(given))


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_a_sound_flow_of_ones_own_keeps_every_guarantee(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calling(tmp_path, "simulated.plain")
    assert simulate("--seeds=5") == 0
    assert "mine" in said(capsys)


def test_json_tells_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calling(tmp_path, "simulated.plain")
    assert simulate("--seeds=5", "--json") == 0
    told = json.loads(said(capsys))
    [mine] = told["simulated"]
    assert (told["ok"], mine["name"], mine["event"], mine["seeds"]) == (
        True,
        "mine",
        "mine.asked",
        5,
    )
    assert mine["broken"] == []
    assert mine["deliveries"] > 0


def test_a_story_is_told_on_demand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calling(tmp_path, "simulated.plain")
    assert simulate("--seed=3", "--trace") == 0
    assert "claims step a, fence 1" in said(capsys)
    assert simulate("--seed=3", "--trace", "--json") == 0
    story = json.loads(said(capsys))["story"]
    assert story[0].keys() == {"at", "who", "kind", "what"}


def test_what_breaks_is_named_with_its_replay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A protocol that sends nothing again after a crash loses runs."""
    calling(tmp_path, "simulated.plain")

    async def resume(_self: Any, _record: Any) -> Handled:
        return Handled("repeated")

    monkeypatch.setattr(steps._Step, "resume", resume)
    assert simulate("--seeds=60", "--json") == 1
    found = json.loads(said(capsys))["simulated"][0]["broken"][0]
    assert "same-ending" in {one["invariant"] for one in found["violations"]}
    assert found["replay"].endswith(f"--seed {found['seed']} --trace")
    assert simulate(f"--seed={found['seed']}") == 1
    told = said(capsys)
    assert "a run ends as it does where nothing goes wrong" in told
    assert found["replay"] in told


def test_outputs_that_differ_by_themselves_are_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calling(tmp_path, "simulated.odd")
    assert simulate("--seeds=3") == 0
    assert "are not compared" in said(capsys)


@pytest.mark.parametrize(
    ("function", "data", "told"),
    [
        ("simulated.broken", '{"text": "x"}', "ActionFailed.*no such customer"),
        ("simulated.plain", "{}", "TemplateError|Expression"),
    ],
)
def test_a_run_that_fails_undisturbed_cannot_be_simulated(
    tmp_path: Path, function: str, data: str, told: str
) -> None:
    calling(tmp_path, function)
    with pytest.raises(FairWeatherError, match=told):
        simulate(data=data)


def test_an_event_that_starts_nothing_cannot_be_simulated(tmp_path: Path) -> None:
    calling(tmp_path, "simulated.plain")
    with pytest.raises(FairWeatherError, match="starts no flow"):
        simulate("--event=other.asked")


def test_where_two_events_meet_by_chance_those_of_one_are_compared(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two events about one document, either may be the one that has it embedded."""
    monkeypatch.delenv("SEGUE_PROMPTS")
    settings.cache_clear()
    assert simulate("--flow=documents", "--seeds=2", data="@emulator/samples/documents.json") == 0
    assert "are compared where there is one" in " ".join(said(capsys).split())
