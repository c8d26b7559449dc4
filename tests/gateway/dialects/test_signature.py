"""A signature goes back to whom it came from, and to nobody else."""

import pytest

from gateway.dialects.signature import Origin, bare, origin_of, own, signed_by


def test_a_signature_goes_back_to_its_own_provider_alone() -> None:
    signed = signed_by(Origin.ANTHROPIC, "abc==")
    assert own(Origin.ANTHROPIC, signed) == "abc=="
    assert own(Origin.GEMINI, signed) is None


def test_a_client_sees_its_own_providers_signatures_bare_and_others_marked() -> None:
    assert bare(Origin.ANTHROPIC, signed_by(Origin.ANTHROPIC, "abc")) == "abc"
    foreign = bare(Origin.ANTHROPIC, signed_by(Origin.GEMINI, "abc"))
    assert foreign == "gemini:abc"
    assert signed_by(Origin.ANTHROPIC, foreign) == foreign, "what came back keeps its origin"


@pytest.mark.parametrize("signature", ["abc", "a:b", ":", "nobody:abc"])
def test_a_bare_signature_has_no_origin(signature: str) -> None:
    assert origin_of(signature) is None
    assert own(Origin.GEMINI, signature) is None
    assert bare(Origin.GEMINI, signature) == signature


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_signature_stays_none(nothing: str | None) -> None:
    assert signed_by(Origin.GEMINI, nothing) is None
    assert own(Origin.GEMINI, nothing) is None
    assert own(Origin.GEMINI, "gemini:") is None
