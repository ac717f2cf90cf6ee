"""The cases of the shipped prompts: what is rendered is what they say, and nothing asks a model."""

from __future__ import annotations

import pytest

from shared.prompting.case_checks import rendered
from shared.prompting.cases import Case, read_cases
from shared.prompting.library import read_library
from shared.runtime.settings import ROOT

PROMPTS = read_library(ROOT / "prompts").prompts
CASES = read_cases(ROOT / "prompts", PROMPTS)
EACH = [(name, case) for name, cases in CASES.of.items() for case in cases]


def test_every_file_of_cases_is_sound() -> None:
    assert CASES.problems == ()
    assert CASES.of.keys() <= PROMPTS.keys()


def test_every_shipped_prompt_has_a_case_of_what_is_rendered() -> None:
    lacking = PROMPTS.keys() - {name for name, case in EACH if case.rendered is not None}
    assert not lacking, "write cases/<prompt>.yaml"


@pytest.mark.parametrize(
    ("name", "case"), EACH, ids=[f"{name}: {case.name}" for name, case in EACH]
)
def test_a_shipped_prompt_is_rendered_as_its_case_says(name: str, case: Case) -> None:
    assert rendered(PROMPTS[name], case)[1] == []
