"""`rollouts`, `outcome` and `stats` on the command line: what is printed, and what is refused."""

from __future__ import annotations

import asyncio
import json

import pytest
from typer.testing import CliRunner

from shared.cli.app import app
from shared.cli.commands import outcomes as commands_outcomes
from shared.cli.commands import rollouts as commands_rollouts
from shared.cli.commands import stats as commands_stats
from shared.delivery.deps import Deps
from shared.domain.records import RunRecord
from shared.errors import SegueError
from tests.functional.rollouts import TALK, pushed, several, with_rollouts
from tests.functional.system import System
from tests.functional.test_waits import tick

ROLLOUTS = """
{rollout: x, of: {prompt: say}, canary: {candidate: staging, share: 50%, min_runs: 1}}
"""
SHADOW = "{rollout: x, of: {prompt: say}, shadow: {candidate: staging}}"


async def ran(rollouts: str) -> System:
    system = System(with_rollouts(TALK, rollouts=rollouts))
    await pushed(system, "staging")
    await several(system, 6)
    await tick(system, 60)
    return system


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    return at_hand(asyncio.run(ran(ROLLOUTS)), monkeypatch)


def at_hand(found: System, monkeypatch: pytest.MonkeyPatch) -> System:
    deps: Deps = found.pipeline.deps()
    for module in (commands_rollouts, commands_stats, commands_outcomes):
        monkeypatch.setattr(module, "connect", lambda: deps)
    for module in (commands_rollouts, commands_stats):
        monkeypatch.setattr(module, "library", lambda: found.world.library)
    return found


def told(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.usefixtures("system")
def test_rollouts_are_listed_and_shown() -> None:
    assert "prompt say" in told("rollouts")
    [listed] = json.loads(told("rollouts", "list", "--json"))
    assert (listed["rollout"], listed["status"]) == ("x", "running")
    shown = told("rollouts", "show", "x")
    assert "success" in shown
    assert "running by x: began" in shown
    report = json.loads(told("rollouts", "show", "x", "--json"))
    assert sum(row["runs"] for row in report["measured"]) == 6


def test_a_rollout_that_no_run_has_met_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    at_hand(System(with_rollouts(TALK, rollouts=ROLLOUTS)), monkeypatch)
    listed = told("rollouts")
    assert "no run has met a rollout" in listed
    assert "declared, and met by no run yet: x" in listed


@pytest.mark.usefixtures("system")
def test_a_person_pauses_resumes_promotes_and_takes_it_back() -> None:
    for command, status in (
        ("pause", "paused"),
        ("resume", "running"),
        ("promote", "promoted"),
        ("rollback", "rolled_back"),
    ):
        report = json.loads(told("rollouts", command, "x", "--by", "ada", "--why", "so", "--json"))
        assert report["status"] == status
        assert (report["history"][-1]["by"], report["history"][-1]["why"]) == ("ada", "so")


@pytest.mark.usefixtures("system")
def test_a_rollout_that_nobody_has_met_is_said() -> None:
    with pytest.raises(SegueError, match="no run has met a rollout 'y'"):
        told("rollouts", "show", "y")


def test_comparisons_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    at_hand(asyncio.run(ran(SHADOW)), monkeypatch)
    shown = told("rollouts", "show", "x")
    assert "0 of 6 equal, 0 failed" in shown
    assert "differs" in shown


def test_an_outcome_is_sent_and_one_that_is_none_is_refused(system: System) -> None:
    run = system.stored("runs", RunRecord)[0].run_id
    assert "helpful = 0.5" in told("outcome", run, "helpful", "0.5")
    sent = json.loads(told("outcome", run, "polite", "true", "--by", "ada", "--json"))
    assert (sent["value"], sent["by"]) == (True, "ada")
    asyncio.run(system.run())
    assert json.loads(told("flows", "stats", "thing", "--json"))["runs"] == 6
    assert "helpful 0.5" in told("prompts", "stats", "say")
    refused = CliRunner().invoke(app, ["outcome", run, "helpful", "very"])
    assert (refused.exit_code, "a number, true or false" in refused.output) == (2, True)
    with pytest.raises(SegueError, match="there is no run 'nobody'"):
        told("outcome", "nobody", "helpful", "1")
