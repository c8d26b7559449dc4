"""Calls that come as a form: edits and variations of images, transcriptions and translations of sound.

What is authorised is what the upstream reads: the fields the gateway acts on are there once, as plain text, under no
second name; all others, files included, stay byte for byte as they came.
"""

import re

from gateway import text
from gateway.errors import InvalidRequest, UnsupportedMediaType
from gateway.exchange import Endpoint, Inbound, Json, ModelCall
from gateway.multipart import BrokenForm, Form, NoForm, read_form
from gateway.phases.estimate import AUDIO_BYTES_PER_TOKEN, IMAGE_TOKENS, TRANSCRIPT_TOKENS, estimate
from gateway.phases.json_body import checked_name, integer

MAX_IMAGES = 128

_ACTED_ON = ("model", "prompt", "stream", "task_id", "n")
_NUMBER = re.compile(r"[0-9]{1,19}")
_BOOLEANS = {"true": True, "false": False}
_IMAGES = (Endpoint.IMAGE_EDITS, Endpoint.IMAGE_VARIATIONS)


def is_json(inbound: Inbound) -> bool:
    return inbound.headers.get("content-type", "").lower().startswith("application/json")


def parse_form(inbound: Inbound, raw: bytes) -> ModelCall:
    """Raises InvalidRequest, UnsupportedMediaType."""
    try:
        form = read_form(inbound.headers.get("content-type", ""), raw)
        body = _fields(form)
        form = form.without("task_id")
    except NoForm as error:
        raise UnsupportedMediaType(f"This is asked for by a form: {error}.") from error
    except BrokenForm as error:
        raise InvalidRequest(f"The form can't be accepted: {error}.") from error
    task_id = integer(body, "task_id", 1, 2**63 - 1)
    model = checked_name(body.get("model"))
    choices = integer(body, "n", 1, MAX_IMAGES) or 1
    endpoint, turns = inbound.endpoint, text.turns(inbound.endpoint, body)
    is_image = endpoint in _IMAGES
    files = sum(part.is_file for part in form.parts)
    held = IMAGE_TOKENS * files if is_image else len(raw) // AUDIO_BYTES_PER_TOKEN
    body.pop("task_id", None)
    return ModelCall(
        endpoint, model, body, None, len(raw), body.get("stream", False), True, task_id, turns,
        estimate(body, None, turns) + held, None if is_image else TRANSCRIPT_TOKENS, choices, form,
    )  # fmt: skip


def _fields(form: Form) -> Json:
    """What the gateway acts on, as JSON would say it. Raises BrokenForm, InvalidRequest."""
    for part in form.parts:
        _refuse_look_alike(part.name)
    body: Json = {}
    for name in _ACTED_ON:
        found = form.find(name)
        if found is not None:
            body[name] = _value(name, form.text(found))
    return body


def _refuse_look_alike(name: str) -> None:
    """Many servers take `model[]` or `Model` for `model`, some the last of both."""
    base, bracket, rest = name.partition("[")
    if base.casefold() in _ACTED_ON and name not in _ACTED_ON:
        raise InvalidRequest(f"'{name}' must be written '{base.casefold()}'.", param=name)
    if bracket and base.casefold() == "svg" and "model" in rest.casefold():
        raise InvalidRequest(f"'{name}' would call a second model, which is not possible here.", param=name)


def _value(name: str, said: str) -> str | int | bool:
    if name == "stream":
        if said.lower() not in _BOOLEANS:
            raise InvalidRequest("'stream' must be true or false.", param="stream")
        return _BOOLEANS[said.lower()]
    if name in ("task_id", "n"):
        if _NUMBER.fullmatch(said) is None:
            raise InvalidRequest(f"'{name}' must be an integer.", param=name)
        return int(said)
    return said
