"""The OpenAPI document, made of the route tables and their models; of the data plane, of a table by hand. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from admin.rbac import Access
from admin.routing import Route
from gateway.exchange import Json

_REF = "#/components/schemas/{model}"
_SESSION: Json = {"session": []}
_TOKEN: list[Json] = [{"apiToken": []}, {"apiKeyHeader": []}]
_SECURITY: dict[Access, list[Json]] = {
    Access.PUBLIC: [],
    Access.SIGNED_IN: [_SESSION],
    Access.CALLER: [*_TOKEN, _SESSION],
}
_ERROR = {
    "type": "object",
    "required": ["detail", "code"],
    "properties": {
        "detail": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
    },
}
_OPENAI_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {name: {"type": ["string", "null"]} for name in ("message", "type", "param", "code")},
        }
    },
}
_SECURITY_SCHEMES = {
    "session": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "From /api/v1/auth/login."},
    "apiToken": {"type": "http", "scheme": "bearer", "description": "An API token: `gf_…`."},
    "apiKeyHeader": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "An API token: `gf_…`."},
}


@dataclass(frozen=True, slots=True)
class _Call:
    """An endpoint of the data plane: its body is its own API's, passed on, so only what we read is described. `file`:
    what is asked for by a form, with a file of that name. `gives` are kinds of content besides JSON."""

    path: str
    summary: str
    needs: tuple[str, ...] = ()
    method: str = "post"
    file: str | None = None
    gives: tuple[str, ...] = ()


_MODEL_AND = ("model",)
_EVENTS = ("text/event-stream",)
_TEXTS = ("text/plain", "text/vtt", "application/x-subrip")
DATA_PLANE = (
    _Call("chat/completions", "A chat completion (OpenAI)", (*_MODEL_AND, "messages"), gives=_EVENTS),
    _Call("completions", "A completion (OpenAI)", (*_MODEL_AND, "prompt"), gives=_EVENTS),
    _Call("embeddings", "Embeddings (OpenAI)", (*_MODEL_AND, "input")),
    _Call("responses", "A response (OpenAI)", (*_MODEL_AND, "input"), gives=_EVENTS),
    _Call("moderations", "A judgement of a text (OpenAI)", ("input",)),
    _Call("images/generations", "Images (OpenAI)", (*_MODEL_AND, "prompt"), gives=_EVENTS),
    _Call("images/edits", "Images that change others (OpenAI)", (*_MODEL_AND, "prompt"), file="image", gives=_EVENTS),
    _Call("images/variations", "Images like another (OpenAI)", _MODEL_AND, file="image"),
    _Call("audio/speech", "A text spoken (OpenAI)", (*_MODEL_AND, "input"), gives=("audio/*", *_EVENTS)),
    _Call("audio/transcriptions", "Sound written down (OpenAI)", _MODEL_AND, file="file", gives=(*_TEXTS, *_EVENTS)),
    _Call("audio/translations", "Sound written down in English (OpenAI)", _MODEL_AND, file="file", gives=_TEXTS),
    _Call("rerank", "Texts in the order of their relevance (Cohere, Jina)", (*_MODEL_AND, "query", "documents")),
    _Call("messages", "A message (Anthropic)", (*_MODEL_AND, "messages", "max_tokens"), gives=_EVENTS),
    _Call("messages/count_tokens", "The tokens of a message (Anthropic)", (*_MODEL_AND, "messages")),
    _Call("models", "The models that may be called", method="get"),
    _Call("models/{model}", "One model", method="get"),
)
DATA_PREFIXES = ("/v1", "/api/v1")


def document(version: str, main: Sequence[Route], admin_prefix: str, admin: Sequence[Route]) -> Json:
    mounted = [(route.path, route) for route in main] + [(admin_prefix + route.path, route) for route in admin]
    refs, schemas = _schemas(route for _, route in mounted)
    paths: Json = {}
    for path, route in mounted:
        paths.setdefault(path, {})[route.method.lower()] = _operation(path, route, refs)
    for prefix in DATA_PREFIXES:
        for call in DATA_PLANE:
            paths.setdefault(f"{prefix}/{call.path}", {})[call.method] = _data_operation(prefix, call)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Guardflow",
            "version": version,
            "description": "One door for every model call. Staff sign in; programs send an API token.",
        },
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Error": _ERROR, "OpenAIError": _OPENAI_ERROR},
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _schemas(routes: Iterable[Route]) -> tuple[dict[type[BaseModel], Json], Json]:
    """A reference for each model, bodies as they are sent and replies as they are given, and what they refer to."""
    wanted: dict[type[BaseModel], Any] = {}
    for route in routes:
        wanted |= {route.takes: "validation"} if route.takes is not None else {}
        wanted |= {route.gives: "serialization"} if route.gives is not None else {}
    refs, defs = models_json_schema(list(wanted.items()), ref_template=_REF)
    return {model: refs[model, mode] for model, mode in wanted.items()}, defs.get("$defs", {})


def _operation(path: str, route: Route, refs: dict[type[BaseModel], Json]) -> Json:
    guard = route.permission
    operation: Json = {
        "operationId": _operation_id(route.method, path),
        "summary": route.summary,
        "tags": [_tag(path)],
        "parameters": _parameters(route),
        "responses": _responses(route, refs),
        "security": _SECURITY[guard] if isinstance(guard, Access) else [_SESSION],
        "x-permission": str(guard),
    }
    if route.takes is not None:
        kinds = ["application/json", *(["application/x-www-form-urlencoded"] if route.forms else [])]
        content = {kind: {"schema": refs[route.takes]} for kind in kinds}
        operation["requestBody"] = {"required": not route.empty_body, "content": content}
    return operation


def _parameters(route: Route) -> list[Json]:
    found: list[Json] = []
    if "{id}" in route.path:
        found.append({"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}})
    if route.query is not None:
        schema = route.query.model_json_schema()
        definitions = schema.get("$defs", {})
        for name, shape in schema["properties"].items():
            found.append({"name": name, "in": "query", "schema": _inline(shape, definitions)})
    return found


def _inline(shape: Json, definitions: Json) -> Json:
    """A parameter's schema by itself, without the null that a URL cannot say."""
    choices = [choice for choice in shape.get("anyOf", [shape]) if choice.get("type") != "null"]
    schema = {name: said for name, said in choices[0].items() if name != "$ref"}
    if "$ref" in choices[0]:
        schema |= definitions[choices[0]["$ref"].rpartition("/")[2]]
    return schema if shape.get("default") is None else {**schema, "default": shape["default"]}


def _responses(route: Route, refs: dict[type[BaseModel], Json]) -> Json:
    good: Json = {"description": HTTPStatus(route.status).phrase}
    if route.gives is not None:
        good["content"] = {"application/json": {"schema": refs[route.gives]}}
    bad = ["422", "503"]
    bad += [] if route.permission is Access.PUBLIC else ["401", "403"]
    bad += ["401", "429"] if route.path.endswith("/login") else []
    bad += ["404"] if "{id}" in route.path else []
    refusals = {status: _refusal(int(status), "Error") for status in sorted(set(bad))}
    return {str(route.status): good, **refusals}


def _refusal(status: int, schema: str) -> Json:
    content = {"application/json": {"schema": {"$ref": _REF.format(model=schema)}}}
    return {"description": HTTPStatus(status).phrase, "content": content}


def _data_operation(prefix: str, call: _Call) -> Json:
    operation: Json = {
        "operationId": _operation_id(call.method, f"{prefix}/{call.path}"),
        "summary": call.summary,
        "tags": ["models"],
        "security": _TOKEN,
        "parameters": [],
        "responses": {
            "200": {"description": "OK", "content": {"application/json": {"schema": {"type": "object"}}}},
            **{str(status): _refusal(status, "OpenAIError") for status in (400, 401, 403, 404, 429, 502, 503, 504)},
        },
    }
    if "{model}" in call.path:
        operation["parameters"] = [{"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}]
    if call.method == "post":
        kind = "application/json" if call.file is None else "multipart/form-data"
        operation["requestBody"] = {"required": True, "content": {kind: {"schema": _body(call)}}}
    for kind in call.gives:
        operation["responses"]["200"]["content"][kind] = {"schema": {"type": "string"}}
    return operation


def _body(call: _Call) -> Json:
    known: Json = {
        "model": {"type": "string"},
        "messages": {"type": "array", "items": {"type": "object"}},
        "max_tokens": {"type": "integer", "minimum": 1},
        "stream": {"type": "boolean", "default": False},
        "task_id": {"type": "integer", "description": "What the call is for; never sent on."},
    }
    names = {*call.needs, "task_id", *(["stream"] if _EVENTS[0] in call.gives else [])}
    properties = {name: known.get(name, {}) for name in sorted(names)}
    needs = list(call.needs)
    if call.file is not None:
        properties[call.file] = {"type": "string", "contentMediaType": "application/octet-stream"}
        needs.append(call.file)
    return {"type": "object", "required": needs, "properties": properties, "additionalProperties": True}


def _operation_id(method: str, path: str) -> str:
    return method.lower() + "_" + re.sub(r"[^a-z0-9]+", "_", path.lower()).strip("_")


def _tag(path: str) -> str:
    parts = [part for part in path.split("/") if part not in ("", "api", "v1", "admin")]
    return parts[0]
