"""The tree of errors is the one drawn in its module's docstring, and every leaf gives advice."""

from __future__ import annotations

import re

import pytest

from shared import errors
from shared.errors import Permanent, SegueError, StepTimeoutError, Transient, UsageError

_BRANCH = re.compile(r"^(?P<indent>[ │]*)[├└]── (?P<name>\w+)", re.MULTILINE)
CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, SegueError)
}
LEAVES = [kind for kind in CLASSES.values() if not kind.__subclasses__()]


def drawn() -> dict[str, str]:
    """Class -> the class it hangs from."""
    parents = {"SegueError": "SegueError"}
    path = ["SegueError"]
    for branch in _BRANCH.finditer(errors.__doc__ or ""):
        depth = len(branch["indent"]) // 4 + 1
        path = [*path[:depth], branch["name"]]
        parents[branch["name"]] = path[depth - 1]
    return parents


def test_the_drawn_tree_is_the_real_one() -> None:
    real = {name: kind.__base__.__name__ for name, kind in CLASSES.items() if name != "SegueError"}
    assert drawn() == {"SegueError": "SegueError", **real}


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_every_leaf_says_what_happened_and_where_it_matters_what_to_do(
    kind: type[SegueError],
) -> None:
    advice = str(kind())
    assert kind.__doc__ != kind.__base__.__doc__
    assert len(advice) > 15
    assert advice.endswith(".")


# What a person must do something about; the others are settled by the step protocol itself.
_SETTLED = {"StepFailedError", "RedriveRefusedError"}


@pytest.mark.parametrize(
    "kind",
    [kind for kind in LEAVES if issubclass(kind, Permanent | UsageError)],
    ids=lambda kind: kind.__name__,
)
def test_whatever_needs_a_person_names_the_remedy(kind: type[SegueError]) -> None:
    text = str(kind())
    remedies = ("redrive", "Put the payload", "publish", "Publish", "Send", "Set", "Raise")
    remedies += ("Correct", "Check", "Change", "Restore", "Store", "lists", "list")
    assert kind.__name__ in _SETTLED or any(remedy in text for remedy in remedies), text


@pytest.mark.parametrize("kind", list(CLASSES.values()), ids=lambda kind: kind.__name__)
def test_a_code_is_the_class_name_without_error(kind: type[SegueError]) -> None:
    assert kind("x").code == kind.__name__.removesuffix("Error")
    assert not kind("x").code.endswith("Error")


def test_codes_are_not_shared() -> None:
    assert len({kind().code for kind in CLASSES.values()}) == len(CLASSES)


def test_a_message_is_the_detail_then_the_advice_on_one_line() -> None:
    error = StepTimeoutError("step 'a': 5 s")
    assert error.detail == "step 'a': 5 s"
    assert str(error) == (
        "step 'a': 5 s. The step took longer than its `timeout`."
        " Raise it or make the step smaller, then redrive the dead letter."
    )
    assert str(StepTimeoutError()).startswith("The step took longer")


@pytest.mark.parametrize("detail", ["It failed.", "Why?", "cut off…"])
def test_a_detail_that_is_a_sentence_is_not_ended_twice(detail: str) -> None:
    assert str(StepTimeoutError(detail)).startswith(f"{detail} The step took longer")


def test_no_error_is_both_passing_and_permanent() -> None:
    both = [k for k in CLASSES.values() if issubclass(k, Transient) and issubclass(k, Permanent)]
    assert both == []
