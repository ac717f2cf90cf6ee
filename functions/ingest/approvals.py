"""The page behind a signed link, where one person approves or rejects what a run asks.

Opening it changes nothing: mail scanners open links too. It knows what the link says, not how the
run stands; whether a decision is taken, `route` decides.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qs

from shared.domain import ids
from shared.domain.commands import Signal
from shared.domain.links import ApprovalLink

SOURCE = "//segue/links"
LONGEST_COMMENT = 2000  # characters
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
}
_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;"
    "color:#1c1c1c;background:#fff}dt{color:#595959}dd{margin:0 0 .6rem;overflow-wrap:anywhere}"
    "textarea{width:100%;font:inherit;box-sizing:border-box}"
    "button{font:inherit;padding:.5rem 1.2rem;margin:.8rem .6rem 0 0;border:1px solid #595959;"
    "border-radius:.4rem;background:#fff;cursor:pointer}"
)


@dataclass(frozen=True)
class Page:
    """A small HTML document that holds all it shows, and the headers that go with it."""

    title: str
    body: str

    @property
    def headers(self) -> dict[str, str]:
        return dict(_HEADERS)

    def __str__(self) -> str:
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.title)}</title><style>{_STYLE}</style></head>"
            f"<body><h1>{escape(self.title)}</h1>{self.body}</body></html>"
        )


@dataclass(frozen=True)
class Decision:
    """What was said on the page."""

    approved: bool
    comment: str | None = None


def asking(link: ApprovalLink) -> Page:
    """Asks for the decision."""
    about = {
        "Run": link.run,
        "Step": link.step,
        "You are": link.by,
        "Until": f"{link.expires:%Y-%m-%d %H:%M} UTC",
    }
    told = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in about.items()
    )
    return Page(
        "Approve or reject",
        f'<dl>{told}</dl><form method="post"><label for="comment">Comment, if any</label>'
        f'<textarea id="comment" name="comment" rows="3" maxlength="{LONGEST_COMMENT}"></textarea>'
        '<button name="decision" value="approve">Approve</button>'
        '<button name="decision" value="reject">Reject</button></form>',
    )


def thanks(decision: Decision) -> Page:
    """The decision is on its way."""
    what = "approval" if decision.approved else "rejection"
    return Page(
        f"Your {what} was sent",
        "<p>The run takes the first decision that reaches it while it waits. You can close this"
        " page.</p>",
    )


def refusing(title: str, why: str) -> Page:
    """Nothing can be decided here."""
    return Page(title, f"<p>{escape(why)}</p>")


def decision_in(body: bytes) -> Decision | None:
    """What a form says; None where it says nothing that can be understood."""
    try:
        given = parse_qs(body.decode(), max_num_fields=10)
    except ValueError:
        return None
    decided = given.get("decision", [""])[-1]
    if decided not in {"approve", "reject"}:
        return None
    comment = given.get("comment", [""])[-1].strip()[:LONGEST_COMMENT]
    return Decision(decided == "approve", comment or None)


def event_of(link: ApprovalLink, decision: Decision) -> tuple[dict[str, str], bytes]:
    """(attributes, data) of the command. A button pressed twice is the same event twice."""
    said = {"approved": decision.approved, "comment": decision.comment}
    command = {"run": link.run, "name": link.step, "by": link.by, "data": said}
    data = json.dumps(command, ensure_ascii=False).encode()
    attributes = {
        "ce-specversion": "1.0",
        "ce-type": Signal.type,
        "ce-source": SOURCE,
        "ce-id": ids.digest("approval", data.decode(), str(link.expires)),
        "content-type": "application/json",
    }
    return attributes, data
