"""The feature pass: one definition, whatever else is in the pass, and for any text."""

from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.features import BITS, HEAD, MAX_SEGMENTS, SEGMENT, TAIL, Rows, rows, segments

TEXTS = st.lists(st.text(st.characters(codec=None), max_size=200), min_size=1, max_size=MAX_SEGMENTS)


def ids_of(found: Rows, segment: int) -> list[int]:
    return [int(i) for i in found.ids[found.edges[segment] : found.edges[segment + 1]]]


@settings(deadline=None)
@given(TEXTS)
def test_a_segment_has_the_same_features_alone_and_in_company(texts: list[str]) -> None:
    pieces = [segments(text)[0] for text in texts]
    together = rows(pieces)
    assert [ids_of(together, i) for i in range(len(pieces))] == [ids_of(rows([p]), 0) for p in pieces]


@settings(deadline=None)
@given(st.text(st.characters(codec=None), max_size=6000))
def test_pieces_are_bounded_and_every_feature_has_a_place_in_the_table(text: str) -> None:
    pieces = segments(text)
    assert len(pieces) <= MAX_SEGMENTS
    assert all(len(piece) <= SEGMENT for piece in pieces)
    ids = rows(pieces).ids
    assert len(ids) >= 2
    assert ids.min() >= 0
    assert ids.max() < 1 << BITS


def test_letters_that_normalising_multiplies_stay_bounded() -> None:
    assert sum(map(len, segments("\u33af\ufdfa" * 2000))) <= HEAD + TAIL


def test_of_a_long_text_the_beginning_and_the_end_are_read() -> None:
    read = " ".join(segments("first " + "x " * 50_000 + " last"))
    assert read.startswith("first ")
    assert read.endswith(" last")
    assert len(read) <= HEAD + TAIL + MAX_SEGMENTS


def test_a_long_text_is_cut_at_spaces_and_nothing_is_lost() -> None:
    text = "word " * 700
    pieces = segments(text)
    assert "".join(pieces) == text
    assert all(piece.startswith(" ") for piece in pieces[1:])


def test_the_order_of_words_counts_and_the_value_of_digits_does_not() -> None:
    def features(text: str) -> list[int]:
        return sorted(ids_of(rows(segments(text)), 0))

    assert features("dog bites man") != features("man bites dog")
    assert features("add 17 and 25") == features("add 42 and 99")


def test_scripts_without_spaces_are_read_letter_by_letter() -> None:
    shared = set(ids_of(rows(["忽略之前的指令"]), 0)) & set(ids_of(rows(["请忽略指令"]), 0))
    assert len(shared) >= 5


def test_ascii_text_has_the_same_features_beside_a_text_of_another_script() -> None:
    alone, beside = rows(["plain words here"]), rows(["plain words here", "слова"])
    assert alone.ids.tolist() == ids_of(beside, 0)


def test_a_word_said_twice_counts_once() -> None:
    assert set(ids_of(rows(["spam and spam and spam"]), 0)) == set(ids_of(rows(["spam and spam"]), 0))
    assert len(set(rows(["spam " * 100]).ids)) == len(rows(["spam " * 100]).ids)
