"""Two personas in one conversation, a flow that one has as a tool, and a blackboard; for real."""

from __future__ import annotations

from shared.delivery.runs.report import report_of
from tests.emulator.harness import Harness


async def test_an_agent_hands_its_conversation_over_and_gets_it_back(system: Harness) -> None:
    front, desk = {"prompt": "test/echo"}, {"prompt": "test/desk"}
    note, handed = {"key": "note", "value": {"n": [1]}}, ("hand_off_to_front", {"reason": "x"})
    rules = [
        ({**front, "turn": 1}, [("hand_off_to_desk", {"reason": "a note"})]),
        ({**desk, "turn": 2}, [("blackboard_write", note), ("book_invoice", {"n": 4}), handed]),
        ({**front, "turn": 3}, [("blackboard_read", {"key": "note"})]),
    ]
    calling = [
        {"when": when, "calls": [{"name": name, "args": args} for name, args in calls]}
        for when, calls in rules
    ]
    await system.rules([*calling, {"when": {**front, "turn": 4}, "answer": "Noted."}])
    try:
        run = await system.only_run(await system.publish("test.team", {"n": 1}))
    finally:
        await system.rules([])

    assert (run["status"], run["outputs"]) == ("succeeded", {"said": "Noted."}), run
    turns = run["steps"]["front"]["turns"]
    assert [turn["speaker"] for turn in turns] == ["front", "desk", "front", "front"]
    assert [turn["model"] for turn in turns][:2] == ["gemini-2.5-flash", "gemini-2.5-pro"]
    booked = turns[1]["calls"][1]
    child = await report_of(booked["child"], system.deps)
    assert booked["output"] == child["outputs"] == {"n": 5}
    assert child["parent"] == {"run_id": run["run_id"], "step": booked["name"]}
    entry = run["blackboard"]["note"]
    assert (entry["value"], entry["by"]) == ({"n": [1]}, "front/desk")
    assert turns[2]["calls"][0]["output"]["entry"] == entry
