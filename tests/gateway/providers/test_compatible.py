"""A server known by name gets what it can read."""

import orjson

from gateway.exchange import Endpoint, Target
from gateway.providers.compatible import CompatibleProvider
from gateway.providers.presets import PRESETS
from tests.gateway.scripted import BODIES, make_call, make_inbound

MISTRAL = CompatibleProvider("key", PRESETS["mistral"])
SAME = Target("mistral", "m")


def test_the_clients_bytes_stay_where_the_server_can_read_them() -> None:
    call = make_call()
    assert call.raw is not None
    request = MISTRAL.request(call, SAME, make_inbound())
    assert request.body is call.raw
    assert request.path == "/chat/completions"
    assert ("authorization", "Bearer key") in request.headers


def test_what_the_server_refuses_is_left_out_or_has_its_name_there() -> None:
    call = make_call(stream=True, stream_options={"include_usage": True}, max_completion_tokens=9, seed=0)
    said = orjson.loads(MISTRAL.request(call, SAME, make_inbound()).body)
    assert said == {**BODIES[Endpoint.CHAT], "stream": True, "max_tokens": 9, "random_seed": 0}
    assert "stream_options" in call.body


def test_the_servers_own_name_wins() -> None:
    call = make_call(seed=1, random_seed=2)
    assert orjson.loads(MISTRAL.request(call, SAME, make_inbound()).body)["random_seed"] == 2


def test_a_server_without_such_rules_gets_everything() -> None:
    call = make_call(stream=True, stream_options={"include_usage": True}, seed=0)
    said = orjson.loads(CompatibleProvider("", PRESETS["groq"]).request(call, SAME, make_inbound()).body)
    assert said == call.body


def test_only_what_the_server_answers_is_asked_of_it() -> None:
    assert Endpoint.RESPONSES not in MISTRAL.endpoints
    assert Endpoint.RESPONSES in CompatibleProvider("", PRESETS["groq"]).endpoints
