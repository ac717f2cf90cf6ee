"""All effects outside Google Cloud behind one port. Decides nothing itself."""

from __future__ import annotations

import httpx

from shared.adapters.http_effect import HttpEffect
from shared.adapters.slack_effect import SlackEffect
from shared.adapters.smtp_effect import SmtpEffect
from shared.domain.actions import EmailSend, HttpRequest, SlackPost
from shared.domain.model import Json


class OutsideEffects:
    """Implements `Effects`. `client` is what the effects over HTTP share."""

    def __init__(
        self, client: httpx.AsyncClient, slack: SlackEffect, smtp: SmtpEffect, http: HttpEffect
    ) -> None:
        self._client = client
        self._slack = slack
        self._smtp = smtp
        self._http = http

    async def post_to_slack(self, action: SlackPost, key: str) -> Json:
        return await self._slack.post(action, key)

    async def send_email(self, action: EmailSend, key: str) -> Json:
        return await self._smtp.send(action, key)

    async def request_http(self, action: HttpRequest, key: str) -> Json:
        return await self._http.request(action, key)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.aclose()


def build_effects(
    *,
    slack_token: str | None = None,
    slack_url: str | None = None,
    smtp_url: str | None = None,
    email_from: str | None = None,
) -> OutsideEffects:
    """Effects for the running event loop; what is not set fails when it is asked for."""
    # A proxy would resolve names itself, past the check of where they lead.
    client = httpx.AsyncClient(follow_redirects=False, trust_env=False)
    return OutsideEffects(
        client,
        SlackEffect(client, slack_token, slack_url),
        SmtpEffect(smtp_url, email_from),
        HttpEffect(client),
    )
