"""What is simulated: flows, an event that starts them, and how the model answers.

Pure data; nothing in it depends on a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from shared.domain.agents.notes import CallMade
from shared.domain.model_calls.quotas import NO_QUOTAS, Quotas
from shared.domain.version import PromptVersion
from shared.ports import Model
from shared.prompting.library import Library
from shared.prompting.resolving import with_prompts
from shared.testing.memory import ScriptedModel
from shared.testing.simulator.shelves import Shelved

_REVISION = "{# revised #}"  # renders to nothing, and is another version all the same


def _approves(_run_id: str, _call: CallMade, _what: str) -> Any:
    return {"approved": True}


def _none() -> Iterable[str]:
    return ()


def _nothing(_mended: bool) -> None:  # noqa: FBT001 - the signature of `Case.mend`
    return


@dataclass(frozen=True)
class Told:
    """What people tell each run of a flow: a signal or, where `happens`, an event of that type.

    An event's data is the run's id, as `run`.
    """

    flow: str
    name: str
    data: Any = None
    by: str | None = None
    happens: bool = False


@dataclass(frozen=True)
class Case:
    """One library, one event.

    `model` makes a fresh model, whose answer must follow from the request alone. `doomed` are
    steps that fail for good until `mend(True)` is called; `mend(False)` breaks them. `later` is a
    library that may be deployed in the middle; runs on it must end as they do on `library`.
    `scheduled` is the flow whose schedule is due: then the event is published as Cloud Scheduler
    would, without an id. `told` is what its runs wait to be told. `fails` are flows whose runs
    always fail, whatever is done about it. With `relabels` nothing is deployed: labels are moved
    to the prompts of `later` in the registry. `decides` is what somebody says of a call of a tool
    that waits for that, of an approval or of its outcome; `had_twice` tells what tools have done
    more often than their effects allow. `quotas` are those of its models, `shelved` is what
    collections hold before the event comes.
    """

    name: str
    library: Library
    event_type: str
    data: Any = None
    model: Callable[[], Model] = ScriptedModel
    doomed: frozenset[str] = frozenset()
    mend: Callable[[bool], None] = _nothing
    later: Library | None = None
    scheduled: str | None = None
    told: tuple[Told, ...] = ()
    fails: frozenset[str] = frozenset()
    relabels: bool = False
    decides: Callable[[str, CallMade, str], Any] = _approves
    had_twice: Callable[[], Iterable[str]] = _none
    quotas: Quotas = NO_QUOTAS
    shelved: tuple[Shelved, ...] = ()

    @classmethod
    def revised(cls, *args: Any, **more: Any) -> Case:
        """A case whose later library has new versions of all prompts, which say the same."""
        case = cls(*args, **more)
        return replace(case, later=_revised(case.library))


def _revised(library: Library) -> Library:
    prompts = {name: _revised_prompt(prompt) for name, prompt in library.prompts.items()}
    flows = {
        name: with_prompts(old, {each: prompts[each] for each in old.prompts})
        for name, old in library.flows.items()
    }
    return replace(library, flows=flows, prompts=prompts)


def _revised_prompt(prompt: PromptVersion) -> PromptVersion:
    return PromptVersion(
        name=prompt.name,
        head=prompt.head,
        body=prompt.body + _REVISION,
        partials=prompt.partials,
    )
