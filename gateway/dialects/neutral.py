"""The one form between dialects: what a conversation asks for, what a model answers, and that answer in pieces.

A dialect is read into this form and written from it, so N dialects need N readers and N writers, never N x N
converters. The form holds what more than one dialect knows. What it can't hold, a reader refuses with InvalidRequest,
naming the field; what a dialect can't say, its writer refuses in the same way or drops by the rule that stands in that
dialect's `DROPPED`, which the documentation is made from. Nothing is lost in silence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from gateway.errors import Refusal
from gateway.exchange import Json, Usage


class Role(StrEnum):
    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class MediaKind(StrEnum):
    IMAGE = "image"
    AUDIO = "audio"
    FILE = "file"


class Text(NamedTuple):
    text: str


class Media(NamedTuple):
    """Exactly one of `data` (base64, without a data-URL's head), `url` and `file_id` (a file at the provider) is set.
    `mime` is known wherever `data` is."""

    kind: MediaKind
    mime: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    name: str | None = None
    detail: str | None = None


class Reasoning(NamedTuple):
    """What the model thought. `signature` (or `redacted`, in place of text) lets its provider recognise it in a later
    turn; both are opaque."""

    text: str
    signature: str | None = None
    redacted: str | None = None


class ToolUse(NamedTuple):
    """`arguments` is JSON text, as the model wrote it. `signature` is opaque, for the provider (Gemini's thoughts)."""

    id: str
    name: str
    arguments: str
    signature: str | None = None


class ToolResult(NamedTuple):
    """`name` is the tool's, where known: some dialects tell calls apart by it."""

    id: str
    name: str | None
    parts: "Sequence[Text | Media]"
    is_error: bool = False


class Decline(NamedTuple):
    """The model's own words for not answering (OpenAI's `refusal`)."""

    text: str


Part: TypeAlias = Text | Media | Reasoning | ToolUse | ToolResult | Decline


class Message(NamedTuple):
    """Tool results stand in messages of their own, with the role TOOL. `name`: of the participant."""

    role: Role
    parts: Sequence[Part]
    name: str | None = None


class Tool(NamedTuple):
    """A function. `schema` is JSON Schema, None for a function without parameters."""

    name: str
    description: str | None = None
    schema: Json | None = None
    strict: bool | None = None


class ToolMode(StrEnum):
    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    NAMED = "named"


class ToolChoice(NamedTuple):
    mode: ToolMode = ToolMode.AUTO
    name: str | None = None


class Output(NamedTuple):
    """Structured output: JSON, by `schema` where there is one."""

    schema: Json | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


class Thinking(NamedTuple):
    """How much the model may think: an effort (none, minimal, low, medium, high, xhigh) or a budget in tokens.
    `summary`: whether, and how, its thoughts are shown (auto, concise, detailed, none)."""

    effort: str | None = None
    budget_tokens: int | None = None
    summary: str | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What is asked. `None` is "not said": the provider's default."""

    model: str
    messages: Sequence[Message]
    stream: bool = False
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: Sequence[str] = ()
    choices: int = 1
    logprobs: bool = False
    top_logprobs: int | None = None
    tools: Sequence[Tool] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    output: Output | None = None
    thinking: Thinking | None = None
    user: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


class StopReason(StrEnum):
    END = "end"
    LENGTH = "length"
    STOP_SEQUENCE = "stop_sequence"
    TOOL_USE = "tool_use"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"


class TokenLogprob(NamedTuple):
    """`top`: the likeliest tokens at this place, with their logarithms."""

    token: str
    logprob: float
    top: Sequence[tuple[str, float]] = ()


class Choice(NamedTuple):
    parts: Sequence[Part]
    stop: StopReason
    stop_sequence: str | None = None
    logprobs: Sequence[TokenLogprob] | None = None


class ChatReply(NamedTuple):
    """A whole answer. `created` in unix seconds, 0 where the provider doesn't say. Raw usage is the provider's."""

    id: str
    model: str
    choices: Sequence[Choice]
    usage: Usage | None
    created: int = 0


# An answer in pieces, in this order: Begin, then the choices' deltas interleaved, a Stop for each choice, UsageDelta
# (perhaps several; the last word counts), End. Failed may come at any point, and nothing after it.


class Begin(NamedTuple):
    id: str
    model: str
    created: int = 0


class TextDelta(NamedTuple):
    text: str
    choice: int = 0
    logprobs: Sequence[TokenLogprob] | None = None


class ReasoningDelta(NamedTuple):
    """Either some text, or the signature (or the redacted thought) that ends it."""

    text: str = ""
    signature: str | None = None
    redacted: str | None = None
    choice: int = 0


class DeclineDelta(NamedTuple):
    text: str
    choice: int = 0


class ToolBegin(NamedTuple):
    """A tool call begins. `call` counts the calls of its choice from 0."""

    call: int
    id: str
    name: str
    choice: int = 0
    signature: str | None = None


class ToolDelta(NamedTuple):
    """Some more of the arguments' JSON text."""

    call: int
    arguments: str
    choice: int = 0


class MediaDelta(NamedTuple):
    """A whole image or sound the model made."""

    media: Media
    choice: int = 0


class Stop(NamedTuple):
    reason: StopReason
    stop_sequence: str | None = None
    choice: int = 0


class UsageDelta(NamedTuple):
    usage: Usage


class End(NamedTuple):
    """The provider has said that nothing more comes."""


class Failed(NamedTuple):
    refusal: Refusal


Delta: TypeAlias = (
    Begin | TextDelta | ReasoningDelta | DeclineDelta | ToolBegin | ToolDelta | MediaDelta | Stop | UsageDelta | End
    | Failed
)  # fmt: skip


def as_text(parts: Sequence[Any]) -> str:
    """The text of `parts`, joined."""
    return "".join(part.text for part in parts if isinstance(part, Text))
