"""The vocabulary is what the shipped models speak."""

from classifiers.artifacts import load_default
from classifiers.labels import BENIGN, CATEGORIES, CATEGORY_OF, INTENTS, KINDS, OTHER


def test_the_shipped_models_answer_in_these_labels() -> None:
    classifier = load_default()
    assert classifier.intent.model.columns == INTENTS
    assert classifier.misuse.model.columns == ("misuse", *KINDS, *CATEGORIES)


def test_finer_categories_map_into_the_list_and_no_label_has_two_meanings() -> None:
    assert set(CATEGORY_OF.values()) <= set(CATEGORIES)
    assert not set(CATEGORY_OF) & set(CATEGORIES)
    everything = [*INTENTS, OTHER, BENIGN, *KINDS, *CATEGORIES]
    assert len(set(everything)) == len(everything)
