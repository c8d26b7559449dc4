"""The compiled loop and NumPy: the same scores for every text, and no harm from arguments that do not fit."""

import importlib
from struct import pack
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers import kernel
from classifiers.artifacts import load_default
from classifiers.features import BITS, LETTERS, MAX_SEGMENTS, SEGMENT, segments
from classifiers.kernel import Pair, Scores, unpacked
from classifiers.linear import NO_MASS, LinearModel

needs_kernel = pytest.mark.skipif(not kernel.compiled, reason="there was no compiler when this was installed")
ODD = "ab c'.1é漢\u0301\x01\U0001f642"


def model(seed: int, labels: int) -> LinearModel:
    """Random weights, and a mass of 1 a feature."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(1 << BITS, labels)).astype(np.float32)
    bias = rng.normal(size=labels).astype(np.float32)
    return LinearModel.quantised(tuple("abcdefghijklmnopqrst"[:labels]), weights, np.ones(1 << BITS, np.float32), bias)


PAIR = Pair(model(1, 3), model(2, 20), 0.7)


def read(*texts: str) -> list[list[str]]:
    return [segments(text) for text in texts]


def assert_same(ours: Scores, theirs: Scores) -> None:
    """Margins to the last bit. Shares nearly: from Python 3.12 on, `sum` rounds better than C adds."""
    assert ours[:2] == theirs[:2]
    assert ours[3] == pytest.approx(theirs[3], abs=1e-12)
    assert unpacked(ours[4]) == pytest.approx(unpacked(theirs[4]), abs=1e-12)
    assert unpacked(theirs[4])[ours[2]] == pytest.approx(theirs[3], abs=1e-12)


@needs_kernel
@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.text(st.characters(codec=None), max_size=1500) | st.text(ODD, max_size=5000) | st.text("ab ", max_size=1500),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_the_compiled_scores_are_numpys_for_any_texts(texts: list[str]) -> None:
    pieces = read(*texts)
    while sum(map(len, pieces)) > MAX_SEGMENTS:
        pieces.pop()
    assert_same(PAIR.score(pieces), PAIR.score_numpy(pieces))


@needs_kernel
@pytest.mark.parametrize("text", ["", " ", "a", "abc", "a" * SEGMENT, "." * SEGMENT, "é漢" * (SEGMENT // 2)])
def test_the_compiled_scores_are_numpys_at_the_edges(text: str) -> None:
    for pair in (PAIR, Pair(model(3, 1), model(4, 1), 1.0), Pair(model(5, 20), model(6, 10), 2.0)):
        assert_same(pair.score([[text]]), pair.score_numpy([[text]]))


def both(pair: Pair, texts: list[list[str]]) -> list[Scores]:
    return [pair.score(texts), pair.score_numpy(texts)]


def test_the_worst_text_is_ranked_and_the_first_is_shared_out() -> None:
    texts = read("how do i sort a list?", "what is a poem", "name a river")
    alone = [PAIR.score([text]) for text in texts]
    for scores in both(PAIR, texts):
        assert scores[:2] == max(alone)[:2]
        assert unpacked(scores[4]) == pytest.approx(unpacked(alone[0][4]))


def test_of_a_long_text_the_worst_piece_is_ranked_and_the_whole_is_shared_out() -> None:
    pieces = ["first things first", " then all the others", " and last the last"]
    worst = max(PAIR.score([[piece]])[0] for piece in pieces)
    for scores in both(PAIR, [pieces]):
        assert scores[0] >= worst
        assert unpacked(scores[4]) != pytest.approx(unpacked(PAIR.score([pieces[:1]])[4]))


def test_a_text_in_pieces_scores_the_sum_of_their_sums() -> None:
    ones = np.ones((1 << BITS, 2), dtype=np.int8)
    plain = LinearModel(("a",), ones, np.ones(2, dtype=np.float32), (-100.0,))
    for scores in both(Pair(plain, plain, 1.0), [["", ""]]):
        # The boundary as a word, and its pair with itself: two features a piece, four in all, over the root of four.
        assert scores[0] == 4 / 2 - 100


def test_a_higher_temperature_is_less_sure() -> None:
    text = read("translate this")
    sure, less = (Pair(model(1, 3), model(2, 5), temperature) for temperature in (1.0, 3.0))
    for a, b in zip(both(sure, text), both(less, text), strict=True):
        assert a[3] > b[3] > 0.2
        assert sum(unpacked(b[4])) == pytest.approx(1)


def test_a_text_without_known_features_scores_the_bias() -> None:
    empty = LinearModel(("a",), np.zeros((1 << BITS, 2), dtype=np.int8), np.ones(2, dtype=np.float32), (0.25,))
    assert [scores[0] for scores in both(Pair(empty, empty, 1.0), [["a text"]])] == [0.25, 0.25]


def test_next_to_no_mass_counts_as_a_little() -> None:
    scale = np.array([1.0, NO_MASS / 1e6], dtype=np.float32)
    light = LinearModel(("a",), np.ones((1 << BITS, 2), dtype=np.int8), scale, (0.0,))
    for scores in both(Pair(light, light, 1.0), [[""]]):
        assert scores[0] == pytest.approx(2 / NO_MASS**0.5)


def test_a_repeated_word_counts_once() -> None:
    once, twice, often = (PAIR.score([[text]]) for text in ("kill", "kill kill", "kill kill kill kill"))
    assert once != twice  # the pair of the word with itself is a feature, too
    assert twice == often


@needs_kernel
def test_models_too_wide_for_the_loop_are_left_to_numpy() -> None:
    wide = LinearModel(("a",) * 40, np.zeros((1 << BITS, 41), dtype=np.int8), np.ones(41, np.float32), (0.5,) * 40)
    assert Pair(wide, wide, 1.0).score(read("a text"))[0] == 0.5


@needs_kernel
def test_the_greatest_sums_fit() -> None:
    text = "".join(f"{a}{b}" for a in "abcdefghij" for b in "klmnopqrstuvwxyz0123456789.,;:!?-")[:SEGMENT]
    for weight in (-128, 127):
        full = LinearModel(("a",), np.full((1 << BITS, 2), weight, dtype=np.int8), np.ones(2, dtype=np.float32), (0.0,))
        pair = Pair(full, full, 1.0)
        assert_same(pair.score([[text]]), pair.score_numpy([[text]]))


def compiled(*arguments: Any) -> Any:
    return importlib.import_module("classifiers._kernel").score(*arguments)


TABLE, CONSTANTS = bytes(16 << BITS), bytes(16 * 2 * 8)
GOOD: tuple[Any, ...] = (TABLE, LETTERS, CONSTANTS, 3, 5, 1.0, [["a text"]])


@needs_kernel
@pytest.mark.parametrize(
    ("at", "broken"),
    [
        (0, TABLE[:-1]), (0, b""), (0, bytes(8 << BITS)), (0, bytes(80 << BITS)),
        (1, LETTERS[:-4]), (1, LETTERS + b"\0"), (1, bytes(len(LETTERS))), (1, memoryview(LETTERS + bytes(4))[1:-3]),
        (2, CONSTANTS[:-8]), (2, b""), (3, 1), (3, -1), (3, 2**62), (3, 12), (4, 1), (4, -(2**62)), (4, 14),
        (6, []), (6, [[]]), (6, [["a"], []]), (6, [["a"], "b"]), (6, [[b"a"]]), (6, [[None]]),
        (6, [["a" * (SEGMENT + 1)]]),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit_are_refused(at: int, broken: object) -> None:
    assert compiled(*GOOD)[2] == 0
    with pytest.raises(ValueError, match="do not fit"):
        compiled(*GOOD[:at], broken, *GOOD[at + 1 :])


@needs_kernel
@settings(deadline=None, max_examples=50)
@given(
    st.integers(0, 2**32), st.lists(st.floats(), min_size=32, max_size=32), st.integers(2, 14), st.integers(2, 14),
    st.floats(), st.lists(st.lists(st.text(max_size=SEGMENT), min_size=1, max_size=2), min_size=1, max_size=3),
)  # fmt: skip
def test_no_numbers_break_the_loop(
    seed: int, constants: list[float], ranked: int, shared: int, temperature: float, texts: list[list[str]]
) -> None:
    rng = np.random.default_rng(seed)
    letters = bytearray(rng.integers(0, 4, 1 << 17, dtype=np.uint16).tobytes())
    letters[4:8] = LETTERS[4:8]
    arguments = (rng.bytes(16 << BITS), bytes(letters), pack("32d", *constants), ranked, shared, temperature, texts)
    if ranked + shared > 16:
        with pytest.raises(ValueError, match="do not fit"):
            compiled(*arguments)
        return
    _, margins, top, _, shares = compiled(*arguments)
    assert len(unpacked(margins)) == ranked - 1
    assert len(unpacked(shares)) == shared - 1
    assert 0 <= top < shared - 1


@needs_kernel
def test_the_shipped_models_are_scored_by_the_compiled_loop() -> None:
    score = load_default()._score
    assert getattr(score, "func", None) is importlib.import_module("classifiers._kernel").score
