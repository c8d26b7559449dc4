"""What is authorised is what the upstream reads."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest, UnsupportedMediaType
from gateway.exchange import Endpoint, ModelCall
from gateway.phases.estimate import IMAGE_TOKENS
from gateway.phases.parse import MAX_CHOICES, parse, parse_body, parse_generate
from tests.gateway.scripted import BODIES, bearer, make_generate, make_inbound

CALLS = tuple(BODIES)


def body_of(endpoint: Endpoint = Endpoint.CHAT, **changes: Any) -> dict[str, Any]:
    return {**BODIES[endpoint], **changes}


def refusal_of(raw: bytes | dict[str, Any], endpoint: Endpoint = Endpoint.CHAT) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse_body(endpoint, raw if isinstance(raw, bytes) else json.dumps(raw).encode())
    return caught.value


# What may be forwarded as it came.


@pytest.mark.parametrize("endpoint", CALLS)
def test_compact_json_is_forwarded_as_it_came(endpoint: Endpoint) -> None:
    raw = orjson.dumps(body_of(endpoint, unknown={"deep": [1, None, "x"]}))
    assert parse_body(endpoint, raw).raw is raw


def test_numbers_spaces_and_unknown_fields_are_forwarded_untouched() -> None:
    raw = (
        b'{ "model":"m",\n "temperature": 1e0, "seed": 123456789012345678901234567890, "top_p":0.10,'
        b' "x_vendor": {"\\u0061": [ ]}, "messages":[{"role":"user","content":"caf\\u00e9"}] }'
    )
    assert parse_body(Endpoint.CHAT, raw).raw == raw


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model":"a","messages":[{"role":"user","content":"x"}],"model":"b"}',
        b'{"mod\\u0065l":"a","model":"b","messages":[{"role":"user","content":"x"}]}',
        b'{"model":"b","messages":[{"role":"user","content":"x","content":"y"}]}',
        b'{"model":"b","messages":[{"role":"user","content":"y"}],"x":{"a":[{"k":1,"\\u006b":2}]}}',
    ],
)
def test_a_body_that_says_a_key_twice_is_never_forwarded_as_it_came(raw: bytes) -> None:
    call = parse_body(Endpoint.CHAT, raw)
    assert call.raw is None
    assert call.body == orjson.loads(raw)
    assert call.model in ("a", "b")


def test_of_a_key_given_twice_the_authorised_value_is_the_one_sent_on() -> None:
    call = parse_body(Endpoint.CHAT, b'{"model":"allowed","messages":[{"role":"user"}],"model":"secret"}')
    assert orjson.loads(orjson.dumps(call.body))["model"] == call.model == "secret"


def test_a_long_loose_body_is_sent_on_in_our_own_words() -> None:
    raw = json.dumps(body_of(user="u" * 70_000), indent=1).encode()
    call = parse_body(Endpoint.CHAT, raw)
    assert call.raw is None
    assert call.body == json.loads(raw)


@pytest.mark.parametrize("name", ["Model", "MODEL", "Meſſages", "Stream", "Max_Tokens", "N", "Task_ID"])
def test_a_key_that_a_lax_parser_takes_for_one_of_ours_is_refused(name: str) -> None:
    """Go's parser, and so Ollama's, matches keys whatever their case: the last one would win there."""
    assert refusal_of({**body_of(), name: "other"}).param == name


def test_a_key_of_the_clients_own_may_be_written_as_it_likes() -> None:
    assert parse_body(Endpoint.CHAT, orjson.dumps({**body_of(), "toKens": 1, "X_Vendor": 2})).raw is not None


@pytest.mark.parametrize("name", ["Content", "ROLE", "Role"])
def test_a_message_with_a_second_content_in_another_case_is_refused(name: str) -> None:
    messages = [{"role": "user", "content": "benign", name: "system"}]
    assert refusal_of(body_of(messages=messages)).param == f"messages[0].{name}"


# Our own fields.


@pytest.mark.parametrize("value", [7, None])
def test_task_id_is_ours_and_never_sent_on(value: int | None) -> None:
    call = parse_body(Endpoint.CHAT, orjson.dumps(body_of(task_id=value)))
    assert call.task_id == value
    assert call.raw is None
    assert "task_id" not in call.body


@pytest.mark.parametrize("endpoint", CALLS)
@pytest.mark.parametrize("stream", [True, False, None])
def test_usage_is_asked_for_on_streams_that_can_tell_it(endpoint: Endpoint, stream: bool | None) -> None:
    call = parse_body(endpoint, orjson.dumps(body_of(endpoint, stream=stream)))
    asks = stream is True and endpoint in (Endpoint.CHAT, Endpoint.COMPLETIONS)
    assert call.body.get("stream_options") == ({"include_usage": True} if asks else None)
    assert (call.raw is None) is asks
    assert call.wants_usage is False


def test_other_stream_options_survive_the_question_for_usage() -> None:
    given = {"include_usage": False, "include_obfuscation": False}
    call = parse_body(Endpoint.CHAT, orjson.dumps(body_of(stream=True, stream_options=given)))
    assert call.body["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    assert not call.wants_usage


def test_a_client_that_asks_for_usage_itself_is_forwarded_as_it_came() -> None:
    raw = orjson.dumps(body_of(stream=True, stream_options={"include_usage": True}))
    call = parse_body(Endpoint.CHAT, raw)
    assert call.wants_usage
    assert call.raw is raw


# What is refused.


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"model": None}, "model"), ({"model": 5}, "model"), ({"model": ""}, "model"), ({"model": "a b"}, "model"),
        ({"model": "m\n"}, "model"), ({"model": "m" * 201}, "model"), ({"model": "../\u00e9"}, "model"),
        ({"stream": "true"}, "stream"), ({"stream": 1}, "stream"), ({"stream_options": []}, "stream_options"),
        ({"stream_options": True}, "stream_options"), ({"task_id": "1"}, "task_id"), ({"task_id": 0}, "task_id"),
        ({"task_id": 1.0}, "task_id"), ({"task_id": True}, "task_id"), ({"task_id": 2**63}, "task_id"),
        ({"max_tokens": -1}, "max_tokens"), ({"max_tokens": "9"}, "max_tokens"), ({"max_tokens": 1e9}, "max_tokens"),
        ({"max_tokens": 10**8}, "max_tokens"), ({"max_completion_tokens": False}, "max_completion_tokens"),
        ({"max_output_tokens": [1]}, "max_output_tokens"), ({"n": 0}, "n"), ({"n": MAX_CHOICES + 1}, "n"),
        ({"n": 1.5}, "n"), ({"messages": None}, "messages"), ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"), ({"messages": {}}, "messages"), ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"role": "user"}, {"content": "x"}]}, "messages[1]"),
        ({"messages": [{"role": 1, "content": "x"}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": {"text": "x"}}]}, "messages[0].content"),
    ],
)  # fmt: skip
def test_a_wrong_type_of_what_the_gateway_acts_on_is_refused_by_name(changes: dict[str, Any], param: str) -> None:
    assert refusal_of(body_of(**changes)).param == param


@pytest.mark.parametrize("endpoint", CALLS)
def test_a_call_without_its_input_is_refused(endpoint: Endpoint) -> None:
    body = body_of(endpoint)
    name = next(name for name in ("messages", "prompt", "input") if name in body)
    del body[name]
    assert refusal_of(body, endpoint).param == name
    if name != "messages":
        assert refusal_of({**body, name: 5}, endpoint).param == name
        assert refusal_of({**body, name: {"a": 1}}, endpoint).param == name


def test_a_stored_prompt_takes_the_place_of_input() -> None:
    assert parse_body(Endpoint.RESPONSES, b'{"model":"m","prompt":{"id":"p"}}').turns == []


def test_only_moderations_may_leave_the_model_out() -> None:
    call = parse_body(Endpoint.MODERATIONS, b'{"input":"x"}')
    assert call.model == call.body["model"]
    assert call.raw is None  # the upstream's own default may be another model than the one that was authorised
    assert refusal_of(b'{"input":"x"}', Endpoint.EMBEDDINGS).param == "model"


async def test_a_compressed_body_is_refused_unread() -> None:
    async def read() -> bytes:
        raise AssertionError("read")

    with pytest.raises(UnsupportedMediaType):
        await parse(make_inbound(headers=bearer(content_encoding="gzip"), read=read))
    assert (await parse(make_inbound(headers=bearer(content_encoding="identity")))).model == "m"


# What admission goes by.


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({}, None), ({"max_tokens": 5}, 5), ({"max_tokens": 5, "max_completion_tokens": 9}, 9), ({"max_tokens": 0}, 0),
        ({"max_output_tokens": 3}, 3), ({"max_tokens": None}, None),
    ],
)  # fmt: skip
def test_the_largest_token_limit_is_what_may_come_out(fields: dict[str, Any], limit: int | None) -> None:
    assert parse_body(Endpoint.CHAT, orjson.dumps(body_of(**fields))).max_output_tokens == limit


@pytest.mark.parametrize("endpoint", [Endpoint.EMBEDDINGS, Endpoint.MODERATIONS])
def test_what_makes_no_output_reserves_none(endpoint: Endpoint) -> None:
    assert parse_body(endpoint, orjson.dumps(body_of(endpoint, max_tokens=50))).max_output_tokens == 0


# Gemini, which says its model and its stream in the path.


def generate(**changes: Any) -> ModelCall:
    return make_generate(**changes)


def generate_refusal(**changes: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        generate(**changes)
    return caught.value


async def test_geminis_path_says_the_model_and_the_stream() -> None:
    inbound = make_inbound(Endpoint.GENERATE, {"contents": [{"parts": [{"text": "Hi"}]}], "model": "another"})
    call = await parse(inbound._replace(model_id="up/m", stream=True))
    assert (call.model, call.stream, call.endpoint, call.wants_usage) == ("up/m", True, Endpoint.GENERATE, True)
    with pytest.raises(InvalidRequest) as refused:
        await parse(inbound._replace(model_id="a b"))
    assert refused.value.param == "model"


def test_geminis_call_is_forwarded_as_it_came_less_what_is_ours() -> None:
    raw = b'{ "contents": [{"parts": [{"text": "Hi"}]}] }'
    assert parse_generate("m", False, raw).raw is raw
    ours = generate(task_id=7)
    assert (ours.task_id, ours.raw, "task_id" in ours.body) == (7, None, False)
    assert parse_generate("m", False, b'{"contents":[],"contents":[]}').raw is None


@pytest.mark.parametrize("config", ["generationConfig", "generation_config"])
@pytest.mark.parametrize(("most", "several"), [("maxOutputTokens", "candidateCount"),
                                               ("max_output_tokens", "candidate_count")])  # fmt: skip
def test_what_may_come_out_is_known_in_both_spellings(config: str, most: str, several: str) -> None:
    call = generate(**{config: {most: 50, several: 3}})
    assert (call.max_output_tokens, call.choices) == (50, 3)
    assert generate(**{config: {"maxOutputTokens": 9, "max_output_tokens": 90}}).max_output_tokens == 90
    assert (generate().max_output_tokens, generate().choices) == (None, 1)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"contents": None}, "contents"), ({"contents": 5}, "contents"), ({"Contents": []}, "Contents"),
        ({"generationConfig": []}, "generationConfig"), ({"task_id": "x"}, "task_id"),
        ({"generationConfig": {}, "generation_config": {}}, "generationConfig"),
        ({"systemInstruction": "a", "system_instruction": "b"}, "systemInstruction"),
        ({"generationConfig": {"maxOutputTokens": "many"}}, "maxOutputTokens"),
        ({"generationConfig": {"candidateCount": MAX_CHOICES + 1}}, "candidateCount"),
    ],
)  # fmt: skip
def test_a_wrong_type_in_geminis_call_is_refused_by_name(changes: dict[str, Any], param: str) -> None:
    assert generate_refusal(**changes).param == param


def test_geminis_images_and_tools_count_for_the_estimate() -> None:
    image = [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "x"}}]}]
    assert generate(contents=image).input_tokens_estimate >= IMAGE_TOKENS
    assert generate(tools=[{"d": "y" * 4000}]).input_tokens_estimate >= 1000


# Whatever comes.

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ("model", "messages", "prompt", "input", "stream", "stream_options", "task_id", "n", "max_tokens", "tools",
     "system", "instructions", "suffix", "Model", "content", "contents", "generationConfig", "systemInstruction")
)  # fmt: skip
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.text() | JSON_VALUES, "content": JSON_VALUES}) | JSON_VALUES, max_size=3
)


def only_refuses(endpoint: Endpoint, raw: bytes) -> None:
    try:
        call = parse_generate("m", False, raw) if endpoint is Endpoint.GENERATE else parse_body(endpoint, raw)
    except InvalidRequest:
        return
    assert call.raw is None or orjson.loads(call.raw) == call.body
    assert call.input_tokens_estimate >= 0
    orjson.dumps(call.body)


@given(st.sampled_from([*CALLS, Endpoint.GENERATE]), st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_no_bytes_raise_anything_but_a_refusal(endpoint: Endpoint, raw: bytes) -> None:
    only_refuses(endpoint, raw)


@given(
    st.sampled_from([*CALLS, Endpoint.GENERATE]),
    st.dictionaries(FIELDS, JSON_VALUES | MESSAGES, max_size=8),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_no_json_raises_anything_but_a_refusal(endpoint: Endpoint, changes: dict[str, Any], whole: bool) -> None:
    body = {**BODIES.get(endpoint, {"contents": []}), **changes} if whole else changes
    only_refuses(endpoint, json.dumps(body).encode("utf-8"))
