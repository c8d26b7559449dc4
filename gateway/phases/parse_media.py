"""Calls for images, speech, ranks and counts: read as every body is, then held to what is theirs alone, and sized."""

from gateway.errors import InvalidRequest
from gateway.exchange import Endpoint, Json, ModelCall
from gateway.phases.estimate import IMAGE_TOKENS, SPEECH_TOKENS_PER_CHARACTER
from gateway.phases.json_body import refuse_look_alikes

MAX_DOCUMENTS = 10_000

_ACTED_ON = frozenset(("query", "documents", "svg", "stream_format", "images"))


def as_media(call: ModelCall) -> ModelCall:
    """Raises InvalidRequest."""
    body = call.body
    refuse_look_alikes(body, _ACTED_ON)
    match call.endpoint:
        case Endpoint.COUNT_TOKENS:
            return call._replace(stream=False, input_tokens_estimate=0, max_output_tokens=0, choices=1)
        case Endpoint.RERANK:
            documents = body.get("documents")
            if not isinstance(documents, list) or not 0 < len(documents) <= MAX_DOCUMENTS:
                raise InvalidRequest(f"'documents' must be an array of 1 to {MAX_DOCUMENTS}.", param="documents")
            return call._replace(max_output_tokens=0)
        case Endpoint.SPEECH:
            return _speech(call)
    return _image(call)


def _speech(call: ModelCall) -> ModelCall:
    said = call.body["input"]
    if not isinstance(said, str):
        raise InvalidRequest("'input' must be a string.", param="input")
    return call._replace(
        stream=call.stream or call.body.get("stream_format") == "sse",
        input_tokens_estimate=len(said),
        max_output_tokens=SPEECH_TOKENS_PER_CHARACTER * len(said),
    )


def _image(call: ModelCall) -> ModelCall:
    """For each image that may come, the most output of the model's route is held."""
    refuse_second_model(call.body)
    images = call.body.get("images")
    given = len(images) if isinstance(images, list) else 0
    tokens = call.input_tokens_estimate + IMAGE_TOKENS * given
    return call._replace(input_tokens_estimate=tokens, max_output_tokens=None)


def refuse_second_model(body: Json) -> None:
    """A drawing in SVG may be written by a model of its own: nobody would have authorised that one."""
    svg = body.get("svg")
    if isinstance(svg, dict) and "model" in map(str.casefold, svg):
        raise InvalidRequest("'svg.model' would call a second model, which is not possible here.", param="svg.model")
