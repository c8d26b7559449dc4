"""The events of images, speech and transcripts as OpenAI streams them: which is the last, and what it says it cost."""

from gateway.exchange import Json, ModelCall
from gateway.providers.base import StreamEvent
from gateway.providers.bill import bill_of

_LAST = ("transcript.text.done", "speech.audio.done")
_ONE_IMAGE = ("image_generation.completed", "image_edit.completed")


def media_event(call: ModelCall, said: Json) -> StreamEvent | None:
    """None for what isn't one of those that end something. Of several images each has an end of its own."""
    kind = said.get("type")
    if kind not in _LAST and kind not in _ONE_IMAGE:
        return None
    bill = bill_of(call.endpoint, said)
    is_last = kind in _LAST or call.choices == 1
    return StreamEvent(finish=True, terminal=is_last, usage=None if bill is None else bill.usage)
