"""What a model thought, in chat completions. OpenAI has no field for it; its kin have three.

`reasoning_content` (DeepSeek, vLLM) and `reasoning` (vLLM since, Groq, OpenRouter) hold text, `reasoning_details`
(OpenRouter) also what is opaque. We write the first, and the third where there is something opaque to come back.
"""

from collections.abc import Iterable, Sequence

from gateway.dialects.fields import Fields
from gateway.dialects.neutral import Reasoning
from gateway.dialects.signature import Origin, bare, signed_by
from gateway.exchange import Json

_TEXT_FIELDS = ("reasoning_content", "reasoning")


def read_thoughts(message: Fields) -> list[Reasoning]:
    """The thoughts of a message, or of a piece of one."""
    text = next((said for name in _TEXT_FIELDS if (said := message.text(name))), "")
    details = [_detail(detail) for detail in message.children("reasoning_details")]
    opaque = [thought for thought in details if thought.signature is not None or thought.redacted is not None]
    if not text:
        return [thought for thought in details if any(thought)]
    if "".join(thought.text for thought in opaque).strip() == text.strip():
        return opaque  # each signature stays with the text that it signs
    return [Reasoning(text), *(thought._replace(text="") for thought in opaque)]


def _detail(detail: Fields) -> Reasoning:
    text = detail.text("text") or detail.text("summary") or ""
    signature, redacted = (signed_by(Origin.COMPATIBLE, detail.text(name)) for name in ("signature", "data"))
    return Reasoning(text, signature, redacted)


def write_thoughts(thoughts: Sequence[Reasoning]) -> Json:
    """The fields that say `thoughts`; none where there are none."""
    written: Json = {}
    if text := "".join(thought.text for thought in thoughts):
        written["reasoning_content"] = text
    if any(thought.signature is not None or thought.redacted is not None for thought in thoughts):
        written["reasoning_details"] = list(_details(thoughts))
    return written


def _details(thoughts: Iterable[Reasoning]) -> Iterable[Json]:
    for thought in thoughts:
        if thought.redacted is not None:
            yield {"type": "reasoning.encrypted", "data": bare(Origin.COMPATIBLE, thought.redacted)}
        else:
            signature = bare(Origin.COMPATIBLE, thought.signature)
            yield {"type": "reasoning.text", "text": thought.text, "signature": signature}
