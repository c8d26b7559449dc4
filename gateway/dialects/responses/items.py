"""The items of a response's output, each with the events of its life: added, growing, done."""

from collections.abc import Iterator, Sequence

from gateway.dialects.neutral import Reasoning, TokenLogprob
from gateway.dialects.openai.logprobs import write_logprobs
from gateway.dialects.responses.read_items import sealed
from gateway.exchange import Json


class Item:
    """`item` is the JSON of it, as it stands; its text is filled in at the end."""

    def __init__(self, prefix: str, item: Json) -> None:
        self._prefix = prefix
        self.item: Json = {"id": "", **item}
        self.where: Json = {}
        self._index = 0

    def place(self, index: int, key: str) -> Json:
        """The event that adds this item to the output, at `index`."""
        self._index = index
        self.item["id"] = item_id = f"{self._prefix}_{key}_{index}"
        self.where = {"item_id": item_id, "output_index": index}
        return {"type": "response.output_item.added", "output_index": index, "item": self.item}

    def done(self, status: str) -> Json:
        self.item["status"] = status
        return {"type": "response.output_item.done", "output_index": self._index, "item": self.item}


class MessageItem(Item):
    """What the model says: parts of text, or of a refusal, one after another."""

    def __init__(self) -> None:
        super().__init__("msg", {"type": "message", "role": "assistant", "status": "in_progress", "content": []})
        self._kind: str | None = None
        self._said: list[str] = []
        self._logprobs: list[Json] = []

    def grow(self, kind: str, text: str, logprobs: Sequence[TokenLogprob]) -> Iterator[Json]:
        """`kind`: output_text or refusal."""
        if self._kind != kind:
            yield from self._close_part()
            self._kind = kind
            self.item["content"].append(self._part(""))
            yield {"type": "response.content_part.added", **self._where(), "part": self.item["content"][-1]}
        self._said.append(text)
        written = write_logprobs(logprobs)
        self._logprobs += written
        more = {"logprobs": written} if kind == "output_text" else {}
        yield {"type": f"response.{kind}.delta", **self._where(), "delta": text, **more}

    def close(self, status: str) -> Iterator[Json]:
        yield from self._close_part()
        yield self.done(status)

    def _close_part(self) -> Iterator[Json]:
        if self._kind is None:
            return
        self.item["content"][-1] = part = self._part("".join(self._said))
        said = {name: value for name, value in part.items() if name not in ("type", "annotations")}
        yield {"type": f"response.{self._kind}.done", **self._where(), **said}
        yield {"type": "response.content_part.done", **self._where(), "part": part}
        self._kind, self._said, self._logprobs = None, [], []

    def _part(self, said: str) -> Json:
        if self._kind == "refusal":
            return {"type": "refusal", "refusal": said}
        return {"type": "output_text", "text": said, "annotations": [], "logprobs": self._logprobs}

    def _where(self) -> Json:
        return {**self.where, "content_index": len(self.item["content"]) - 1}


class ThoughtItem(Item):
    """What the model thinks, as one summary. `is_sealed`: it has what ends it."""

    def __init__(self) -> None:
        super().__init__("rs", {"type": "reasoning", "status": "in_progress", "summary": [], "encrypted_content": None})
        self._thought: list[str] = []

    @property
    def is_sealed(self) -> bool:
        return self.item["encrypted_content"] is not None

    def grow(self, thought: Reasoning) -> Iterator[Json]:
        if thought.text:
            if not self._thought:
                self.item["summary"] = [{"type": "summary_text", "text": ""}]
                part = self.item["summary"][0]
                yield {"type": "response.reasoning_summary_part.added", **self._where(), "part": part}
            self._thought.append(thought.text)
            yield {"type": "response.reasoning_summary_text.delta", **self._where(), "delta": thought.text}
        self.seal(sealed(thought))

    def seal(self, content: str | None) -> None:
        if content is not None:
            self.item["encrypted_content"] = content

    def close(self, status: str) -> Iterator[Json]:
        if self._thought:
            text = "".join(self._thought)
            self.item["summary"] = [part] = [{"type": "summary_text", "text": text}]
            yield {"type": "response.reasoning_summary_text.done", **self._where(), "text": text}
            yield {"type": "response.reasoning_summary_part.done", **self._where(), "part": part}
        yield self.done(status)

    def _where(self) -> Json:
        return {**self.where, "summary_index": 0}


class CallItem(Item):
    """A call of one of the client's functions."""

    def __init__(self, call_id: str, name: str) -> None:
        call = {"call_id": call_id, "name": name, "arguments": ""}
        super().__init__("fc", {"type": "function_call", "status": "in_progress", **call})
        self._arguments: list[str] = []

    def grow(self, arguments: str) -> Iterator[Json]:
        self._arguments.append(arguments)
        yield {"type": "response.function_call_arguments.delta", **self.where, "delta": arguments}

    def close(self, status: str) -> Iterator[Json]:
        arguments = "".join(self._arguments) or "{}"
        self.item["arguments"] = arguments
        done = {"name": self.item["name"], "arguments": arguments}
        yield {"type": "response.function_call_arguments.done", **self.where, **done}
        yield self.done(status)
