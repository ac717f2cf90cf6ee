"""What must hold when all is quiet: every run has ended as it should, and nothing is left over.

Compares with a world where nothing went wrong. Must not know how a run gets to its end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.domain.instances import instance_of
from shared.domain.records import run_path
from shared.domain.undoing import undo_run_id
from shared.testing.simulator.engine import Fields
from shared.testing.simulator.instance import Work
from shared.testing.simulator.invariants import Watch
from shared.testing.simulator.laws.agent import broken_agents
from shared.testing.simulator.laws.board import broken_board, is_read
from shared.testing.simulator.laws.calls import too_many_calls
from shared.testing.simulator.laws.child import lineage
from shared.testing.simulator.laws.graph import broken_maps, broken_steps
from shared.testing.simulator.laws.order import broken_batches, collecting_flows
from shared.testing.simulator.laws.rollout import broken_comparisons, broken_counts
from shared.testing.simulator.laws.shelf import broken_collections
from shared.testing.simulator.laws.undo import broken_hooks, broken_undoings, is_undone

Ending = Mapping[str, Any]


@dataclass(frozen=True)
class Expected:
    """What the weather allows for.

    endings: of runs, where nothing goes wrong; None while that is being found out. garbage: the
    bytes that no stage can read. letters: error codes that misfortune has given a reason for.
    exact: outputs are compared too, not only how runs and steps ended. fails: flows whose runs must
    fail; how far they, and what follows from their failures, come is a matter of chance.
    """

    endings: Mapping[str, Ending] | None
    garbage: tuple[bytes, ...]
    letters: frozenset[str]
    exact: bool = True
    fails: frozenset[str] = frozenset()


def records(documents: Mapping[str, Fields], collection: str) -> Iterator[tuple[str, Fields]]:
    """(id, fields) of the documents of a collection, in order."""
    depth = collection.count("/") + 1
    for path in sorted(documents):
        if path.startswith(f"{collection}/") and path.count("/") == depth:
            yield path.rsplit("/", 1)[1], documents[path]


def endings_of(documents: Mapping[str, Fields]) -> dict[str, Ending]:
    """By run: how it ended, with what, and how each of its steps did.

    A child's run goes by its place; those that others have taken the place of are left out, and
    those that take the place of one that has failed, which they do by misfortune alone.
    """
    runs = dict(records(documents, "runs"))
    places = {run_id: lineage(run_id, runs, documents) for run_id in runs}
    return {
        place: {
            "run": run_id,
            "correlation": run["correlation_id"],
            "status": run["status"],
            "outputs": run["outputs"],
            "error": run["error"],
            "steps": {
                name: (step["status"], None if is_read(step) else step["output"])
                for name, step in records(documents, f"{run_path(run_id)}/steps")
            },
        }
        for run_id, run in runs.items()
        if (place := places[run_id]) is not None and run.get("fallback_of") is None
    }


def check_endings(watch: Watch, works: Iterable[Work], expected: Expected) -> None:
    """Notes on the watch what does not hold."""
    checks: tuple[Callable[[Watch, Expected], Iterator[tuple[str, str]]], ...] = (
        _events,
        _runs,
        _graphs,
        _joins,
        _letters,
        _batches,
        _undone,
        _kept,
    )
    for check in checks:
        for invariant, what in check(watch, expected):
            watch.note(invariant, what)
    for invariant, what in too_many_calls(watch, works):
        watch.note(invariant, what)


def _events(watch: Watch, _expected: Expected) -> Iterator[tuple[str, str]]:
    stored = {key for key, _ in records(watch.documents, "events")}
    for key in sorted(set(watch.accepted.values()) - stored):
        yield "event-stored", f"event {key} was published and is not stored"


def _runs(watch: Watch, expected: Expected) -> Iterator[tuple[str, str]]:
    if expected.endings is None:
        return
    found = _of_chance(endings_of(watch.documents), watch, expected)
    stored = {event["correlation_id"] for _, event in records(watch.documents, "events")}
    wanted = {
        run_id: ending
        for run_id, ending in _of_chance(expected.endings, watch, expected).items()
        if ending["correlation"] in stored
    }
    cancelled = {
        ending["correlation"]
        for ending in found.values()
        if ending["run"] in watch.unwanted and _is_cancelled(ending)
    }
    by_chance = tuple(f"{name}-" for name in collecting_flows(watch.versions))
    for place in sorted(found.keys() | wanted.keys()):
        if place.startswith(by_chance):
            continue
        have, want = found.get(place), wanted.get(place)
        story = (have or want or {})["correlation"]
        if story in cancelled and (have is None or _is_cancelled(have)):
            continue  # it was cancelled, or the run that would have started it
        if have is not None and want is not None:
            run_id = have["run"]
            if _fell_elsewhere(watch, run_id, want, expected):
                continue
            have, want = (
                {**_compared(watch, run_id, one, expected), "run": None} for one in (have, want)
            )
        if have != want:
            yield "same-ending", _difference(place, have, want)


def _is_cancelled(ending: Ending) -> bool:
    return bool(ending["status"] == "cancelled")


def _of_chance(
    endings: Mapping[str, Ending], watch: Watch, expected: Expected
) -> Mapping[str, Ending]:
    """Without what follows from failures, and of runs that must fail no more than that they do."""
    if not expected.fails:
        return endings
    bare: Ending = {"error": None, "steps": {}}
    runs = watch.documents
    return {
        place: {**ending, **bare}
        for place, ending in endings.items()
        if (run := runs.get(run_path(ending["run"]))) is None or run["flow"] in expected.fails
    }


def _undone(watch: Watch, _expected: Expected) -> Iterator[tuple[str, str]]:
    for run_id, run in records(watch.documents, "runs"):
        version = watch.version_of(run_id)
        if version is None or run["status"] == "running":
            continue
        undoing = watch.version_of(undo_run_id(run_id))
        for told in broken_undoings(watch.documents, run_id, version, undoing, watch.unwanted):
            yield "undone", told
        for told in broken_hooks(watch.documents, run_id, version):
            yield "undone", told


def _compared(watch: Watch, run_id: str, ending: Ending, expected: Expected) -> Ending:
    """What of an ending must be the same whatever happens."""
    version = watch.version_of(run_id)
    if version is not None and version.flow.can_outrun:
        ending = {**ending, "steps": {}}  # which branches are left behind is a matter of chance
    ending = {**ending, "steps": dict(_certain(ending["steps"]))}
    if expected.exact:
        return ending
    steps = {name: (status, None) for name, (status, _) in ending["steps"].items()}
    return {**ending, "outputs": None, "steps": steps}


def _certain(steps: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Without what is in maps and agents that have failed: how far that got is left to chance."""
    for name, ending in steps.items():
        instance = instance_of(name)
        if instance.is_whole or steps[instance.step][0] != "failed":
            yield name, ending


def _fell_elsewhere(watch: Watch, run_id: str, want: Ending, expected: Expected) -> bool:
    """Whether misfortune has failed a step, or an item, that the run can do without.

    Then the run goes another way, and ends well all the same.
    """
    steps = dict(records(watch.documents, f"{run_path(run_id)}/steps"))
    undisturbed = {name: want["steps"].get(name, (None, None)) for name in steps}
    replaced = any(
        step.get("fallback") and step["output"] != undisturbed[name][1]
        for name, step in steps.items()
    )
    fallen = [
        step["error"]["code"]
        for name, step in steps.items()
        if step["status"] == "failed" and undisturbed[name][0] != "failed"
    ]
    ended_well = watch.documents[run_path(run_id)]["status"] == "succeeded"
    return ended_well and (replaced or bool(fallen)) and expected.letters.issuperset(fallen)


def _graphs(watch: Watch, _expected: Expected) -> Iterator[tuple[str, str]]:
    for run_id, run in records(watch.documents, "runs"):
        version = watch.version_of(run_id)
        if version is None:
            continue
        steps = dict(records(watch.documents, f"{run_path(run_id)}/steps"))
        ended = run["status"] == "succeeded"
        for told in broken_steps(version.flow, steps, ended=ended):
            yield "graph", f"{run_id}: {told}"
        for told in broken_agents(steps):
            yield "agent", f"{run_id}: {told}"
        for told in broken_maps(steps):
            yield "map", f"{run_id}: {told}"
        for told in broken_board(watch.documents, run_id, steps) if ended else ():
            yield "blackboard", told


def _difference(run_id: str, found: Ending | None, wanted: Ending | None) -> str:
    if found is None:
        return f"{run_id} is missing"
    if wanted is None:
        return f"{run_id} should not be there"
    for key in ("status", "error", "outputs"):
        if found[key] != wanted[key]:
            return f"{run_id}: {key} {found[key]!r}, undisturbed {wanted[key]!r}"
    steps = sorted(found["steps"].keys() | wanted["steps"].keys())
    for step in steps:
        have, want = found["steps"].get(step), wanted["steps"].get(step)
        if have != want:
            return f"{run_id}: step {step} {have!r}, undisturbed {want!r}"
    return f"{run_id}: {found!r}, undisturbed {wanted!r}"


def _batches(watch: Watch, _expected: Expected) -> Iterator[tuple[str, str]]:
    for told in broken_batches(watch.versions, watch.documents):
        yield "batch", told


def _kept(watch: Watch, _expected: Expected) -> Iterator[tuple[str, str]]:
    """What is kept beside runs."""
    for invariant, check in (
        ("collection", broken_collections),
        ("counted", broken_counts),
        ("shadow", broken_comparisons),
    ):
        for told in check(watch.documents):
            yield invariant, told


def _joins(watch: Watch, _expected: Expected) -> Iterator[tuple[str, str]]:
    for run_id, run in records(watch.documents, "runs"):
        version = watch.version_of(run_id)
        if version is None or run["status"] != "succeeded":
            continue
        for name, join in records(watch.documents, f"{run_path(run_id)}/joins"):
            is_open = version.flow.can_outrun  # branches may have been left behind
            if join["arrived"] != version.flow.width(name) and not is_open:
                yield "join-once", f"join {name} of {run_id} counts {join['arrived']}"


def _letters(watch: Watch, expected: Expected) -> Iterator[tuple[str, str]]:
    kept: Counter[bytes] = Counter()
    for letter_id, letter in records(watch.documents, "dead_letters"):
        code = letter["error"]["code"]
        if letter["data"] in expected.garbage:
            kept[letter["data"]] += 1
            if code not in {"MessageInvalid", "DeliveriesExhausted"}:
                yield "dead-letters", f"garbage is kept as {code}"
        elif code not in expected.letters and not _is_missed_tick(letter):
            yield "dead-letters", f"a letter of {letter['step']} with {letter['error']}"
        elif letter["status"] != "redriven" and not is_undone(
            watch.documents, str(letter["run_id"])
        ):
            yield "dead-letters", f"letter {letter_id} is still open"
    for garbage in expected.garbage:
        if kept[garbage] != 1:
            yield "dead-letters", f"{kept[garbage]} letters for one message of garbage"


def _is_missed_tick(letter: Fields) -> bool:
    """Nothing is lost with one; it is given up where those before it take all the time."""
    return bool(letter["stage"] == "sweep" and letter["error"]["code"] == "DeliveriesExhausted")
