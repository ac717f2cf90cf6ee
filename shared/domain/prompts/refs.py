"""How a flow names a prompt: by name alone, by a label, or by one exact version.

Names of prompts are paths; in the registry's documents they are one segment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

PRODUCTION = "production"  # what a name alone stands for
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_HASH = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, order=True)
class PromptRef:
    """A prompt and `at` which version: a label, the number of a version, or its content hash."""

    name: str
    at: str = PRODUCTION

    @classmethod
    def read(cls, text: str) -> Self:
        """`name`, `name@label`, `name@3` or `name@<hash>`. Raises ValueError."""
        name, separator, at = text.partition("@")
        if not separator:
            return cls(name)
        is_exact = _NUMBER.fullmatch(at) or _HASH.fullmatch(at)
        if not is_exact and not is_label(at):
            raise ValueError(f"{at!r} is no label, number or hash of a version, as in {name}@3")
        return cls(name, at)

    @property
    def number(self) -> int | None:
        """The number of the version, where that is what it is named by."""
        return int(self.at) if _NUMBER.fullmatch(self.at) else None

    @property
    def is_exact(self) -> bool:
        """Whether it names one version for ever."""
        return self.number is not None or _HASH.fullmatch(self.at) is not None

    def __str__(self) -> str:
        return self.name if self.at == PRODUCTION else f"{self.name}@{self.at}"


def is_label(text: str) -> bool:
    """Whether this can be a label: a small letter first, and not to be mistaken for a hash."""
    return _LABEL.fullmatch(text) is not None and _HASH.fullmatch(text) is None


def is_name(text: str) -> bool:
    """Whether the registry can hold a prompt of this name."""
    return _NAME.fullmatch(text) is not None and len(text) <= 200


def document_id(name: str) -> str:
    """The name as one segment of a path; no name has a colon."""
    return name.replace("/", ":")
