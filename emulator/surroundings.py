"""Where a local system's own servers are going to listen, and what its stages are told of it.

Fixed before anything starts, so that everything can start at once. Must not know how they serve.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emulator.engine import Engine
from emulator.ports import HOST, free_port
from shared.runtime.settings import LOCAL_PROJECT, Settings

_REAL_MODEL = ("GEMINI_API_KEY", "SEGUE_MODEL")
LOCAL_HOOK_SECRET = "local-secret"  # noqa: S105 - signs test webhooks on this machine only
LOCAL_LINK_SECRET = "local-link-secret"  # noqa: S105 - the same for links of approvals


@dataclass(frozen=True)
class Ports:
    """Chosen once. `model` is None where the environment asks for a real model."""

    sink: int = field(default_factory=free_port)
    smtp: int = field(default_factory=free_port)
    model: int | None = field(default_factory=lambda: None if _real_model() else free_port())

    def urls(self) -> dict[str, str]:
        """Where the HTTP servers are, by name."""
        urls = {"sink": f"http://{HOST}:{self.sink}"}
        return urls if self.model is None else urls | {"model": f"http://{HOST}:{self.model}"}


def environment_of(engine: Engine, ports: Ports, prompts: Path | None) -> dict[str, str]:
    """The variables under which the stages, and any client, find all of it."""
    urls = ports.urls()
    environment = {
        **engine.environment(),
        "GOOGLE_CLOUD_PROJECT": os.environ.get("GOOGLE_CLOUD_PROJECT", LOCAL_PROJECT),
        "SEGUE_PREFIX": Settings().prefix,
        "SEGUE_SLACK_TOKEN": "local",
        "SEGUE_SLACK_BASE_URL": f"{urls['sink']}/api",
        "SEGUE_SMTP_URL": f"smtp://{HOST}:{ports.smtp}",
        "SEGUE_EMAIL_FROM": "support@segue.example",
        "SEGUE_INGEST_OPEN": "true",
        "SEGUE_HOOK_SECRETS": json.dumps(dict.fromkeys(("demo", "slack"), LOCAL_HOOK_SECRET)),
        "SEGUE_LINK_SECRET": LOCAL_LINK_SECRET,
        "SEGUE_RELOAD": "true",
        "SEGUE_PROMPTS_REFRESH": "1",
        **_console_tokens(),
    }
    if prompts is not None:
        environment["SEGUE_PROMPTS"] = str(prompts)
    if "model" in urls:
        environment["GOOGLE_VERTEX_BASE_URL"] = urls["model"]
    return environment


def _console_tokens() -> dict[str, str]:
    """Those that the environment names, and one for whoever starts the system."""
    user = _user()
    known = Settings().callers().tokens
    own, *others = known.get(user) or (secrets.token_urlsafe(24),)
    tokens = json.dumps({**known, user: [own, *others]})
    return {"SEGUE_CONSOLE_TOKENS": tokens, "SEGUE_CONSOLE_TOKEN": own}


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run as a number that nobody has a name for
        return "local"


def stage_environment(environment: Mapping[str, str], crash_dir: Path | None) -> dict[str, str]:
    """The whole environment of a stage process."""
    own = {**os.environ, **environment, "PYTHONUNBUFFERED": "1"}
    if crash_dir is not None:
        own["SEGUE_CRASH_DIR"] = str(crash_dir.resolve())
    return own


def _real_model() -> bool:
    return any(os.environ.get(name) for name in _REAL_MODEL)
