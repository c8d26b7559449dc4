"""Forms by their bytes."""

import pytest

from admin.forms import fields, is_json
from gateway.errors import UnsupportedMediaType


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json; charset=utf-8", b"anything", True),
        ("application/problem+json", b"", True),
        ("", b' {"a": 1}', True),
        ("application/x-www-form-urlencoded", b'{"a": 1}', True),
        ("application/x-www-form-urlencoded", b"a=1", False),
        ("multipart/form-data; boundary=x", b"{", False),
    ],
)
def test_json_is_told_by_type_or_first_character(content_type: str, body: bytes, expected: bool) -> None:
    assert is_json(content_type, body) is expected


def test_an_encoded_form_is_decoded() -> None:
    body = b"username=a%2Bb%40example.com&password=p%26q+r&empty="
    found = fields("application/x-www-form-urlencoded; charset=utf-8", body)
    assert found == {"username": "a+b@example.com", "password": "p&q r", "empty": ""}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", b"a=1"),
        ("", b"a=1"),
        ("application/x-www-form-urlencoded", b"a=\xff"),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 51)),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--'),
    ],
)
def test_what_is_no_form_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(UnsupportedMediaType):
        fields(content_type, body)


@pytest.mark.parametrize("body", [b"", b"--", b"--y\r\n\r\nz", b"--x\r\n\r\nno name\r\n--x--"])
def test_a_broken_multipart_has_no_fields(body: bytes) -> None:
    assert fields("multipart/form-data; boundary=x", body) == {}
