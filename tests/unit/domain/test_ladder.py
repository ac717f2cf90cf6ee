"""What a call becomes, rung by rung, so that it costs less; and what it costs at most."""

from __future__ import annotations

from shared.domain.agents.conversation import Said
from shared.domain.budgets.declared import OtherModel, Smaller, most_input
from shared.domain.budgets.ladder import request_on
from shared.domain.envelope import ModelRequest

PLAIN = ModelRequest(model="m", messages=(("user", "x" * 200),))


def result(n: int, text: str) -> Said:
    answer = {"name": f"tool{n}", "response": {"text": text}}
    return Said(role="user", parts=({"functionResponse": answer, "id": n},))


def call(n: int) -> Said:
    return Said(
        role="model", parts=({"functionCall": {"name": f"tool{n}"}, "thoughtSignature": "s"},)
    )


TALK = PLAIN.model_copy(
    update={"said": (call(0), result(0, "a" * 900), call(1), result(1, "b" * 900))}
)


def smaller(request: ModelRequest, context: int, longest: int = 1000) -> ModelRequest | None:
    return request_on(Smaller(context=context), request, longest)


def test_no_text_has_more_tokens_than_it_has_bytes():
    assert most_input(PLAIN) > 200
    wide = PLAIN.model_copy(update={"system": "ü" * 100})
    assert most_input(wide) >= most_input(PLAIN) + 200


def test_another_model_is_asked_the_same():
    assert request_on(OtherModel(model="m"), PLAIN, 1000) is None
    found = request_on(OtherModel(model="n"), PLAIN, 1000)
    assert found == PLAIN.model_copy(update={"model": "n"})


def test_the_answer_is_cut_to_what_is_left_and_the_prompt_never():
    found = smaller(PLAIN, 800)
    assert found is not None
    assert found.messages == PLAIN.messages
    assert found.parameters == {"max_output_tokens": 800 - most_input(PLAIN)}
    assert smaller(PLAIN, 512) is None  # fewer than 256 would be left
    assert smaller(PLAIN, 5000) is None  # nothing to be cut


def test_the_oldest_results_are_left_out_and_those_of_the_last_turn_stay():
    found = smaller(TALK, most_input(TALK) + 300 - 500)
    assert found is not None
    assert [len(str(said)) < 900 for said in found.said] == [True, True, True, False]
    assert found.said[0] == TALK.said[0]  # its signature goes back as it came
    assert found.said[1].parts[0]["functionResponse"]["response"] == {"result": "left out"}  # type: ignore[index,call-overload]
    assert smaller(TALK, 1000) is None  # the last turn's alone are too many
