"""How a response's output grows: deltas in, OpenAI's events out, and the output's items kept as they stand.

Thoughts and messages are open one at a time; calls stay open beside each other until the end, for providers may
interleave their arguments. Events share the items they show: write one before you ask for the next.
"""

from collections.abc import Iterator

from gateway.dialects.neutral import (
    DeclineDelta,
    Delta,
    Media,
    MediaDelta,
    MediaKind,
    Reasoning,
    ReasoningDelta,
    TextDelta,
    ToolBegin,
    ToolDelta,
)
from gateway.dialects.responses.items import CallItem, Item, MessageItem, ThoughtItem
from gateway.dialects.responses.read_items import sealed_call
from gateway.exchange import Json


class Answer:
    def __init__(self, key: str) -> None:
        """`key`: what the items' ids are made of."""
        self.output: list[Json] = []
        self.declined = False
        self._key = key
        self._open: MessageItem | ThoughtItem | None = None
        self._calls: dict[int, CallItem] = {}

    def grow(self, delta: Delta) -> Iterator[Json]:
        """The events of one delta. Those that don't add to the output have none."""
        match delta:
            case TextDelta():
                yield from self._say("output_text", delta)
            case DeclineDelta():
                self.declined = True
                yield from self._say("refusal", delta)
            case ReasoningDelta():
                yield from self._think(Reasoning(delta.text, delta.signature, delta.redacted))
            case ToolBegin():
                yield from self._begin_call(delta)
            case ToolDelta():
                yield from self._calls[delta.call].grow(delta.arguments)
            case MediaDelta():
                yield from self._show(delta.media)

    def close(self, *, cut: bool = False) -> Iterator[Json]:
        """End everything. `cut`: what is open was not finished by the model."""
        status = "incomplete" if cut else "completed"
        for call in self._calls.values():
            yield from call.close(status)
        self._calls = {}
        yield from self._close_open(status)

    def _close_open(self, status: str = "completed") -> Iterator[Json]:
        if self._open is not None:
            yield from self._open.close(status)
        self._open = None

    def _place(self, item: Item) -> Iterator[Json]:
        """`item` at the end of the output."""
        yield item.place(len(self.output), self._key)
        self.output.append(item.item)

    def _say(self, kind: str, delta: TextDelta | DeclineDelta) -> Iterator[Json]:
        if not isinstance(self._open, MessageItem):
            yield from self._close_open()
            self._open = MessageItem()
            yield from self._place(self._open)
        logprobs = delta.logprobs if isinstance(delta, TextDelta) else None
        yield from self._open.grow(kind, delta.text, logprobs or ())

    def _think(self, thought: Reasoning) -> Iterator[Json]:
        if not isinstance(self._open, ThoughtItem) or self._open.is_sealed:
            yield from self._close_open()
            self._open = ThoughtItem()
            yield from self._place(self._open)
        yield from self._open.grow(thought)

    def _begin_call(self, delta: ToolBegin) -> Iterator[Json]:
        yield from self._close_open()
        if delta.signature is not None:
            holder = ThoughtItem()
            yield from self._place(holder)
            holder.seal(sealed_call(delta.signature))
            yield from holder.close("completed")
        self._calls[delta.call] = call = CallItem(delta.id, delta.name)
        yield from self._place(call)

    def _show(self, media: Media) -> Iterator[Json]:
        """An image. The dialect has no place for a sound that a model made."""
        if media.kind is not MediaKind.IMAGE:
            return
        if media.data is None:
            yield from self._say("output_text", TextDelta(f"![]({media.url})"))
            return
        yield from self._close_open()
        image = Item("ig", {"type": "image_generation_call", "status": "in_progress", "result": None})
        yield from self._place(image)
        image.item["result"] = media.data
        yield image.done("completed")
