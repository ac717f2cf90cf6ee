"""A usable answer out of what the model sent, or the error that says why there is none.

An error of an answer carries it as `reply`: it was billed. Knows nothing of HTTP.
"""

from __future__ import annotations

from google.genai import types

from shared.domain.records import Tokens
from shared.errors import (
    ModelEmptyError,
    ModelRefusedError,
    ModelTruncatedError,
    Permanent,
)
from shared.ports import ModelReply

_FINISHED = frozenset({"", "FINISH_REASON_UNSPECIFIED", "STOP"})
_CUT_OFF = "MAX_TOKENS"


def reply_of(response: types.GenerateContentResponse, model: str) -> ModelReply:
    """The answer. Raises ModelRefusedError, ModelTruncatedError or ModelEmptyError."""
    candidate = response.candidates[0] if response.candidates else None
    reply = ModelReply(
        text=_text(candidate),
        tokens=tokens_of(response.usage_metadata),
        model=response.model_version or model,
        finish_reason=_reason(candidate).lower() or None,  # as OpenTelemetry's instrumentation says
    )
    error = _objection(response.prompt_feedback, candidate, reply.text)
    if error is not None:
        error.reply = reply
        raise error
    return reply


def tokens_of(usage: types.GenerateContentResponseUsageMetadata | None) -> Tokens:
    """Tokens as they are billed."""
    if usage is None:
        return Tokens()
    return Tokens(
        input=(usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0),
        output=(usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        cached=usage.cached_content_token_count or 0,
    )


def _objection(
    feedback: types.GenerateContentResponsePromptFeedback | None,
    candidate: types.Candidate | None,
    text: str,
) -> Permanent | None:
    if feedback is not None and feedback.block_reason:
        why = f" ({feedback.block_reason_message})" if feedback.block_reason_message else ""
        return ModelRefusedError(f"the prompt was blocked: {feedback.block_reason.value}{why}")
    reason = _reason(candidate)
    if reason == _CUT_OFF:
        return ModelTruncatedError(f"the answer ends after {len(text):,} characters")
    if reason not in _FINISHED:
        why = f" ({candidate.finish_message})" if candidate and candidate.finish_message else ""
        return ModelRefusedError(f"the answer was stopped: {reason}{why}")
    if not text.strip():
        return ModelEmptyError("no text" if candidate else "no candidates")
    return None


def _reason(candidate: types.Candidate | None) -> str:
    return candidate.finish_reason.value if candidate and candidate.finish_reason else ""


def _text(candidate: types.Candidate | None) -> str:
    parts = (candidate.content.parts if candidate and candidate.content else None) or []
    return "".join(part.text for part in parts if part.text and not part.thought)
