"""What Bedrock's Converse answers, read whole. The reply names neither itself nor its model: both are empty."""

from collections.abc import Iterator
from typing import Any

from gateway.dialects.arguments import as_json
from gateway.dialects.fields import Fields, answered
from gateway.dialects.neutral import (
    ChatReply,
    Choice,
    Media,
    MediaKind,
    Part,
    Reasoning,
    StopReason,
    Text,
    ToolUse,
)
from gateway.dialects.signature import Origin, signed_by
from gateway.exchange import Json, Usage
from gateway.providers import usage as counts

_REASONS = {
    "end_turn": StopReason.END, "max_tokens": StopReason.LENGTH, "stop_sequence": StopReason.STOP_SEQUENCE,
    "tool_use": StopReason.TOOL_USE, "guardrail_intervened": StopReason.CONTENT_FILTER,
    "content_filtered": StopReason.CONTENT_FILTER, "refusal": StopReason.REFUSAL,
    "model_context_window_exceeded": StopReason.LENGTH,
}  # fmt: skip
_MALFORMED = ("malformed_model_output", "malformed_tool_use")
_USAGE_NAMES = {
    "input_tokens": "inputTokens", "output_tokens": "outputTokens", "cache_read_input_tokens": "cacheReadInputTokens",
    "cache_creation_input_tokens": "cacheWriteInputTokens",
}  # fmt: skip
_INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def read_reply(reply: Json) -> ChatReply:
    fields = answered(reply)
    message = fields.need_child("output").need_child("message")
    parts = [part for block in message.children("content") for part in _parts(block)]
    stop, sequence = read_stop(fields)
    return ChatReply("", "", [Choice(parts, stop, sequence)], read_usage(fields.value("usage")))


def read_stop(fields: Fields) -> tuple[StopReason, str | None]:
    """Which sequence it was is told where it was asked for. A reason that is new is an end."""
    reason = fields.need_text("stopReason")
    if reason in _MALFORMED:
        fields.refuse("stopReason", "says that the model's answer makes no sense.")
    more = fields.value("additionalModelResponseFields")
    sequence = more.get("stop_sequence") if isinstance(more, dict) else None
    return _REASONS.get(reason, StopReason.END), sequence if isinstance(sequence, str) else None


def read_usage(said: Any) -> Usage | None:
    """The input that a cache took or gave is not in `inputTokens`."""
    if not isinstance(said, dict):
        return None
    return counts.read({name: said.get(here) for name, here in _USAGE_NAMES.items()}, _INPUT, "output_tokens")


def read_thoughts(block: Fields) -> Reasoning:
    """Of a whole thought, `block` is its `reasoningText`; of one in pieces, the piece."""
    redacted = signed_by(Origin.BEDROCK, block.text("redactedContent"))
    return Reasoning(block.text("text") or "", signed_by(Origin.ANTHROPIC, block.text("signature")), redacted)


def _parts(block: Fields) -> Iterator[Part]:
    if (text := block.text("text")) is not None:
        if text:
            yield Text(text)
    elif (call := block.child("toolUse")) is not None:
        yield _call(call)
    elif (thoughts := block.child("reasoningContent")) is not None:
        yield read_thoughts(thoughts.child("reasoningText") or thoughts)
    elif (image := block.child("image")) is not None:
        data = image.need_child("source").need_text("bytes")
        yield Media(MediaKind.IMAGE, f"image/{image.need_text('format')}", data)
    elif (cited := block.child("citationsContent")) is not None:  # the text stays, what it rests on has no place here
        yield Text("".join(content.text("text") or "" for content in cited.children("content")))
    else:
        block.refuse("", "is of a kind that was not asked for.")


def _call(call: Fields) -> ToolUse:
    arguments = as_json(call.mapping("input") or {})
    if arguments is None:
        call.refuse("input", "is nested too deeply.")
    return ToolUse(call.need_text("toolUseId"), call.need_text("name"), arguments)
