"""Which models may be asked, how often, and what may be made of answers that are kept.

By what the pinned flow says and by what is stored; it must not know how a model is chosen.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.domain.envelope import ModelRequest
from shared.domain.model_calls.breaker import breaker_path
from shared.domain.records import step_path
from shared.domain.step import PromptStep
from shared.domain.version import FlowVersion, prompts_of
from shared.testing.simulator.engine import Change, Fields
from shared.testing.simulator.instance import CURRENT, Work
from shared.testing.simulator.laws.rollout import is_of_shadow

if TYPE_CHECKING:
    from shared.testing.simulator.invariants import Watch

LOST_RACE = frozenset({"ClaimLost", "ClaimBusy"})
_COOLS, _LONGEST, _PROBED = 30.0, 600.0, 60.0  # seconds that a model is left alone
_SKEW = 3.0  # seconds that clocks are apart, and more
_LATE = 20.0  # seconds: what instances know of breakers is old, and clocks and ways differ
_AGAIN = ("retried", "deferred")  # how an attempt ends that another one follows


@dataclass
class Calls:
    """`models` and `embeddings` are the steps that were asked for, call by call.

    `cools` is until when a breaker cools down, `shut` until when its model may be passed over.
    """

    models: list[tuple[str, str]] = field(default_factory=list)
    embeddings: list[tuple[str, str]] = field(default_factory=list)
    cools: dict[str, float] = field(default_factory=dict)
    shut: dict[str, float] = field(default_factory=dict)

    def embeds(self) -> None:
        """Called for each request for vectors that arrives."""
        work = CURRENT.get()
        if work is not None and work.step is not None:
            work.asked = True
            self.embeddings.append(work.step)


def moved_breaker(watch: Watch, change: Change) -> Iterator[tuple[str, str]]:
    """An open breaker opens anew, for longer, where a probe has failed: after its cool-down.

    Notes how long its model may be left alone.
    """
    before, after, now = change.before, change.after, asyncio.get_running_loop().time()
    if after is None:
        return
    again = before is not None and after["opened"] > before["opened"] > 0
    if again and now + _SKEW < watch.calls.cools[change.path]:
        yield "chain", f"{change.path} opens anew before it was probed"
    cools = min(_COOLS * 2 ** (after["opened"] - 1), _LONGEST) if after["opened"] else 0.0
    if before is None or after["opened"] != before["opened"]:
        watch.calls.cools[change.path] = now + cools
    watch.calls.shut[change.path] = now + (max(cools, _PROBED) if after["opened"] else 0.0)


def asks(watch: Watch, request: ModelRequest) -> Iterator[tuple[str, str]]:
    """What is wrong with asking a model this."""
    labels = request.labels
    run_id, step = labels.get("segue-run", ""), labels.get("segue-step", "")
    version = watch.version_of(run_id)
    pinned = _pinned(version, step) if version is not None else frozenset()
    if labels.get("segue-prompt-version") not in pinned:
        yield "pinned", f"{step} of {run_id} asks with a prompt it is not pinned to"
    if not is_of_shadow():
        watch.calls.models.append((run_id, step))
        for told in _passed_over(watch, version, step, request) if version is not None else ():
            yield "chain", f"{run_id}: {told}"


def _pinned(version: FlowVersion, step: str) -> frozenset[str]:
    """The versions of the prompts that a step, or its shadow, may ask with."""
    names = prompts_of(version.flow.declared(step))
    if is_of_shadow():
        shadows = version.shadows.items()
        return frozenset(shadow.prompt.version for name, shadow in shadows if name in names)
    return frozenset(version.prompts[name].version for name in names)


def _passed_over(
    watch: Watch, version: FlowVersion, step: str, request: ModelRequest
) -> Iterator[str]:
    """What is wrong with asking this model, and not those before it in the chain."""
    declared, work = version.flow.declared(step), CURRENT.get()
    chain = _chain_of(version, step)
    is_plain = isinstance(declared, PromptStep) and declared.fallback is None
    if not is_plain or version.flow.budget is not None or request.model not in chain:
        return
    if work is None or work.excuses:  # whoever stood still knows what was
        return
    now = asyncio.get_running_loop().time()
    for model in chain[: chain.index(request.model)]:
        shut = watch.calls.shut.get(breaker_path(model), 0.0)
        if model not in work.tried and shut + _LATE < now:
            yield f"{step} asks {request.model}, and {model} is passed over without a reason"


def _chain_of(version: FlowVersion, step: str) -> tuple[str, ...]:
    """The models that a step may ask; none where there is nothing to choose."""
    declared = version.flow.declared(step)
    if isinstance(declared, PromptStep):
        return declared.models or version.prompts[declared.prompt].head.models
    return ()


def too_many_calls(watch: Watch, works: Iterable[Work]) -> Iterator[tuple[str, str]]:
    """Steps for which more was asked than misfortune accounts for."""
    allowed: Counter[tuple[str, str]] = Counter()
    for work in works:
        if work.step is not None and _is_of_generate(work.subscription):
            allowed[work.step] += work.excuses + (work.asked and _was_cut_down(work))
    for path, step in watch.documents.items():
        if path.startswith("runs/") and "/steps/" in path:
            outcomes = [attempt["outcome"] for attempt in step.get("attempts", ())]
            _, run_id, _, name = path.split("/")
            allowed[run_id, name] += sum(outcome in _AGAIN for outcome in outcomes)
    for of, width in ((watch.calls.models, _width), (watch.calls.embeddings, _one)):
        for about, asked in Counter(of).items():
            most = (1 + allowed[about]) * width(watch, *about)
            if asked > most:
                yield "model-calls", f"{asked} for step {about}, at most {most} are excused"


def _width(watch: Watch, run_id: str, step: str) -> int:
    """How many models one attempt may ask."""
    version = watch.version_of(run_id)
    return 1 if version is None else max(len(_chain_of(version, step)), 1)


def _one(*_: object) -> int:
    return 1


def _is_of_generate(subscription: str) -> bool:
    """Of any priority; its dead letters ask no model."""
    return "-generate" in subscription and not subscription.endswith("-dead")


def _was_cut_down(work: Work) -> bool:
    """Whether the work came to nothing through no fault of the protocol."""
    if work.given_up or work.told is None:
        return True
    code = work.told.error.code if work.told.error else None
    return work.told.disposition != "ack" and code not in LOST_RACE


# -- answers that are kept ----------------------------------------------------------------------


def kept_answer(watch: Watch, change: Change) -> Iterator[tuple[str, str]]:
    """An answer is kept with the result of the step that got it, and is that."""
    kept = change.after
    if kept is None:
        return
    step = watch.documents.get(step_path(kept["run_id"], kept["step"]), {})
    if step.get("status") != "succeeded" or step["output"] != kept["output"]:
        yield "cache", f"{change.path} keeps {kept['output']}, {kept['step']} has no such result"


def from_the_cache(documents: Mapping[str, Fields], step: Fields) -> str | None:
    """What is wrong with a step whose output was kept before."""
    if not step.get("cached"):
        return None
    usage = step["attempts"][-1]["usage"]
    if usage["llm_calls"] or usage["cost_usd"] or any(usage["tokens"].values()):
        return f"was answered from the cache, and billed {usage}"
    name = step["prompt"]["name"]
    kept = {
        fields["output"]
        for path, fields in documents.items()
        if path.startswith("cache/") and fields["prompt"] == name
    }
    return None if step["output"] in kept else f"was answered {step['output']}, kept were {kept}"
