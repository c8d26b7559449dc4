"""Calls for images, sound and ranks, as tests make them: bodies, forms, and what they are parsed to."""

from typing import Any

import orjson

from gateway.exchange import Endpoint, Inbound, ModelCall
from gateway.phases.parse import parse
from tests.gateway.scripted import bearer, make_inbound

MEDIA: dict[Endpoint, dict[str, Any]] = {
    Endpoint.IMAGES: {"model": "m", "prompt": "A calm sea"},
    Endpoint.SPEECH: {"model": "m", "input": "Hello there", "voice": "alloy"},
    Endpoint.RERANK: {"model": "m", "query": "Which is a sea?", "documents": ["the North Sea", "the Alps"]},
    Endpoint.COUNT_TOKENS: {"model": "m", "messages": [{"role": "user", "content": "Hello there"}]},
}
FORMS: dict[Endpoint, dict[str, str | bytes]] = {
    Endpoint.IMAGE_EDITS: {"model": "m", "prompt": "A rough sea", "image": b"\x89PNG\r\n\x1a\n"},
    Endpoint.IMAGE_VARIATIONS: {"model": "m", "image": b"\x89PNG\r\n\x1a\n"},
    Endpoint.TRANSCRIPTIONS: {"model": "m", "prompt": "Waves", "file": b"RIFF\x00\xff--not-the-boundary\r\n" * 100},
    Endpoint.TRANSLATIONS: {"model": "m", "file": b"RIFF\x00"},
}
BOUNDARY = "f0rm"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def form_of(*fields: tuple[str, str | bytes]) -> bytes:
    """Bytes are a file's."""
    written = []
    for name, said in fields:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
        if isinstance(said, bytes):
            head += f'; filename="{name}.bin"\r\nContent-Type: application/octet-stream'
        written += [f"{head}\r\n\r\n".encode(), said if isinstance(said, bytes) else said.encode(), b"\r\n"]
    return b"".join([*written, f"--{BOUNDARY}--\r\n".encode()])


def media_inbound(endpoint: Endpoint, body: bytes | None = None, kind: str | None = None, **changes: Any) -> Inbound:
    """A request from Alice. `changes` are fields of the usual body; a field that is None is left out."""
    usual = {**(FORMS.get(endpoint) or MEDIA[endpoint]), **changes}
    said = {name: value for name, value in usual.items() if value is not None}
    is_form = endpoint in FORMS and kind is None
    if body is None:
        body = form_of(*said.items()) if is_form else orjson.dumps(said)
    return make_inbound(endpoint, body, bearer(content_type=kind or (FORM if is_form else "application/json")))


async def media_call(endpoint: Endpoint, **changes: Any) -> ModelCall:
    return await parse(media_inbound(endpoint, **changes))
