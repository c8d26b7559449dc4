"""Field types of the control plane: what they refuse, and how they read what they take."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from admin.schema import (
    BIGINT_MAX,
    LIMIT_COLUMNS,
    LIMIT_MAX,
    Email,
    Id,
    LimitsBody,
    LimitsNoun,
    LongText,
    Moment,
    Name,
    Names,
    Password,
    Query,
    QueryMoment,
    Reason,
    Text,
)
from gateway.exchange import Limits

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def read(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value)


class Filter(Query):
    limit: Id = 1


@pytest.mark.parametrize("body", ['{"rpn": 1}', '{"rpm": "1"}', '{"rpm": 1.0}', '{"rpm": true}', '{"rpm": -1}'])
def test_a_body_of_unknown_fields_or_wrong_types_is_refused(body: str) -> None:
    with pytest.raises(ValidationError):
        LimitsBody.model_validate_json(body)


def test_a_field_left_out_is_not_the_same_as_null() -> None:
    assert LimitsBody.model_validate_json('{"rpm": null}').model_fields_set == {"rpm"}
    assert LimitsBody.model_validate_json("{}").model_fields_set == set()


def test_a_query_reads_numbers_from_text_and_refuses_a_misspelt_filter() -> None:
    assert Filter.model_validate({"limit": "25"}).limit == 25
    with pytest.raises(ValidationError, match="limti"):
        Filter.model_validate({"limti": "25"})


@pytest.mark.parametrize("kind", [Text, LongText, Name, Reason, Email, Password, Names])
def test_no_text_holds_what_postgres_cannot_store(kind: Any) -> None:
    sound = "ann@example.com"
    assert read(kind, [sound] if kind is Names else sound)
    with pytest.raises(ValidationError, match="NUL"):
        read(kind, ["a\x00" + sound] if kind is Names else "a\x00" + sound)


def test_spaces_around_a_name_are_nobodys_and_those_of_a_password_are_its_own() -> None:
    assert read(Name, "  Ann ") == "Ann"
    assert read(Password, "  horse ") == "  horse "
    with pytest.raises(ValidationError):
        read(Name, "   ")


@pytest.mark.parametrize(("kind", "most"), [(Id, BIGINT_MAX), (LimitsBody, LIMIT_MAX)])
def test_a_number_above_what_can_be_kept_is_refused(kind: Any, most: int) -> None:
    def given(number: int) -> object:
        return {"tpm": number} if kind is LimitsBody else number

    assert read(kind, given(most))
    with pytest.raises(ValidationError):
        read(kind, given(most + 1))


@pytest.mark.parametrize(
    "said", ["2026-11-22T12:00:00", "2026-11-22T12:00:00Z", "2026-11-22T15:00:00 03:00", "2026-11-22T15:00:00+0300"]
)
def test_a_moment_of_a_url_is_utc_however_it_is_written(said: str) -> None:
    moment = read(QueryMoment, said)
    assert (moment, moment.tzinfo) == (NOON, UTC)


@pytest.mark.parametrize("year", [1969, 9999])
def test_a_moment_no_database_or_clock_can_shift_is_refused(year: int) -> None:
    with pytest.raises(ValidationError, match="1970"):
        read(Moment, NOON.replace(year=year))


def test_every_limit_has_one_name_outside_and_one_column() -> None:
    assert set(LIMIT_COLUMNS) == set(LimitsBody.model_fields) == set(LimitsNoun.model_fields)
    hard = [column for column in LIMIT_COLUMNS.values() if not column.startswith("soft_")]
    assert sorted(hard) == sorted(field.name for field in fields(Limits))
    assert {f"soft_{name}" for name in hard if name.endswith("budget_micros")} == set(LIMIT_COLUMNS) - set(hard) - {
        "daily_quota",
        "monthly_quota",
    }
