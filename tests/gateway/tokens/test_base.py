import hashlib

import pytest

from gateway.tokens.base import LENGTH, digest, is_well_formed, new_token


def test_a_new_token_is_well_formed_and_never_the_same() -> None:
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(is_well_formed(token) and len(token) == LENGTH for token in tokens)
    assert len({digest(token) for token in tokens}) == 1000


@pytest.mark.parametrize("token", ["", "gf_a", "é", "x" * 100_000])
def test_what_is_stored_is_the_sha256_that_everybody_computes(token: str) -> None:
    assert digest(token) == hashlib.sha256(token.encode()).digest()


@pytest.mark.parametrize("position", range(LENGTH))
def test_a_token_with_one_character_wrong_is_told_apart(position: int) -> None:
    token = new_token()
    wrong = "x" if token[position] != "x" else "y"
    assert not is_well_formed(token[:position] + wrong + token[position + 1 :])


@pytest.mark.parametrize("change", ["", "gf_", "sk-abc", "gf_" + "ä" * 38, "{}0", " {}", "{}\n"])
def test_what_is_no_token_is_not_taken_for_one(change: str) -> None:
    assert not is_well_formed(change.format(new_token()))
    assert not is_well_formed(new_token()[:-1])
