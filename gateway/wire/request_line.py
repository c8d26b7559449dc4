"""What the first line of a request asks for: an endpoint of the data plane, or something that is another's."""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from gateway.exchange import Endpoint

PREFIXES = ("/v1/", "/api/v1/")
ALIASES = {"/chat/completions": Endpoint.CHAT, "/v2/rerank": Endpoint.RERANK}
_IN_NO_PATH = (Endpoint.MODELS, Endpoint.GENERATE)
_POST = {f"{prefix}{e.value}": e for prefix in PREFIXES for e in Endpoint if e not in _IN_NO_PATH} | ALIASES
_MODELS = ("/v1/models", "/api/v1/models", "/v1beta/models")
_GENERATE = {"generateContent": False, "streamGenerateContent": True}
"""Gemini's verbs, below a model: whether the answer is a stream."""


class RequestLine(NamedTuple):
    """What the first line of a data-plane request says. `model_id`: what stands below `…/models`; `stream`: whether the
    path asks for one."""

    method: str
    endpoint: Endpoint
    model_id: str | None
    query: str
    is_http_1_1: bool
    stream: bool = False


@lru_cache(maxsize=1024)
def request_line(line: bytes) -> RequestLine | None:
    """What `line`, a request's first, asks of the data plane; None where it is another's."""
    try:
        method, target, version = line.decode("ascii").split(" ")
    except ValueError:
        return None
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        return None
    if target.startswith(("http://", "https://")):  # the absolute form, which a server has to take (RFC 9112, 3.2.2)
        target = "/" + target.split("/", 3)[3] if target.count("/") >= 3 else "/"
    path, _, query = target.partition("?")
    is_http_1_1 = version == "HTTP/1.1"
    endpoint = _POST.get(path)
    if endpoint is not None:
        return RequestLine(method, endpoint, None, query, is_http_1_1)
    if not path.startswith(_MODELS) or (below := _below_models(unquote(path))) is None:
        return None
    model, _, verb = below.rpartition(":")
    if model and verb in _GENERATE:
        return RequestLine(method, Endpoint.GENERATE, model, query, is_http_1_1, _GENERATE[verb])
    return RequestLine(method, Endpoint.MODELS, below or None, query, is_http_1_1)


def _below_models(path: str) -> str | None:
    """What stands below `…/models`; None if this is another path that only starts so."""
    for base in _MODELS:
        if path in (base, base + "/"):
            return ""
        if path.startswith(base + "/"):
            return path[len(base) + 1 :]
    return None
