"""Typed flows are kept as flow files, which are found out where they say something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.prompting.library import read_flow
from shared.typed import Flow, FlowNameTakenError, step
from shared.typed.answers import answer_problems
from shared.typed.calling import register, registered_flows
from shared.typed.files import stale_files, write_files
from tests.functional.system import prompt
from tests.unit.typed.vocabulary import A, Ask, B, C, Done


class Filed(Flow[Ask, Done]):
    name, on = "filed", "asked"

    @step(prompt="p")
    async def write(self, ask: Ask) -> A: ...

    @step
    async def end(self, a: A) -> Done: ...


FLOWS = {"filed": Filed}


def stale(prompts: Path, *, complete: bool = True) -> list[str]:
    return [str(problem) for problem in stale_files(FLOWS, prompts, complete=complete)]


def test_what_is_written_is_not_stale_and_is_written_once(tmp_path: Path):
    path = tmp_path / "flows" / "filed.yaml"
    assert write_files(FLOWS, tmp_path) == [path]
    assert write_files(FLOWS, tmp_path) == []
    assert stale(tmp_path) == []
    version = read_flow(path.read_text("utf-8"), "filed.yaml", {"p": prompt("p", "{{ n }}")})
    assert list(version.flow.steps) == ["write", "end"]


def test_a_file_that_was_edited_is_stale(tmp_path: Path):
    write_files(FLOWS, tmp_path)
    path = tmp_path / "flows" / "filed.yaml"
    path.write_text(path.read_text("utf-8") + "timeout: 5s\n", "utf-8")
    [told] = stale(tmp_path)
    assert told == (
        f"{tmp_path.name}/flows/filed.yaml:1: this is not what Filed in tests/unit/typed/"
        "test_files.py says; run `segue flows compile`"
    )


def test_a_missing_file_is_stale_where_all_are_to_be(tmp_path: Path):
    assert stale(tmp_path, complete=False) == []
    [told] = stale(tmp_path)
    assert "the file of Filed is missing" in told


def test_a_file_without_its_class_goes_and_what_people_have_written_stays(tmp_path: Path):
    write_files({"gone": Filed}, tmp_path)
    own = tmp_path / "flows" / "own.yaml"
    own.write_text("flow: own\n", "utf-8")
    assert any("a class that is not there any more" in told for told in stale(tmp_path))
    assert tmp_path / "flows" / "gone.yaml" in write_files(FLOWS, tmp_path)
    assert sorted(path.name for path in (tmp_path / "flows").iterdir()) == [
        "filed.yaml",
        "own.yaml",
    ]


def test_two_flows_of_one_name_are_refused():
    class Taken(Filed):
        name = "taken"

    class Again(Filed):
        name = "taken"

    assert register(Taken) is Taken is register(Taken)
    assert registered_flows()["taken"] is Taken
    with pytest.raises(FlowNameTakenError, match=r"Again and .*Taken are both called 'taken'"):
        register(Again)


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (None, []),
        ({"type": "object"}, []),
        ({"type": "object", "properties": {"text": {}, "more": {}}}, []),
        ({"type": "object", "properties": {"said": {}}}, ["A has 'text', and prompt 'p' answers"]),
    ],
)
def test_a_prompt_that_does_not_answer_what_its_event_has(output: object, told: list[str]):
    answers = {} if output is None else {"output": output}
    found = list(answer_problems(Filed.shape, {"p": prompt("p", "{{ n }}", **answers)}))
    assert len(found) == len(told)
    assert all(expected in str(one) for one, expected in zip(found, told, strict=True))


def test_a_list_of_answers_is_looked_at_item_by_item():
    class Many(Flow[Ask, Done]):
        name, on = "many", "asked"

        @step(prompt="p")
        async def write(self, ask: Ask) -> list[B]: ...

        @step
        async def end(self, bs: list[B]) -> Done: ...

    schema = {"type": "array", "items": {"type": "object", "properties": {"size": {}}}}
    [found] = answer_problems(Many.shape, {"p": prompt("p", "{{ n }}", output=schema)})
    assert "B has 'text', and prompt 'p' answers size" in found.message
    assert found.line == Many.shape.steps["write"].line


def test_events_without_required_fields_fit_any_answer():
    class Lenient(Flow[Ask, Done]):
        name, on = "lenient", "asked"

        @step(prompt="p")
        async def write(self, ask: Ask) -> C: ...

        @step
        async def end(self, c: C) -> Done: ...

    assert list(answer_problems(Lenient.shape, {"p": prompt("p", "x")})) == []
