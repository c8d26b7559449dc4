"""How the control plane says no: the data plane's refusals and a few of its own, in one shape, `{"detail", "code"}`."""

from typing import Any

from gateway.errors import Fault, InvalidRequest, Overloaded, Refusal


class Unauthorized(Refusal):
    status, type, code, fault = 401, "authentication_error", "unauthorized", Fault.CLIENT


class BadCredentials(Unauthorized):
    code = "bad_credentials"


class NotFound(Refusal):
    status, type, code, fault = 404, "invalid_request_error", "not_found", Fault.CLIENT


class Conflict(Refusal):
    status, type, code, fault = 409, "invalid_request_error", "conflict", Fault.CLIENT


class BadCursor(InvalidRequest):
    code = "invalid_cursor"


class TooManyAttempts(Refusal):
    status, type, code, fault = 429, "rate_limit_error", "too_many_attempts", Fault.CLIENT


class DatabaseUnavailable(Overloaded):
    code = "database_unavailable"


class Unprocessable(Refusal):
    """A request that is well formed but means nothing: `details` says where, field by field."""

    status, type, code, fault = 422, "invalid_request_error", "validation_error", Fault.CLIENT

    def __init__(self, message: str, *, details: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.details = details


def invalid_field(field: str, message: str) -> Unprocessable:
    """What only the database could tell about one field of the body, said as the schema says the rest."""
    return _invalid("body", field, message)


def invalid_query(parameter: str, message: str) -> Unprocessable:
    return _invalid("query", parameter, message)


def _invalid(where: str, name: str, message: str) -> Unprocessable:
    detail = {"loc": [where, name], "msg": message, "type": "value_error"}
    return Unprocessable(f"{name}: {message}", details=[detail])


def render(refusal: Refusal, request_id: str) -> dict[str, Any]:
    details = refusal.details if isinstance(refusal, Unprocessable) else None
    return {"detail": details or refusal.message, "code": refusal.code, "request_id": request_id}
