"""A whole `GenerateContentResponse`: read from a provider, written for a client; and what its stream has in common with
it, since each of its events is such a response.

Parts of kinds that no translated call can ask for (searches, code run at Google) are passed over.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from gateway.dialects.arguments import as_json, as_object
from gateway.dialects.fields import Fields, answered
from gateway.dialects.gemini.contents import read_media
from gateway.dialects.gemini.signature import read_signature, write_signature
from gateway.dialects.gemini.turns import write_media
from gateway.dialects.neutral import (
    ChatReply,
    ChatRequest,
    Choice,
    Decline,
    Media,
    Part,
    Reasoning,
    StopReason,
    Text,
    TokenLogprob,
    ToolUse,
)
from gateway.exchange import Json, Usage
from gateway.providers import usage as counts

CANDIDATES_MAX = 128
_LENGTH = frozenset(("MAX_TOKENS", "TOO_MANY_TOOL_CALLS"))
_FILTERED = frozenset((
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "ESCALATION",
    "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "MODEL_ARMOR",
))  # fmt: skip
_BROKEN = frozenset(
    ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE")
)
_FINISHES: Mapping[StopReason, str] = {
    StopReason.END: "STOP", StopReason.STOP_SEQUENCE: "STOP", StopReason.TOOL_USE: "STOP",
    StopReason.LENGTH: "MAX_TOKENS", StopReason.CONTENT_FILTER: "SAFETY", StopReason.REFUSAL: "SAFETY",
}  # fmt: skip


def read_reply(reply: Json) -> ChatReply:
    fields = answered(reply)
    choices = [_read_choice(candidate, fields) for candidate in candidates(fields)]
    if not choices:
        if not blocked(fields):
            fields.refuse("candidates", "are missing")
        choices = [Choice((), StopReason.CONTENT_FILTER)]
    return ChatReply(
        fields.text("responseId") or "", fields.text("modelVersion") or "", choices, read_usage(fields)
    )  # fmt: skip


def candidates(reply: Fields) -> list[Fields]:
    return sorted(reply.children("candidates"), key=lambda one: one.integer("index", 0, CANDIDATES_MAX) or 0)


def blocked(reply: Fields) -> bool:
    """The prompt was refused: there will be no candidate."""
    feedback = reply.child("promptFeedback")
    return feedback is not None and feedback.text("blockReason") is not None


def _read_choice(candidate: Fields, reply: Fields) -> Choice:
    index = candidate.integer("index", 0, CANDIDATES_MAX) or 0
    parts: list[Part] = []
    for part in read_parts(candidate):
        if isinstance(part, ToolUse) and not part.id:
            calls = sum(isinstance(one, ToolUse) for one in parts)
            parts.append(part._replace(id=made_id(reply, index, calls, part)))
        else:
            parts.append(part)
    called = any(isinstance(part, ToolUse) for part in parts)
    stop = read_stop(candidate, called=called) or (StopReason.TOOL_USE if called else StopReason.END)
    return Choice(tuple(parts), stop, logprobs=read_logprobs(candidate))


def read_parts(candidate: Fields) -> Iterator[Part]:
    """The parts; a call's id is empty where Gemini gave none."""
    content = candidate.child("content")
    for part in content.children("parts") if content is not None else ():
        signature = read_signature(part.text("thoughtSignature"))
        if part.has("functionCall"):
            yield _read_call(part.need_child("functionCall"), signature)
            continue
        text = part.text("text")
        if part.flag("thought"):
            yield Reasoning(text or "", signature)
            continue
        if signature is not None:
            yield Reasoning("", signature)
        if text:
            yield Text(text)
        elif part.has("inlineData") or part.has("fileData"):
            yield read_media(part)


def _read_call(call: Fields, signature: str | None) -> ToolUse:
    arguments = as_json(call.mapping("args") or {})
    if arguments is None:
        call.refuse("args", "is nested too deeply")
    return ToolUse(call.text("id") or "", call.need_text("name"), arguments, signature)


def made_id(reply: Fields, candidate: int, call: int, part: ToolUse) -> str:
    """An id for a call that has none: the same for the same reply, another one for every other."""
    told = f"{reply.text('responseId')}\n{candidate}\n{call}\n{part.name}\n{part.arguments}"
    return f"call_{sha256(told.encode()).hexdigest()[:24]}"


def read_stop(candidate: Fields, *, called: bool) -> StopReason | None:
    """None as long as the candidate hasn't ended."""
    finish = candidate.text("finishReason")
    if not finish:
        return None
    if finish in _BROKEN:
        candidate.refuse("finishReason", "says that the model failed")
    if finish in _LENGTH:
        return StopReason.LENGTH
    if finish in _FILTERED:
        return StopReason.CONTENT_FILTER
    return StopReason.TOOL_USE if called else StopReason.END


def read_logprobs(candidate: Fields) -> Sequence[TokenLogprob] | None:
    result = candidate.child("logprobsResult")
    if result is None:
        return None
    tops = [[_token(one) for one in top.children("candidates")] for top in result.children("topCandidates")]
    chosen = [_token(one) for one in result.children("chosenCandidates")]
    tops += [[]] * (len(chosen) - len(tops))
    return tuple(TokenLogprob(*one, tuple(top)) for one, top in zip(chosen, tops, strict=False))


def _token(said: Fields) -> tuple[str, float]:
    return said.text("token") or "", said.number("logProbability") or 0.0


def read_usage(reply: Fields) -> Usage | None:
    """Gemini's candidates leave out the thoughts, and its prompt what tools put into it; ours hold both."""
    said: Any = reply.value("usageMetadata")
    usage = counts.read(said, ("promptTokenCount", "toolUsePromptTokenCount"), "candidatesTokenCount")
    if usage is None:
        return None
    thoughts, cached = _count(said, "thoughtsTokenCount"), _count(said, "cachedContentTokenCount")
    return Usage(usage.prompt_tokens, usage.completion_tokens + thoughts, min(cached, usage.prompt_tokens), thoughts)


def _count(said: Json, name: str) -> int:
    value = said.get(name)
    return value if type(value) is int and 0 < value < 2**53 else 0


def write_reply(reply: ChatReply, request: ChatRequest) -> Json:
    written: Json = {
        "candidates": [_write_choice(choice, i) for i, choice in enumerate(reply.choices)],
        "modelVersion": reply.model or request.model,
        "responseId": reply.id,
    }
    return written if reply.usage is None else {**written, "usageMetadata": write_usage(reply.usage)}


def _write_choice(choice: Choice, index: int) -> Json:
    failed = any(isinstance(part, ToolUse) and as_object(part.arguments) is None for part in choice.parts)
    candidate = write_candidate(index, list(_write_parts(choice.parts)), choice.logprobs)
    return {**candidate, "finishReason": write_stop(choice.stop, failed=failed)}


def _write_parts(parts: Sequence[Part]) -> Iterator[Json]:
    carried: str | None = None  # a signature that waits for its part
    for part in parts:
        if isinstance(part, Reasoning):
            if carried is not None:
                yield write_part(Text(""), carried)
            carried = part.signature  # what is redacted has no place
            if part.text:
                yield write_part(Reasoning(part.text))
        else:
            yield write_part(part, carried)
            carried = None
    if carried is not None:
        yield write_part(Text(""), carried)


def write_candidate(index: int, parts: Sequence[Json], logprobs: Sequence[TokenLogprob] | None) -> Json:
    candidate: Json = {"content": {"parts": list(parts), "role": "model"}, "index": index}
    if logprobs is not None:
        candidate["logprobsResult"] = {
            "chosenCandidates": [_write_token(one.token, one.logprob) for one in logprobs],
            "topCandidates": [{"candidates": [_write_token(*top) for top in one.top]} for one in logprobs],
        }
    return candidate


def _write_token(token: str, logprob: float) -> Json:
    return {"token": token, "logProbability": logprob}


def write_part(part: Part, signature: str | None = None) -> Json:
    """A part; `signature` is one that came before it. Arguments that are no object are left out: see `write_stop`."""
    written: Json = {}
    match part:
        case Text(text) | Decline(text):
            written = {"text": text}
        case Reasoning(text):
            written = {"text": text, "thought": True}
        case ToolUse():
            call = {"id": part.id, "name": part.name, "args": as_object(part.arguments) or {}}
            written, signature = {"functionCall": call}, part.signature or signature
        case Media():
            written = write_media(part)
    return written if signature is None else {**written, "thoughtSignature": write_signature(signature)}


def write_stop(reason: StopReason, *, failed: bool) -> str:
    """`failed`: some arguments were no JSON object, which this dialect can't show, but has a name for."""
    return "MALFORMED_FUNCTION_CALL" if failed else _FINISHES[reason]


def write_usage(usage: Usage) -> Json:
    thoughts = {"thoughtsTokenCount": usage.reasoning_tokens} if usage.reasoning_tokens else {}
    cached = {"cachedContentTokenCount": usage.cached_tokens} if usage.cached_tokens else {}
    return {
        "promptTokenCount": usage.prompt_tokens,
        "candidatesTokenCount": max(usage.completion_tokens - usage.reasoning_tokens, 0),
        **thoughts,
        **cached,
        "totalTokenCount": usage.total_tokens,
    }
