"""The servers known by name can be reached as they are written down."""

import pytest

from gateway.exchange import Endpoint
from gateway.providers.base import UpstreamRequest
from gateway.providers.openai import ENDPOINTS
from gateway.providers.presets import PRESETS, Preset
from gateway.wire.request import RequestWriter


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_a_preset_is_an_address_and_what_is_answered_there(preset: Preset) -> None:
    writer = RequestWriter(preset.base_url)
    assert writer.tls is (writer.host != "127.0.0.1")
    assert not preset.base_url.endswith("/")
    assert writer.write(UpstreamRequest("/chat/completions", (), b"{}")).startswith(b"POST /")
    assert Endpoint.CHAT in preset.endpoints <= ENDPOINTS
    assert bool(preset.key_name) is writer.tls
    assert preset.left_out.isdisjoint(preset.renamed)


def test_whoever_wants_a_key_has_a_variable_of_its_own() -> None:
    names = [preset.key_name for preset in PRESETS.values() if preset.key_name]
    assert len(names) == len(set(names))
    assert len({preset.base_url for preset in PRESETS.values()}) == len(PRESETS)
