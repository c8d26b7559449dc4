"""No text is scored by a model that saw its source, or texts written after it."""

from classifiers.folds import folds

SOURCES = [
    *["advbench"] * 5,
    *["catqa-english"] * 4,
    *["catqa-chinese"] * 3,
    *["gsm8k", "bbh", "xquad", "svamp(hand-labelled)"] * 3,
    *["guardflow-synthetic"] * 6,
    *["guardflow-contrast(advbench)"] * 6,
]


def test_every_met_text_is_scored_once_and_no_written_one() -> None:
    scored = sorted(i for _, unseen in folds(SOURCES) for i in unseen.tolist())
    assert scored == [i for i, source in enumerate(SOURCES) if not source.startswith("guardflow-")]


def test_a_family_of_sources_is_held_out_as_one() -> None:
    for seen, unseen in folds(SOURCES):
        families = [{SOURCES[i].split("-")[0] for i in rows} - {"guardflow"} for rows in (seen, unseen)]
        assert not families[0] & families[1]


def test_texts_derived_from_a_held_out_source_are_not_fitted_on() -> None:
    for seen, unseen in folds(SOURCES):
        held = {SOURCES[i] for i in unseen}
        fitted = {SOURCES[i] for i in seen}
        assert ("guardflow-contrast(advbench)" in fitted) == ("advbench" not in held)
        assert "guardflow-synthetic" in fitted


def test_with_few_sources_rows_are_dealt_out_instead() -> None:
    scored = sorted(i for _, unseen in folds(["mine"] * 12) for i in unseen.tolist())
    assert scored == list(range(12))
    assert all(not set(seen) & set(unseen) for seen, unseen in folds(["mine"] * 12))
