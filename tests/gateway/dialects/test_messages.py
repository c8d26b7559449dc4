"""The dialect as a whole: it fits the seam, and what its writers drop is told in full."""

from dataclasses import fields

from gateway.dialects import messages
from gateway.dialects.base import ClientDialect, ProviderDialect
from gateway.dialects.neutral import ChatRequest


def test_the_module_is_both_sides_of_the_seam() -> None:
    client: ClientDialect = messages
    provider: ProviderDialect = messages
    assert client.writer is messages.writer
    assert provider.reader is messages.reader


def test_every_reason_is_a_sentence_and_every_dropped_field_exists() -> None:
    for told in (messages.IGNORED, messages.REFUSED, messages.DROPPED):
        assert all(len(why) > 10 for why in told.values())
    names = {field.name for field in fields(ChatRequest)} | {"media", "reasoning"}
    assert {name.partition(".")[0].removesuffix("[]") for name in messages.DROPPED} <= names
