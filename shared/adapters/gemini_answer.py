"""A usable answer out of what the model sent, or the error that says why there is none.

An error of an answer carries it as `reply`: it was billed. Knows nothing of HTTP.
"""

from __future__ import annotations

from google.genai import types

from shared.domain.agents.conversation import Said, ToolCall
from shared.domain.records import Tokens
from shared.errors import (
    ModelCallMalformedError,
    ModelEmptyError,
    ModelRefusedError,
    ModelTruncatedError,
    SegueError,
)
from shared.ports import ModelReply

_FINISHED = frozenset({"", "FINISH_REASON_UNSPECIFIED", "STOP"})
_CUT_OFF = "MAX_TOKENS"
_MISCALLED = frozenset({"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"})


def reply_of(response: types.GenerateContentResponse, model: str) -> ModelReply:
    """The answer.

    Raises ModelRefusedError, ModelTruncatedError, ModelEmptyError or ModelCallMalformedError.
    """
    candidate = response.candidates[0] if response.candidates else None
    reply = ModelReply(
        text=_text(candidate),
        tokens=tokens_of(response.usage_metadata),
        model=response.model_version or model,
        finish_reason=_reason(candidate).lower() or None,  # as OpenTelemetry's instrumentation says
        calls=_calls(candidate),
        said=_said(candidate),
    )
    error = _objection(response.prompt_feedback, candidate, reply)
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
    reply: ModelReply,
) -> SegueError | None:
    if feedback is not None and feedback.block_reason:
        why = f" ({feedback.block_reason_message})" if feedback.block_reason_message else ""
        return ModelRefusedError(f"the prompt was blocked: {feedback.block_reason.value}{why}")
    reason = _reason(candidate)
    if reason == _CUT_OFF:
        return ModelTruncatedError(f"the answer ends after {len(reply.text):,} characters")
    why = f" ({candidate.finish_message})" if candidate and candidate.finish_message else ""
    if reason in _MISCALLED:
        return ModelCallMalformedError(f"{reason}{why}")
    if reason not in _FINISHED:
        return ModelRefusedError(f"the answer was stopped: {reason}{why}")
    if not reply.calls and not reply.text.strip():
        return ModelEmptyError("no text" if candidate else "no candidates")
    return None


def _reason(candidate: types.Candidate | None) -> str:
    return candidate.finish_reason.value if candidate and candidate.finish_reason else ""


def _text(candidate: types.Candidate | None) -> str:
    return "".join(part.text for part in _parts(candidate) if part.text and not part.thought)


def _calls(candidate: types.Candidate | None) -> tuple[ToolCall, ...]:
    asked = [part.function_call for part in _parts(candidate) if part.function_call is not None]
    return tuple(ToolCall(name=call.name or "", args=call.args or {}, id=call.id) for call in asked)


def _said(candidate: types.Candidate | None) -> Said | None:
    """All of it, thoughts and their signatures too, as the API wants it back."""
    parts = [
        part.model_dump(mode="json", by_alias=True, exclude_none=True) for part in _parts(candidate)
    ]
    return Said(role="model", parts=tuple(parts)) if parts else None


def _parts(candidate: types.Candidate | None) -> list[types.Part]:
    return (candidate.content.parts if candidate and candidate.content else None) or []
