"""The document says what is mounted, all of it and nothing else, and is valid."""

import inspect
import re
import typing

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel

from admin.app import ADMIN_PREFIX, ADMIN_ROUTES, MAIN_ROUTES, AdminDeps
from admin.openapi import DATA_PLANE, DATA_PREFIXES, document
from gateway.exchange import Endpoint, Json
from tests.admin.conftest import make_app

DOCUMENT = document("1.2.3", MAIN_ROUTES, ADMIN_PREFIX, ADMIN_ROUTES)
PAGES = {"/openapi.json", "/api/v1/openapi.json", "/docs", "/api/v1/docs", "/redoc"}


def operations() -> dict[tuple[str, str], Json]:
    return {(method.upper(), path): said for path, item in DOCUMENT["paths"].items() for method, said in item.items()}


async def test_every_mounted_route_is_in_the_document_and_the_other_way_round(deps: AdminDeps) -> None:
    mounted = set()
    for route in make_app(deps).router.routes():
        assert route.resource is not None
        path = re.sub(r":\[[^}]*}", "}", str(route.resource.get_info().get("formatter", route.resource.canonical)))
        if route.method != "HEAD" and not path.startswith("/docs/assets/"):
            mounted.add((route.method, path))
    data = {(call.method.upper(), f"{prefix}/{call.path}") for prefix in DATA_PREFIXES for call in DATA_PLANE}
    assert {(method, path) for method, path in mounted if path not in PAGES} == set(operations()) - data
    assert {path for _, path in mounted} >= PAGES
    assert data <= set(operations())


@pytest.mark.slow
def test_the_document_is_valid_and_every_reference_leads_somewhere() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    schemas = DOCUMENT["components"]["schemas"]
    references = set(re.findall(r"#/components/schemas/([^\"']+)", str(DOCUMENT)))
    assert references <= set(schemas)
    assert {"User", "CreateUser", "Error", "LogRow"} <= set(schemas)


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for operation in operations().values()]
    assert len(ids) == len(set(ids))


def test_what_is_guarded_says_so_and_only_signing_in_is_not() -> None:
    open_paths = {path for (_, path), said in operations().items() if not said["security"]}
    assert {path.rpartition("/")[2] for path in open_paths} == {"login", "refresh", "logout"}
    assert operations()["GET", "/api/v1/admin/logs"]["x-permission"] == "logs:read"


def test_queries_bodies_and_replies_are_described() -> None:
    logs = operations()["GET", "/api/v1/admin/logs"]
    assert {"limit", "cursor", "from", "to", "min_misuse"} <= {parameter["name"] for parameter in logs["parameters"]}
    login = operations()["POST", "/api/v1/auth/login"]
    assert set(login["requestBody"]["content"]) == {"application/json", "application/x-www-form-urlencoded"}
    create = operations()["POST", "/api/v1/admin/users"]
    assert "201" in create["responses"]
    usage = DOCUMENT["components"]["schemas"]["UsageReport"]["properties"]
    assert {"from", "to"} <= set(usage)


def test_each_handler_takes_and_gives_what_its_route_says() -> None:
    for route in (*MAIN_ROUTES, *ADMIN_ROUTES):
        hints = typing.get_type_hints(route.handler)
        assert next(iter(inspect.signature(route.handler).parameters)) == "call"
        assert hints.get("body") is route.takes, route.path
        assert hints.get("query") is route.query, route.path
        assert hints["return"] is (route.gives or type(None)), route.path


def test_no_reply_has_a_field_for_a_hash_or_a_password() -> None:
    shown = [route.gives for route in (*MAIN_ROUTES, *ADMIN_ROUTES) if route.gives is not None]
    for model in shown:
        assert issubclass(model, BaseModel)
        assert not [name for name in model.model_fields if "hash" in name or "password" in name]


def test_every_endpoint_of_the_data_plane_is_described() -> None:
    described = {call.path for call in DATA_PLANE}
    assert described >= {endpoint.value for endpoint in Endpoint} - {Endpoint.GENERATE.value}


def test_a_form_is_described_as_one_and_sound_as_sound() -> None:
    heard = operations()["POST", "/v1/audio/transcriptions"]
    schema = heard["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert schema["required"] == ["model", "file"]
    assert set(schema["properties"]) == {"model", "file", "stream", "task_id"}
    assert {"application/json", "text/plain", "text/event-stream"} <= set(heard["responses"]["200"]["content"])
    assert "audio/*" in operations()["POST", "/api/v1/audio/speech"]["responses"]["200"]["content"]
    assert set(operations()["POST", "/v1/embeddings"]["responses"]["200"]["content"]) == {"application/json"}
