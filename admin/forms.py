"""HTML forms, as flat fields: what `curl -d` and OAuth2 clients send to sign in. Pure."""

from email import policy
from email.parser import BytesParser
from urllib.parse import parse_qsl

from gateway.errors import UnsupportedMediaType

JSON = "application/json"
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
FIELDS_MAX = 50


def is_json(content_type: str, body: bytes) -> bool:
    """By the type; without one, or with the type that curl gives to everything, by the first character."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == JSON or kind.endswith("+json"):
        return True
    return kind in ("", URLENCODED, "text/plain") and body.lstrip()[:1] in (b"{", b"")


def fields(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form. Raises UnsupportedMediaType for what is none."""
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == URLENCODED:
            return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"))
        if kind == MULTIPART:
            return _multipart(content_type, body)
    except ValueError as error:  # not UTF-8, or more fields than any form has
        raise UnsupportedMediaType("The form can't be read.") from error
    raise UnsupportedMediaType(f"Send {JSON}, {URLENCODED} or {MULTIPART}.")


def _multipart(content_type: str, body: bytes) -> dict[str, str]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = BytesParser(policy=policy.HTTP).parsebytes(head + body)
    found = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            found[name] = content.decode()
    return found
