"""What the first line of a request asks for: an endpoint of the data plane, or something that is another's."""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from gateway.exchange import Endpoint

PREFIXES = ("/v1/", "/api/v1/")
ALIASES = {"/chat/completions": Endpoint.CHAT}
_POST = {f"{prefix}{e.value}": e for prefix in PREFIXES for e in Endpoint if e is not Endpoint.MODELS} | ALIASES
_MODELS = tuple(f"{prefix}models" for prefix in PREFIXES)


class RequestLine(NamedTuple):
    """What the first line of a data-plane request says. `model_id`: what stands below `…/models`."""

    method: str
    endpoint: Endpoint
    model_id: str | None
    query: str
    is_http_1_1: bool


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
    endpoint, model_id = _POST.get(path), None
    if endpoint is None:
        if not path.startswith(_MODELS) or (rest := _below_models(unquote(path))) is None:
            return None
        endpoint, model_id = Endpoint.MODELS, rest or None
    return RequestLine(method, endpoint, model_id, query, version == "HTTP/1.1")


def _below_models(path: str) -> str | None:
    """What stands below `…/models`; None if this is another path that only starts so."""
    for base in _MODELS:
        if path in (base, base + "/"):
            return ""
        if path.startswith(base + "/"):
            return path[len(base) + 1 :]
    return None
