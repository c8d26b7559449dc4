"""Gemini's clients hold signatures as bytes: their own as they came, others' wrapped."""

from base64 import b64decode, urlsafe_b64encode

import pytest

from gateway.dialects.gemini.signature import read_signature, write_signature


def test_geminis_own_come_and_go_bare() -> None:
    assert read_signature("c2lnbmVk") == "gemini:c2lnbmVk"
    assert write_signature("gemini:c2lnbmVk") == "c2lnbmVk"


def test_anothers_comes_back_as_it_went_in_either_alphabet() -> None:
    shown = write_signature("anthropic:a?b>c=")
    again = urlsafe_b64encode(b64decode(shown)).decode()
    assert read_signature(shown) == read_signature(again) == "anthropic:a?b>c="


@pytest.mark.parametrize("said", ["?", "a", "//8=", "bm9ib2R5OmE="])
def test_what_cannot_be_unwrapped_is_geminis(said: str) -> None:
    assert read_signature(said) == f"gemini:{said}"


def test_nothing_is_no_signature() -> None:
    assert read_signature(None) is None
    assert read_signature("") is None
