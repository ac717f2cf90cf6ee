"""What a demo shows of a flow, act by act: what is said and done first, then the event.

A flow without a file in `demos/` has one act: its sample event. Starts nothing, prints nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from emulator.simulation.subject import Asked, subjects
from shared.domain.model import Declared
from shared.errors import UsageError
from shared.prompting.library import read_library
from shared.prompting.source import SourceProblems, read_yaml
from shared.runtime.settings import settings

_DEMOS = Path(__file__).with_name("demos")


class DemoFileError(UsageError):
    """Correct the file: a demo is a list of acts with say, run (commands) and publish (or not)."""


class Act(Declared):
    """Something to say, `segue` commands to run, and whether the event is then published."""

    say: str | None = None
    run: tuple[tuple[str, ...], ...] = ()
    publish: bool = True


class Event(Declared):
    """The event of a demo."""

    type: str
    data: Any


_ACTS = TypeAdapter(tuple[Act, ...])


def acts_of(flow: str) -> tuple[Act, ...]:
    """The acts. Raises DemoFileError."""
    path = _DEMOS / f"{flow}.yaml"
    if not path.is_file():
        return (Act(),)
    try:
        return _ACTS.validate_python(read_yaml(path.read_text("utf-8"), path.name).data)
    except (SourceProblems, ValidationError) as error:
        raise DemoFileError(f"{path.name}: {error}") from error


def event_of(flow: str) -> Event:
    """The event that starts the flow, with its sample data. Raises UsageError."""
    library = read_library(settings().prompts)
    [subject] = subjects(Asked(flow=flow), None, library, lambda _left_out: None)
    return Event(type=subject.event_type, data=json.loads(json.dumps(subject.data)))
