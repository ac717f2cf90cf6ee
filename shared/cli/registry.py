"""The prompts on disk and in the registry, as the `prompts` commands see them together."""

from __future__ import annotations

import difflib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from shared.adapters.system_clock import SystemClock
from shared.cli.world import connect
from shared.domain.prompts.records import LabelMove, PromptHead, PushedPrompt
from shared.domain.prompts.refs import PromptRef
from shared.domain.version import PromptVersion
from shared.errors import NotFoundError, UsageError
from shared.prompting.fitting import unfit
from shared.prompting.library import Library
from shared.prompting.pushing import By, PromptChanges
from shared.prompting.registry import StoredPrompts
from shared.prompting.resolving import with_prompts
from shared.runtime.settings import settings


class NoSuchPromptError(NotFoundError):
    """`segue prompts list` shows what there is, `segue flows check` what is wrong with others."""


class NoSuchVersionError(NotFoundError):
    """`segue prompts show NAME` lists versions and labels, `segue prompts push NAME` adds one."""


class UnfitPromptError(UsageError):
    """No label was moved. Correct the prompt and push it again, or the flow that asks with it."""


class RegistryElsewhereError(UsageError):
    """Push prompts and move labels in Langfuse; Segue reads them there, and changes nothing."""


class ReferenceInvalidError(UsageError):
    """Write NAME, NAME@label, NAME@3 or NAME@<hash>."""


@dataclass(frozen=True)
class Registered:
    """What the registry knows of a prompt."""

    head: PromptHead
    versions: list[PushedPrompt] = field(default_factory=list)
    moves: list[LabelMove] = field(default_factory=list)


def changes() -> PromptChanges:
    """Raises RegistryElsewhereError, NothingRunningError and the like."""
    store = connect().store
    if settings().prompt_registry == "langfuse":
        raise RegistryElsewhereError("SEGUE_PROMPT_REGISTRY is langfuse")
    return PromptChanges(store)


async def heads() -> Mapping[str, PromptHead]:
    return {head.name: head for head in await StoredPrompts(connect().store).heads()}


async def registered(name: str) -> Registered | None:
    """Versions, labels and moves of a prompt; None where it was never pushed."""
    registry = StoredPrompts(connect().store)
    head = await registry.head(name)
    if head is None:
        return None
    return Registered(head, await registry.versions(name), await registry.moves(name))


def reference(text: str) -> PromptRef | None:
    """What is named behind a name, None for a name alone. Raises ReferenceInvalidError."""
    try:
        ref = PromptRef.read(text)
    except ValueError as error:
        raise ReferenceInvalidError(str(error)) from error
    return ref if "@" in text else None


async def named(text: str, library: Library) -> PromptVersion:
    """NAME is the copy on disk; with @ it is a version of the registry, or the copy's own hash.

    Raises NoSuchPromptError, NoSuchVersionError, ReferenceInvalidError.
    """
    ref = reference(text)
    if ref is None:
        if text not in library.prompts:
            raise NoSuchPromptError(f"there is no prompt {text!r}")
        return library.prompts[text]
    own = library.prompts.get(ref.name)
    if own is not None and ref.at == own.version:
        return own
    return (await pushed(ref)).prompt


async def pushed(ref: PromptRef) -> PushedPrompt:
    """Raises NoSuchVersionError."""
    found = await StoredPrompts(connect().store).pushed(ref)
    if found is None:
        what = f"version {ref.at}" if ref.is_exact else f"label {ref.at!r}"
        raise NoSuchVersionError(f"prompt {ref.name!r} has no {what} in the registry")
    return found


def require_fit(prompt: PromptVersion, label: str, library: Library) -> None:
    """Raises UnfitPromptError where a flow on disk would get the prompt and cannot do with it."""
    for version in library.flows.values():
        calling = {
            called: prompt
            for called in version.prompts
            if PromptRef.read(called) == PromptRef(prompt.name, label)
        }
        reason = unfit(with_prompts(version, {**version.prompts, **calling})) if calling else None
        if reason is not None:
            told = f"{prompt.name!r}, version {prompt.version}, does not fit flow"
            raise UnfitPromptError(f"{told} {version.flow.flow!r}: {reason}")


def by(name: str | None) -> By:
    """Who changes the registry: as given, else git's user, else the login."""
    return By(name or _git_user() or os.environ.get("USER") or "unknown", SystemClock().now())


def _git_user() -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    asked = subprocess.run(  # noqa: S603 - nothing of it comes from outside
        [git, "config", "user.name"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or None


def file_text(prompt: PromptVersion) -> str:
    """The prompt as a file would have it."""
    head = prompt.head.model_dump(mode="json", exclude_defaults=True)
    written = yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=100)
    return f"---\n{written}---\n{prompt.body}"


def text_of(prompt: PromptVersion) -> str:
    """The same, its partials behind it."""
    partials = (f"\n--- {name}\n{text}" for name, text in sorted(prompt.partials.items()))
    return f"{file_text(prompt)}{''.join(partials)}"


def difference(one: tuple[str, PromptVersion], other: tuple[str, PromptVersion]) -> Iterator[str]:
    """Lines of a unified diff; none where both have the same content."""
    (before, old), (after, new) = one, other
    lines = (text_of(old).splitlines(), text_of(new).splitlines())
    return difflib.unified_diff(
        *lines, f"{before} {old.version}", f"{after} {new.version}", lineterm=""
    )
