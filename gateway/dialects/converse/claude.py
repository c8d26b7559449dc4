"""What a call says to a Claude on Bedrock beside the conversation: the same as to a Claude at Anthropic.

Models of different years take different settings, and some exclude others. Anthropic's dialect knows them all, so the
call is written in it, without what was said, and the settings are taken from there to where Converse wants them.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from gateway.dialects.messages.schema import closed
from gateway.dialects.messages.write_request import write_request
from gateway.dialects.neutral import ChatRequest, Message, Part, Reasoning, Role, Text, ToolUse
from gateway.exchange import Json


class Settings(NamedTuple):
    """`inference` is Converse's, `fields` go to the model as they are. `thinks`: its thoughts may go back to it."""

    inference: Json
    fields: Json
    effort: str | None
    schema: Json | None
    thinks: bool


def is_claude(model: str) -> bool:
    """By the name alone: an application's own profile doesn't tell its model, and is taken for another maker's."""
    return "claude" in model.lower()


def claude_settings(request: ChatRequest, model: str) -> Settings:
    said = write_request(replace(request, messages=_outline(request.messages)), model)
    thinking, config = said.get("thinking", {}), said.get("output_config", {})
    inference: Json = {}
    if request.max_tokens is not None or thinking.get("type") == "enabled":  # a budget counts against the limit
        inference["maxTokens"] = said["max_tokens"]
    for name, here in (("temperature", "temperature"), ("top_p", "topP")):
        if name in said:
            inference[here] = said[name]
    fields: Json = {name: said[name] for name in ("thinking", "top_k") if name in said}
    if "disable_parallel_tool_use" in (choice := said.get("tool_choice", {})):
        fields["tool_choice"] = choice
    thinks = request.thinking is None or thinking.get("type", "disabled") != "disabled"
    schema = closed(request.output.schema) if request.output is not None else None
    return Settings(inference, fields, config.get("effort"), schema, thinks)


def _outline(messages: Sequence[Message]) -> list[Message]:
    """Whether a model may go on thinking depends on who spoke, what it thought and whether it called; not on words."""
    outlined = [message for message in messages if message.role not in (Role.SYSTEM, Role.DEVELOPER)]
    return [Message(message.role, [Text("-"), *_kept(message.parts)]) for message in outlined or messages]


def _kept(parts: Sequence[Part]) -> list[Part]:
    thoughts = [part for part in parts if isinstance(part, Reasoning)]
    return [*thoughts, *(ToolUse(part.id, part.name, "{}") for part in parts if isinstance(part, ToolUse))]
