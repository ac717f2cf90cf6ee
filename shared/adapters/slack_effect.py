"""Posts to Slack with `chat.postMessage`.

Decides which of Slack's refusals pass. Slack recognises a repeat by `client_msg_id`.
"""

from __future__ import annotations

import uuid
from typing import Any

import httpx

from shared.domain.actions import SlackPost
from shared.domain.model import Json
from shared.errors import ActionFailedError, EffectUnavailableError

SLACK_API = "https://slack.com/api"
_SECONDS = 30.0
_TOO_MANY = 429
_SERVER_ERROR = 500
# https://docs.slack.dev/reference/methods/chat.postMessage#errors
_PASSING = frozenset(
    {
        "fatal_error",
        "internal_error",
        "rate_limited",
        "ratelimited",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
    }
)


class SlackEffect:
    """Carries out `slack.post`."""

    def __init__(
        self, client: httpx.AsyncClient, token: str | None, base_url: str | None = None
    ) -> None:
        self._client = client
        self._token = token
        self._url = f"{(base_url or SLACK_API).rstrip('/')}/chat.postMessage"

    async def post(self, action: SlackPost, key: str) -> Json:
        """The channel and the timestamp that names the message in it."""
        if not self._token:
            raise ActionFailedError("slack.post needs a bot token: set SEGUE_SLACK_TOKEN")
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": key}
        try:
            response = await self._client.post(
                self._url, json=_body(action, key), headers=headers, timeout=_SECONDS
            )
        except httpx.HTTPError as error:
            raise EffectUnavailableError(f"Slack: {type(error).__name__}") from error
        except ValueError as error:
            raise ActionFailedError(f"slack.post cannot be sent: {error}") from error
        answer = _answer(response)
        if not answer.get("ok"):
            raise _refusal(answer)
        return {"channel": str(answer.get("channel", "")), "ts": str(answer.get("ts", ""))}


def _body(action: SlackPost, key: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "channel": action.channel,
        "text": action.text,
        "client_msg_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"segue:{key}")),
        "metadata": {"event_type": "segue_step", "event_payload": {"key": key}},
    }
    if action.thread_ts is not None:
        body["thread_ts"] = action.thread_ts
    return body


def _answer(response: httpx.Response) -> dict[str, Any]:
    status = response.status_code
    if status == _TOO_MANY or status >= _SERVER_ERROR:
        raise EffectUnavailableError(f"Slack answered {status}")
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ActionFailedError(f"Slack answered {status} without JSON: check SEGUE_SLACK_BASE_URL")
    return answer


def _refusal(answer: dict[str, Any]) -> ActionFailedError | EffectUnavailableError:
    error = str(answer.get("error") or "unknown_error")
    if error in _PASSING:
        return EffectUnavailableError(f"Slack: {error}")
    needed = f" (the token needs the scope {answer['needed']})" if answer.get("needed") else ""
    return ActionFailedError(f"Slack: {error}{needed}")
