"""What may I ask for? The models a token may use, in the caller's dialect."""

from collections.abc import Iterator

import orjson

from gateway.catalog import Catalog
from gateway.errors import ModelNotFound
from gateway.exchange import Dialect, Inbound, Json, Principal

_SINCE = "2026-01-01T00:00:00Z"
_SINCE_UNIX = 1767225600


def list_models(inbound: Inbound, who: Principal, catalog: Catalog) -> bytes:
    """The list, or the one model named in the path. Raises ModelNotFound."""
    names = [(name, owner) for name, owner in _visible(who, catalog)]
    if inbound.model_id is not None:
        owner = dict(names).get(inbound.model_id)
        if owner is None:
            raise ModelNotFound(f"There is no model {inbound.model_id!r}.", param="model")
        return orjson.dumps(_model(inbound.dialect, inbound.model_id, owner))
    data = [_model(inbound.dialect, name, owner) for name, owner in names]
    if inbound.dialect is Dialect.GEMINI:
        return orjson.dumps({"models": data})
    if inbound.dialect is Dialect.ANTHROPIC:
        ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
        return orjson.dumps({"data": data, "has_more": False, **ends})
    return orjson.dumps({"object": "list", "data": data})


def _visible(who: Principal, catalog: Catalog) -> Iterator[tuple[str, str]]:
    for name, owner in catalog.names():
        if who.allowed_models is None or name in who.allowed_models:
            yield name, owner


def _model(dialect: Dialect, name: str, owner: str) -> Json:
    if dialect is Dialect.ANTHROPIC:
        return {"type": "model", "id": name, "display_name": name, "created_at": _SINCE}
    if dialect is Dialect.GEMINI:
        verbs = ["generateContent", "streamGenerateContent"]
        return {"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": verbs}
    return {"id": name, "object": "model", "created": _SINCE_UNIX, "owned_by": owner}
