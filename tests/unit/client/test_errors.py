"""What a client raises: part of the tree, each with a remedy."""

from __future__ import annotations

import inspect

import pytest

import shared.client
from shared.client.errors import RunFailedError, StillRunningError
from shared.domain.records import Failure
from shared.errors import SegueError, UsageError

RAISED = [
    kind
    for kind in vars(shared.client).values()
    if inspect.isclass(kind) and issubclass(kind, SegueError)
]
FAILURE = Failure(code="ModelRefused", message="It would not.", step="write")


@pytest.mark.parametrize("kind", RAISED, ids=lambda kind: kind.__name__)
def test_every_error_has_advice_of_its_own(kind: type[SegueError]) -> None:
    assert kind.__doc__ not in {base.__doc__ for base in kind.__bases__}
    error = kind("joke-1", FAILURE) if issubclass(kind, RunFailedError) else kind("d")
    assert len(str(error)) > 30
    assert str(error).endswith(".")


def test_a_failed_run_has_the_code_and_step_of_its_failure() -> None:
    error = RunFailedError("joke-1", FAILURE)
    assert (error.run_id, error.code, error.step) == ("joke-1", "ModelRefused", "write")
    assert str(error).startswith("run joke-1 failed at step 'write': ModelRefused: It would not. ")


def test_running_out_of_time_is_a_timeout_and_no_bad_usage() -> None:
    assert issubclass(StillRunningError, TimeoutError)
    assert not issubclass(StillRunningError, UsageError)


def test_what_is_public_is_named() -> None:
    public = {name for name, value in vars(shared.client).items() if inspect.isclass(value)}
    assert public == set(shared.client.__all__)
