"""What is accepted says the same to every parser; what is written again differs in the named part alone."""

import email.policy
from email import message_from_bytes
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_multipart.multipart import MultipartParser, parse_options_header

from gateway.multipart import MAX_HEAD_BYTES, MAX_PARTS, MAX_TEXT_BYTES, BrokenForm, Form, NoForm, read_form

KIND = "multipart/form-data; boundary=xYz"
FILE = (
    b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav',
    b"\x00RIFF\r\n--xY\r\n",
)


def head_of(name: str, **more: str) -> bytes:
    return f'Content-Disposition: form-data; name="{name}"'.encode()


def body_of(*parts: tuple[bytes, bytes], boundary: bytes = b"xYz", end: bytes = b"--\r\n") -> bytes:
    written = [b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n" for head, content in parts]
    return b"".join(written) + b"--" + boundary + end


USUAL = body_of(
    (head_of("model"), b"whisper-1"), FILE, (head_of("task_id"), b"7"), (head_of("prompt"), "Grüße".encode())
)


def read(raw: bytes = USUAL, kind: str = KIND) -> Form:
    return read_form(kind, raw)


def refused(raw: bytes, kind: str = KIND) -> str:
    with pytest.raises(BrokenForm) as caught:
        read_form(kind, raw)
    return str(caught.value)


def text_of(form: Form, name: str) -> str | None:
    part = form.find(name)
    return None if part is None else form.text(part)


def test_fields_and_files_are_found_where_they_are() -> None:
    form = read()
    assert [(part.name, part.is_file, part.is_text) for part in form.parts] == [
        ("model", False, True), ("file", True, False), ("task_id", False, True), ("prompt", False, True),
    ]  # fmt: skip
    assert (text_of(form, "model"), text_of(form, "prompt"), text_of(form, "nothing")) == ("whisper-1", "Grüße", None)
    part = form.parts[1]
    assert form.raw[part.at : part.end] == FILE[1]
    assert b"".join(form.raw[part.start : part.until] for part in form.parts) + b"--xYz--\r\n" == USUAL


def test_a_field_is_rewritten_and_everything_else_stays_as_it_came() -> None:
    form = read()
    assert form.saying("model", "whisper-1") is USUAL
    assert form.saying("model", "ops/w") == USUAL.replace(b"whisper-1", b"ops/w")
    odd = body_of(FILE, (head_of("model") + b"\r\nContent-Length: 1", b"m"))
    assert read(odd).saying("model", "longer") == body_of(FILE, (head_of("model"), b"longer"))


@pytest.mark.parametrize("name", ["model", "file", "task_id", "prompt"])
def test_a_field_is_taken_out_without_a_trace(name: str) -> None:
    less = read().without(name)
    assert less == read(less.raw)
    assert [part.name for part in less.parts] == [part.name for part in read().parts if part.name != name]
    assert less.without(name) is less


def test_a_name_may_be_there_several_times_where_nobody_asks_for_it() -> None:
    form = read(body_of((head_of("image[]"), b"1"), (head_of("image[]"), b"2"), (head_of("model"), b"m")))
    assert len(form.parts) == 3
    with pytest.raises(BrokenForm, match="more than once"):
        form.find("image[]")


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ("multipart/form-data; boundary=xYz", "xYz"),
        ('Multipart/Form-Data ; charset=utf-8; Boundary="xYz" ', "xYz"),
        ('multipart/form-data; boundary="a(b):c/d=e?"', "a(b):c/d=e?"),
        ("multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxk", "----WebKitFormBoundary7MA4YWxk"),
        ('multipart/form-data; boundary="1--"', "1--"),
    ],
)
def test_the_boundary_is_read_and_said_again(kind: str, boundary: str) -> None:
    raw = body_of((head_of("model"), b"m"), boundary=boundary.encode())
    form = read(raw, kind)
    assert form.boundary == boundary
    assert read(raw, form.content_type) == form


@pytest.mark.parametrize("kind", ["", "application/json", "multipart/mixed; boundary=xYz", "text/multipart/form-data"])
def test_another_kind_of_body_is_no_form(kind: str) -> None:
    with pytest.raises(NoForm):
        read(kind=kind)


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=xYz; boundary=b",
        "multipart/form-data; boundary=xYz; Boundary=xYz",
        "multipart/form-data; boundary=xYz; x=y",
        'multipart/form-data; boundary="a b"',
        "multipart/form-data; boundary=---",
        f"multipart/form-data; boundary={'x' * 71}",
    ],
)
def test_a_boundary_that_is_missing_or_ambiguous_is_refused(kind: str) -> None:
    assert "boundary" in refused(USUAL, kind)


PLAIN = head_of("model")


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"--xYz--", b"--xYz--\r\n", b"\r\n" + USUAL, b"preamble\r\n" + USUAL, USUAL + b"epilogue", USUAL + b"\r\n",
        USUAL[:-4], USUAL[:-3], USUAL.replace(b"\r\n", b"\n"), USUAL.replace(b"--xYz\r\n", b"--xYz \r\n", 1),
        USUAL.replace(b"--xYz\r\nContent-Disposition: form-data; name=\"task", b"--xYz--\r\nContent-Disposition: x"),
        body_of((PLAIN, b"a\n--xYz\nb")), body_of((PLAIN, b"a --xYz b")), body_of((PLAIN, b"a\r\n--xYzz\r\nb")),
        body_of((b"", b"m")), body_of((b"Content-Type: text/plain", b"m")), b"--xYz\r\n" + PLAIN + b"\r\n--xYz--",
        *(
            body_of((PLAIN + line, b"m"))
            for line in (
                b"\r\n" + PLAIN, b"\r\n folded", b"\rX: y", b"\nX: y", b"\r\nX\x00: y", b"\r\nX : y", b"\r\nno header",
            )
        ),
        body_of((PLAIN + b"\r\nX: " + b"y" * MAX_HEAD_BYTES, b"m")),
        body_of((PLAIN + b"\r\nContent-Transfer-Encoding: base64", b"bQ==")),
        body_of((PLAIN + b"\r\nContent-Transfer-Encoding: quoted-printable", b"m")),
        body_of((PLAIN + b"\r\nContent-Length: 2", b"m")), body_of((PLAIN + b"\r\nContent-Length: 01", b"m")),
        body_of((PLAIN + b"\r\nContent-Type: multipart/mixed; boundary=b", b"--b--")),
        *(
            body_of((b"Content-Disposition: " + said, b"m"))
            for said in (
                b"form-data", b"attachment; name=model", b'form-data; name=""', b'form-data; name="a b"',
                b'form-data; name="mod%65l"', b'form-data; name="mod\\el"', b'form-data; name="model"; name="x"',
                b'form-data; name="model"; NAME=x', b"form-data; name*=utf-8''model", b'form-data; name="a"; size=3',
                b'form-data; filename="x"', b'form-data; name="_charset_"', b'form-data; name="m\xc3\xb6del"',
                b'form-data; name="f"; filename="a\\"; name=\\"model"',
                b'form-data; name="f"; filename="a; name=model"',
                b'form-data; name="model', b'form-data name="model"', b'form-data; name="model" x',
            )
        ),
        body_of(*[(PLAIN, b"m")] * (MAX_PARTS + 1)),
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_refused(raw: bytes) -> None:
    assert refused(raw)


@pytest.mark.parametrize(
    "head",
    [
        PLAIN + b"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 1",
        b"content-disposition:form-data;name=model\r\nContent-Type: text/plain",
        b"Content-Type: text/plain;charset=UTF-8\r\nContent-Disposition: form-data; name=model",
        PLAIN + b"\r\nContent-Transfer-Encoding: 8bit",
    ],
)
def test_the_heads_that_clients_write_are_read(head: bytes) -> None:
    assert text_of(read(body_of((head, b"m"), end=b"--")), "model") == "m"


@pytest.mark.parametrize(
    ("head", "content"),
    [
        (b'Content-Disposition: form-data; name="model"; filename=""', b"m"),
        (b"Content-Disposition: form-data; name=\"model\"; filename*=utf-8''x", b"m"),
        (PLAIN + b"\r\nContent-Type: text/plain; charset=utf-16", b"m\x00"),
        (PLAIN + b"\r\nContent-Type: application/json", b'"m"'),
        (PLAIN, b"\xff"),
        (PLAIN, b"m\x00"),
        (PLAIN, b"m" * (MAX_TEXT_BYTES + 1)),
    ],
)
def test_what_is_no_plain_text_is_not_read_as_one(head: bytes, content: bytes) -> None:
    form = read(body_of((head, content)))
    with pytest.raises(BrokenForm, match="'model'"):
        text_of(form, "model")


# What other parsers find. Both are laxer than we are: on what we accept they have to agree.


def as_mail(raw: bytes, kind: str) -> list[tuple[str, bytes]]:
    message = message_from_bytes(f"content-type: {kind}\r\n\r\n".encode() + raw, policy=email.policy.HTTP)
    found = []
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found.append((str(part.get_param("name", header="content-disposition")), content))
    return found


class ServersReading:
    """What a server in Python finds: the parser that FastAPI's applications use."""

    def __init__(self, raw: bytes, boundary: str) -> None:
        self.found: list[tuple[str, bytes]] = []
        self._header = b""
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": lambda: self.found.append(("", b"")),
                "on_header_field": self._on_field,
                "on_header_value": self._on_value,
                "on_part_data": self._on_data,
            },
        )
        parser.write(raw)
        parser.finalize()

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._header = data[start:end].lower()

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        if self._header == b"content-disposition":
            self.found[-1] = (parse_options_header(data[start:end])[1][b"name"].decode(), b"")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        name, content = self.found[-1]
        self.found[-1] = (name, content + data[start:end])


PIECES = st.sampled_from(
    (b"--xYz", b"--xYz--", b"\r\n", b"\n", b"\r", b"--", b"-", b" ", b";", b":", b'"', b"\\", b"name=", b'name="model"',
     b"Content-Disposition: form-data", b'; name="model"', b'; name="file"; filename="f"', b"Content-Length: 2",
     b"Content-Type: text/plain", b"\r\n\r\n", b"m", b"\x00", b"\xff", b"xYz", b"[]")
)  # fmt: skip
SOUP = st.lists(PIECES, max_size=14).map(b"".join)
PARTS = st.lists(
    st.tuples(st.sampled_from((PLAIN, FILE[0], head_of("x[]"))), st.binary(max_size=30) | SOUP), max_size=5
)


@given(PARTS, st.integers(0, 400), SOUP)
@settings(max_examples=400, deadline=None)
def test_every_parser_finds_what_we_find(parts: list[tuple[bytes, bytes]], at: int, inserted: bytes) -> None:
    """A form with something put in anywhere: it is refused, or others read the same."""
    raw = body_of(*parts)
    raw = raw[:at] + inserted + raw[at:]
    try:
        form = read_form(KIND, raw)
    except BrokenForm:
        return
    ours = [(part.name, raw[part.at : part.end]) for part in form.parts]
    assert ServersReading(raw, form.boundary).found == ours
    lines = b"".join(content for _, content in ours).replace(b"\r\n", b"")
    if b"\r" not in lines and b"\n" not in lines:  # to mail every line end is the same
        assert as_mail(raw, form.content_type) == ours


@given(
    SOUP | st.binary(max_size=200), st.sampled_from((KIND, "multipart/form-data; boundary=a")) | st.text(max_size=60)
)
@settings(max_examples=200, deadline=None)
def test_no_bytes_raise_anything_but_a_refusal(raw: bytes, kind: str) -> None:
    try:
        form = read_form(kind, raw)
    except (NoForm, BrokenForm):
        return
    assert form.parts


@given(PARTS, st.text(max_size=20))
@settings(max_examples=100, deadline=None)
def test_a_rewritten_form_says_what_was_authorised_and_nothing_else_new(
    parts: list[tuple[bytes, bytes]], value: str
) -> None:
    raw = body_of((head_of("task_id"), b"1"), *parts, (head_of("n"), b"2"))
    try:
        form = read_form(KIND, raw).without("task_id")
        again = read_form(KIND, form.saying("n", value))
    except BrokenForm:
        return
    said: list[Any] = [(part.name, form.raw[part.at : part.end]) for part in form.parts if part.name != "n"]
    assert [(part.name, again.raw[part.at : part.end]) for part in again.parts if part.name != "n"] == said
    assert again.raw[again.parts[-1].at : again.parts[-1].end] == value.encode()
