"""The control plane's refusals: one shape, and never another one than the clients were told."""

import pytest

from admin import errors
from admin.errors import NotFound, Unprocessable, invalid_field, invalid_query, render
from gateway.errors import Fault, Forbidden, Refusal


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (errors.Unauthorized, 401, "unauthorized"),
        (errors.BadCredentials, 401, "bad_credentials"),
        (errors.NotFound, 404, "not_found"),
        (errors.Conflict, 409, "conflict"),
        (errors.BadCursor, 400, "invalid_cursor"),
        (errors.Unprocessable, 422, "validation_error"),
        (errors.TooManyAttempts, 429, "too_many_attempts"),
        (errors.DatabaseUnavailable, 503, "database_unavailable"),
    ],
)
def test_status_and_code_of_each_refusal_are_a_promise(refusal: type[Refusal], status: int, code: str) -> None:
    assert (refusal.status, refusal.code) == (status, code)
    assert refusal.fault is (Fault.CLIENT if status < 500 else Fault.OURS)


@pytest.mark.parametrize("refusal", [NotFound("No such user."), Forbidden("Not yours.")])
def test_a_refusal_of_either_plane_is_told_in_one_shape(refusal: Refusal) -> None:
    assert render(refusal, "req_1") == {"detail": refusal.message, "code": refusal.code, "request_id": "req_1"}


def test_what_the_database_found_is_said_as_the_schema_would() -> None:
    fault = {"loc": ["body", "email"], "msg": "is taken", "type": "value_error"}
    refusal = invalid_field("email", "is taken")
    assert refusal.message == "email: is taken"
    assert render(refusal, "req_1")["detail"] == [fault]
    assert render(invalid_query("from", "is late"), "req_1")["detail"][0]["loc"] == ["query", "from"]


@pytest.mark.parametrize("details", [None, []])
def test_without_details_the_message_is_the_detail(details: list[dict[str, object]] | None) -> None:
    assert render(Unprocessable("No.", details=details), "req_1")["detail"] == "No."
