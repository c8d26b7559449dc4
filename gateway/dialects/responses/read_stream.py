"""A stream of OpenAI's response events, read from a provider.

Deltas are what counts. What a server says only when it is done (a text without deltas, an encrypted thought) is taken
from there, and nothing is taken twice.
"""

from collections.abc import Iterable, Iterator

import orjson

from gateway.dialects.base import BrokenReply
from gateway.dialects.chat.reply import read_arguments
from gateway.dialects.fields import Fields, answered
from gateway.dialects.neutral import (
    Begin,
    DeclineDelta,
    Delta,
    End,
    Failed,
    Media,
    MediaDelta,
    MediaKind,
    ReasoningDelta,
    Stop,
    TextDelta,
    ToolBegin,
    ToolDelta,
    UsageDelta,
)
from gateway.dialects.openai.failure import read_failure
from gateway.dialects.openai.logprobs import read_logprobs
from gateway.dialects.responses.reply import read_created, read_stop, read_usage
from gateway.dialects.signature import Origin, signed_by

_ITEMS_MAX = 4096
_LAST = ("response.completed", "response.incomplete")
_THOUGHTS = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")


class Reader:
    def __init__(self) -> None:
        self._begun = False
        self._over = False
        self._calls: dict[int, int] = {}
        self._spoken: set[tuple[str, int, int]] = set()
        self._declined = False
        self._thought: tuple[str, int, int] | None = None

    def read(self, data: bytes) -> Iterable[Delta]:
        if self._over or data.strip() == b"[DONE]":
            return []
        try:
            event = answered(orjson.loads(data))
        except orjson.JSONDecodeError as error:
            raise BrokenReply("an event is not JSON") from error
        return list(self._event(event, event.need_text("type")))

    def _event(self, event: Fields, kind: str) -> Iterator[Delta]:
        if kind in ("error", "response.failed"):
            self._over = True
            yield Failed(read_failure(_error(event, kind)))
            return
        if not self._begun:
            yield self._begin(event)
        if kind in _LAST:
            yield from self._end(event.need_child("response"))
        else:
            yield from self._grow(event, kind)

    def _begin(self, event: Fields) -> Begin:
        """Whatever comes first begins the answer; the event for it may have been left out."""
        self._begun = True
        response = event.child("response")
        if response is None:
            return Begin("", "")
        return Begin(response.text("id") or "", response.text("model") or "", read_created(response))

    def _end(self, response: Fields) -> Iterator[Delta]:
        self._over = True
        yield Stop(read_stop(response, called=bool(self._calls), declined=self._declined))
        if (usage := read_usage(response.value("usage"))) is not None:
            yield UsageDelta(usage)
        yield End()

    def _grow(self, event: Fields, kind: str) -> Iterator[Delta]:
        match kind:
            case "response.output_text.delta" | "response.output_text.done":
                yield from self._text(event, kind)
            case "response.refusal.delta" | "response.refusal.done":
                yield from self._refusal(event, kind)
            case _ if kind in _THOUGHTS:
                yield from self._think(event, kind)
            case "response.output_item.added" | "response.output_item.done":
                yield from self._item(event, done=kind.endswith(".done"))
            case "response.function_call_arguments.delta" | "response.function_call_arguments.done":
                yield from self._arguments(event, event.need_integer("output_index"), done=kind.endswith(".done"))

    def _is_news(self, event: Fields, what: str, *, done: bool) -> bool:
        """Is this delta, or the whole of what it adds up to, not said yet?"""
        key = what, event.integer("output_index") or 0, event.integer("content_index") or 0
        if done and key in self._spoken:
            return False
        if len(self._spoken) > _ITEMS_MAX:
            event.refuse("output_index", "is one item too many")
        self._spoken.add(key)
        return True

    def _text(self, event: Fields, kind: str) -> Iterator[Delta]:
        done = kind.endswith(".done")
        if not self._is_news(event, "text", done=done):
            return
        if text := event.need_text("text" if done else "delta"):
            yield TextDelta(text, logprobs=read_logprobs(event.children("logprobs")) or None)

    def _refusal(self, event: Fields, kind: str) -> Iterator[Delta]:
        done = kind.endswith(".done")
        if not self._is_news(event, "refusal", done=done):
            return
        if text := event.need_text("refusal" if done else "delta"):
            self._declined = True
            yield DeclineDelta(text)

    def _think(self, event: Fields, kind: str) -> Iterator[Delta]:
        place = kind, event.integer("output_index") or 0, event.integer("summary_index") or 0
        new_part = self._thought is not None and self._thought[:2] == place[:2] and self._thought != place
        self._thought = place
        if text := event.need_text("delta"):
            yield ReasoningDelta("\n\n" + text if new_part else text)

    def _item(self, event: Fields, *, done: bool) -> Iterator[Delta]:
        item, index = event.need_child("item"), event.integer("output_index", 0) or 0
        match item.need_text("type"):
            case "function_call":
                if index not in self._calls:
                    yield self._begin_call(item, index)
                if done:
                    yield from self._arguments(item, index, done=True)
            case "reasoning" if done and (sealed := item.text("encrypted_content")):
                yield ReasoningDelta(signature=signed_by(Origin.OPENAI, sealed))
            case "image_generation_call" if done and item.has("result"):
                mime = f"image/{item.text('output_format') or 'png'}"
                yield MediaDelta(Media(MediaKind.IMAGE, mime, item.need_text("result")))

    def _begin_call(self, item: Fields, index: int) -> ToolBegin:
        number = len(self._calls)
        if number > _ITEMS_MAX:
            item.refuse("type", "is one call too many")
        self._calls[index] = number
        return ToolBegin(number, item.need_text("call_id"), item.need_text("name"))

    def _arguments(self, event: Fields, index: int, *, done: bool) -> Iterator[Delta]:
        number = self._calls.get(index)
        if number is None:
            event.refuse("output_index", "names no call that has begun")
        key = "arguments", index, 0
        if done and key in self._spoken:
            return
        arguments = read_arguments(event) if done else event.need_text("delta")
        if arguments:
            self._spoken.add(key)
            yield ToolDelta(number, arguments)


def _error(event: Fields, kind: str) -> object:
    if kind == "response.failed":
        return event.need_child("response").value("error")
    return event.value("error") or event.node


def reader() -> Reader:
    return Reader()
