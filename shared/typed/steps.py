"""The decorator `@step`, and what it lets a method say beside its annotations.

The annotations are the graph; the options are those that a step in a flow file has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, overload

from shared.domain.model import Json
from shared.domain.retry import Retry
from shared.domain.step import Fallback
from shared.typed.events import Event

Method = TypeVar("Method", bound=Callable[..., Any])
_OPTIONS = "__segue_step__"


@dataclass(frozen=True)
class Options:
    """What `@step(...)` was given."""

    prompt: str | None = None
    arguments: Mapping[str, Json] | None = None
    outputs: Mapping[str, Json] | None = None
    retry: Retry | int | None = None
    timeout: str | float | None = None
    fallback: Event | Fallback | None = None
    on_error: Literal["fail", "continue"] = "fail"
    max_parallel: int | None = None
    tolerate: int | str | None = None
    finish: bool = False
    written: frozenset[str] = field(default_factory=frozenset)


@overload
def step(method: Method, /) -> Method: ...


@overload
def step(
    *,
    prompt: str | None = None,
    arguments: Mapping[str, Json] | None = None,
    outputs: Mapping[str, Json] | None = None,
    retry: Retry | int | None = None,
    timeout: str | float | None = None,
    fallback: Event | Fallback | None = None,
    on_error: Literal["fail", "continue"] = "fail",
    max_parallel: int | None = None,
    tolerate: int | str | None = None,
    finish: bool = False,
) -> Callable[[Method], Method]: ...


def step(method: Any = None, /, **options: Any) -> Any:
    """Makes a method a step of its flow: it takes the events of its parameters, and gives others.

    `prompt`: a model answers in place of the method, whose body is never run; `arguments` are what
    the prompt gets, otherwise the fields of the events. `outputs` are templates for the fields of
    a StopEvent. `retry`, `timeout`, `fallback`, `on_error`, `max_parallel`, `tolerate` and
    `finish` mean what they mean in a flow file; a fallback may be an event.
    """

    def mark(marked: Any) -> Any:
        setattr(marked, _OPTIONS, Options(**options, written=frozenset(options)))
        return marked

    return mark if method is None else mark(method)


def options_of(member: Any) -> Options | None:
    """The options of a step; None where it is none."""
    found = getattr(member, _OPTIONS, None)
    return found if isinstance(found, Options) else None
