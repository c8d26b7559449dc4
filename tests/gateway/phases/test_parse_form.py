"""Of a form, what is authorised is what the upstream reads."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest, UnsupportedMediaType
from gateway.exchange import Endpoint
from gateway.multipart import read_form
from gateway.phases.estimate import AUDIO_BYTES_PER_TOKEN, IMAGE_TOKENS, TRANSCRIPT_TOKENS
from gateway.phases.parse_form import parse_form
from tests.gateway.media import FORM, FORMS, form_of, media_call, media_inbound

HEARD = Endpoint.TRANSCRIPTIONS


async def refused(endpoint: Endpoint = HEARD, body: bytes | None = None, **changes: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        await media_call(endpoint, body=body, **changes)
    return caught.value


@pytest.mark.parametrize("endpoint", list(FORMS))
async def test_a_form_goes_on_as_it_came_under_the_upstreams_own_name(endpoint: Endpoint) -> None:
    call = await media_call(endpoint)
    raw = await media_inbound(endpoint).read_body()
    assert call.form is not None
    assert call.form.saying("model", "m") == raw
    assert call.form.saying("model", "other") == form_of(*{**FORMS[endpoint], "model": "other"}.items())
    assert (call.model, call.raw, call.body_bytes, call.stream) == ("m", None, len(raw), False)


async def test_task_id_is_ours_and_never_sent_on() -> None:
    call = await media_call(HEARD, task_id="7", n="2", stream="True")
    assert (call.task_id, call.choices, call.stream) == (7, 2, True)
    assert call.form is not None
    assert call.form.raw == form_of(*FORMS[HEARD].items(), ("n", "2"), ("stream", "True"))
    assert "task_id" not in call.body


async def test_the_prompt_is_judged() -> None:
    assert [turn.text for turn in (await media_call(HEARD)).turns] == ["Waves"]
    assert (await media_call(Endpoint.TRANSLATIONS)).turns == []


async def test_sound_is_held_by_its_bytes_and_images_by_the_piece() -> None:
    short, long = await media_call(HEARD), await media_call(HEARD, file=b"x" * 1_000_000)
    assert long.input_tokens_estimate - short.input_tokens_estimate >= 990_000 // AUDIO_BYTES_PER_TOKEN
    assert short.max_output_tokens == TRANSCRIPT_TOKENS
    edit = await media_call(Endpoint.IMAGE_EDITS, mask=b"x")
    assert 2 * IMAGE_TOKENS <= edit.input_tokens_estimate <= 2 * IMAGE_TOKENS + 20
    assert edit.max_output_tokens is None


@pytest.mark.parametrize(
    "name",
    ["Model", "MODEL", "model[]", "model[0]", "Task_ID", "stream[]", "n[]", "Prompt", "svg[model]", "SVG[Model]"],
)
async def test_a_field_that_a_lax_server_takes_for_one_of_ours_is_refused(name: str) -> None:
    changes: dict[str, Any] = {name: "x"}
    assert (await refused(**changes)).param == name


@pytest.mark.parametrize("name", ["timestamp_granularities[]", "image[]", "svg[reasoning]", "language", "modelled"])
async def test_other_fields_may_be_called_as_they_like(name: str) -> None:
    assert (await media_call(HEARD, **{name: "x"})).model == "m"


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"model": None}, "model"), ({"model": ""}, "model"), ({"model": "a b"}, "model"),
        ({"task_id": "x"}, "task_id"), ({"task_id": "0"}, "task_id"), ({"task_id": "9" * 20}, "task_id"),
        ({"n": "0"}, "n"), ({"n": "²"}, "n"),
        ({"n": "-1"}, "n"), ({"n": "999"}, "n"), ({"stream": "1"}, "stream"), ({"stream": ""}, "stream"),
    ],
)  # fmt: skip
async def test_what_the_gateway_acts_on_is_checked(changes: dict[str, Any], param: str) -> None:
    assert (await refused(**changes)).param == param


@pytest.mark.parametrize("name", ["model", "prompt", "stream", "task_id", "n"])
async def test_what_the_gateway_acts_on_is_there_once(name: str) -> None:
    twice = form_of(("model", "m"), ("file", b"x"), (name, "1"), (name, "1"))
    assert "more than once" in (await refused(body=twice, kind=FORM)).message


async def test_what_the_gateway_acts_on_is_no_file() -> None:
    assert "plain text" in (await refused(model=b"m")).message


async def test_another_kind_of_body_is_refused() -> None:
    for kind in ("application/json", "text/plain"):
        with pytest.raises(UnsupportedMediaType):
            await media_call(HEARD, file=None, kind=kind)
    assert "boundary" in (await refused(body=b"{}", kind=FORM)).message


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("model", "prompt", "task_id", "n", "stream", "file", "Model", "model[]", "x")),
            st.sampled_from(("m", "1", "true", "")) | st.text(max_size=8) | st.binary(max_size=8),
        ),
        max_size=6,
    ),
    st.sampled_from(list(FORMS)),
)
@settings(max_examples=150, deadline=None)
def test_a_form_is_refused_or_says_to_others_what_was_authorised(
    fields: list[tuple[str, str | bytes]], endpoint: Endpoint
) -> None:
    raw = form_of(*fields)
    try:
        call = parse_form(media_inbound(endpoint, body=raw, kind=FORM), raw)
    except InvalidRequest:
        return
    assert call.form is not None
    sent = read_form(FORM, call.form.saying("model", "authorised"))
    assert [sent.text(part) for part in sent.parts if part.name == "model"] == ["authorised"]
    assert sent.find("task_id") is None
    others = [(name, said) for name, said in fields if name not in ("model", "task_id")]
    assert [part.name for part in sent.parts if part.name != "model"] == [name for name, _ in others]
