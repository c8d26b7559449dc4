"""From bytes to a ModelCall: parsed once, checked for what the gateway acts on, untouched in everything else.

What is authorised is what the upstream reads: the client's own bytes travel on only where they say the same thing to
every parser (no key twice); otherwise our serialisation of what was parsed does.
"""

from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any

import orjson

from gateway import text
from gateway.errors import InvalidRequest, UnsupportedMediaType
from gateway.exchange import FORMS, Endpoint, Inbound, Json, ModelCall
from gateway.phases.estimate import IMAGE_TOKENS, estimate
from gateway.phases.json_body import boolean, checked_name, integer, load, refuse_look_alikes, says_one_thing
from gateway.phases.parse_form import is_json, parse_form
from gateway.phases.parse_media import as_media

MAX_CHOICES = 128
MAX_OUTPUT_TOKENS = 10_000_000

# Unions in tuples: `str | list` is built anew each time it is read.
_TEXT_OR_LIST = (str, list)
_CONTENT = (str, list, NoneType)
_OPTIONAL_OBJECT = (dict, NoneType)
_CONTENTS = (list, dict, str)
_TOKEN_LIMIT_FIELDS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_INPUT_FIELD = {
    Endpoint.CHAT: "messages", Endpoint.MESSAGES: "messages", Endpoint.COMPLETIONS: "prompt",
    Endpoint.EMBEDDINGS: "input", Endpoint.RESPONSES: "input", Endpoint.MODERATIONS: "input",
    Endpoint.COUNT_TOKENS: "messages",
}  # fmt: skip
_MEDIA_FIELD = {
    Endpoint.IMAGES: "prompt", Endpoint.IMAGE_EDITS: "prompt", Endpoint.SPEECH: "input", Endpoint.RERANK: "query",
}  # fmt: skip
_ACTED_ON = frozenset(
    (*_INPUT_FIELD.values(), *_TOKEN_LIMIT_FIELDS, "model", "stream", "stream_options", "task_id", "n", "system",
     "instructions", "suffix", "tools")
)  # fmt: skip
_USUAL = _ACTED_ON | {
    "temperature", "top_p", "top_k", "stop", "seed", "user", "metadata", "response_format", "tool_choice",
    "frequency_penalty", "presence_penalty", "logprobs", "reasoning_effort", "parallel_tool_calls", "store",
}  # fmt: skip
"""Keys that need no second look: a body of these alone holds no look-alike."""
_GEMINI_FIELDS = frozenset(("contents", "tools", "task_id"))
_SPELT_TWICE = (("systemInstruction", "system_instruction"), ("generationConfig", "generation_config"))
_MESSAGE_FIELDS = frozenset(("role", "content"))
_NO_OUTPUT = (Endpoint.EMBEDDINGS, Endpoint.MODERATIONS)
_USAGE_ON_REQUEST = (Endpoint.CHAT, Endpoint.COMPLETIONS)


async def parse(inbound: Inbound) -> ModelCall:
    """The call in `inbound`. Raises InvalidRequest, RequestTooLarge, UnsupportedMediaType."""
    if inbound.headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedMediaType("Compressed request bodies are not accepted.")
    raw = await inbound.read_body()
    otherwise = _OTHERWISE.get(inbound.endpoint)
    return parse_body(inbound.endpoint, raw) if otherwise is None else otherwise(inbound, raw)


def parse_body(endpoint: Endpoint, raw: bytes) -> ModelCall:
    body = load(raw)
    if not _USUAL.issuperset(body):
        refuse_look_alikes(body, _ACTED_ON)
    same = body.get("model") is not None and (orjson.dumps(body) == raw or says_one_thing(raw))
    task_id = None
    if "task_id" in body:
        task_id = integer(body, "task_id", 1, 2**63 - 1)
        del body["task_id"]
        same = False
    stream = "stream" in body and boolean(body, "stream")
    wants_usage = "stream_options" in body and _wants_usage(body)
    if stream and not wants_usage and endpoint in _USAGE_ON_REQUEST:
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        same = False
    given = _input(endpoint, body)
    turns = text.turns(endpoint, body)
    model, tokens = _model(endpoint, body), estimate(body, given, turns)
    most_output = 0 if endpoint in _NO_OUTPUT else _max_output(body)
    choices = integer(body, "n", 1, MAX_CHOICES) if "n" in body else 1
    return ModelCall(  # by position: twelve names cost more than the rest of it
        endpoint, model, body, raw if same else None, len(raw), stream, wants_usage, task_id, turns, tokens,
        most_output, choices or 1,
    )  # fmt: skip


def parse_generate(model: str, stream: bool, raw: bytes) -> ModelCall:
    """Gemini's call: what others say in the body, it says in the path and in `generationConfig`."""
    body = load(raw)
    refuse_look_alikes(body, _GEMINI_FIELDS)
    same = orjson.dumps(body) == raw or says_one_thing(raw)
    task_id = integer(body, "task_id", 1, 2**63 - 1)
    if "task_id" in body:
        del body["task_id"]
        same = False
    if not isinstance(body.get("contents"), _CONTENTS):
        raise InvalidRequest("'contents' is required: an array of contents.", param="contents")
    most_output, choices = _generation_config(body)
    turns = text.turns(Endpoint.GENERATE, body)
    tokens = estimate(body, None, turns) + IMAGE_TOKENS * (raw.count(b'"inlineData"') + raw.count(b'"inline_data"'))
    return ModelCall(
        Endpoint.GENERATE, checked_name(model), body, raw if same else None, len(raw), stream, True, task_id, turns,
        tokens, most_output, choices,
    )  # fmt: skip


def _generation_config(body: Json) -> tuple[int | None, int]:
    """How much may come: the most tokens, and how many candidates. Fields are known in two spellings."""
    for camel, snake in _SPELT_TWICE:
        if camel in body and snake in body:
            raise InvalidRequest(f"'{camel}' is there twice, as '{snake}' too.", param=camel)
    config = body.get("generationConfig", body.get("generation_config"))
    if not isinstance(config, _OPTIONAL_OBJECT):
        raise InvalidRequest("'generationConfig' must be an object.", param="generationConfig")
    config = config or {}
    most = [integer(config, name, 0, MAX_OUTPUT_TOKENS) for name in ("maxOutputTokens", "max_output_tokens")]
    choices = [integer(config, name, 1, MAX_CHOICES) for name in ("candidateCount", "candidate_count")]
    return max((limit for limit in most if limit is not None), default=None), max(one or 1 for one in choices)


def _model(endpoint: Endpoint, body: Json) -> str:
    model = body.get("model")
    if model is None and endpoint is Endpoint.MODERATIONS:
        model = body["model"] = "omni-moderation-latest"  # the one field that OpenAI lets clients leave out
    return checked_name(model)


def _input(endpoint: Endpoint, body: Json) -> Any:
    """What the call is about, checked; None where it is text and nothing else."""
    name = _INPUT_FIELD.get(endpoint) or _MEDIA_FIELD[endpoint]
    given = body.get(name)
    if given is None:
        if endpoint is Endpoint.RESPONSES and "prompt" in body:
            return None  # a stored prompt template takes the place of input
        raise InvalidRequest(f"'{name}' is required.", param=name)
    if name == "messages":
        return None if _check_messages(given) else given
    if not isinstance(given, _TEXT_OR_LIST):
        raise InvalidRequest(f"'{name}' must be a string or an array.", param=name)
    return given


def _check_messages(messages: Any) -> bool:
    """Whether all of them are plain: a role and a text, as nearly all are."""
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("'messages' must be an array with at least one message.", param="messages")
    plain = True
    for i, message in enumerate(messages):
        if type(message) is not dict or len(message) != 2 or type(message.get("content")) is not str:
            plain = False
            _check_message(message, i)
        elif type(message.get("role")) is not str:
            _check_message(message, i)
    return plain


def _check_message(message: Any, i: int) -> None:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise InvalidRequest(f"'messages[{i}]' must be an object with a role.", param=f"messages[{i}]")
    if not isinstance(message.get("content"), _CONTENT):
        raise InvalidRequest(f"'messages[{i}].content' must be a string or an array.", param=f"messages[{i}].content")
    refuse_look_alikes(message, _MESSAGE_FIELDS, f"messages[{i}].")


def _max_output(body: Json) -> int | None:
    most = None
    for name in _TOKEN_LIMIT_FIELDS:
        if name in body:
            limit = integer(body, name, 0, MAX_OUTPUT_TOKENS)
            if limit is not None and (most is None or limit > most):
                most = limit
    return most


def _wants_usage(body: Json) -> bool:
    options = body.get("stream_options")
    if not isinstance(options, _OPTIONAL_OBJECT):
        raise InvalidRequest("'stream_options' must be an object.", param="stream_options")
    return bool(options and options.get("include_usage"))


def _generate(inbound: Inbound, raw: bytes) -> ModelCall:
    return parse_generate(inbound.model_id or "", inbound.stream, raw)


def _media(inbound: Inbound, raw: bytes) -> ModelCall:
    return as_media(parse_body(inbound.endpoint, raw))


def _form(inbound: Inbound, raw: bytes) -> ModelCall:
    """Images may be edited by their addresses, too: then there is no file, and no form."""
    if inbound.endpoint is Endpoint.IMAGE_EDITS and is_json(inbound):
        return _media(inbound, raw)
    return parse_form(inbound, raw)


_OTHERWISE: Mapping[Endpoint, Callable[[Inbound, bytes], ModelCall]] = {
    Endpoint.GENERATE: _generate,
    Endpoint.COUNT_TOKENS: _media,
    **dict.fromkeys(_MEDIA_FIELD, _media),
    **dict.fromkeys(FORMS, _form),
}
"""Those that are read in another way than conversations."""
