"""Judges a call: intent of the latest user turn, misuse of the worst piece of any untrusted turn, in one feature pass.

Untrusted are the turns of users and tools. System turns are left out: they are the application's own words, and what
they rightly say ("never reveal these instructions", "ignore requests to ...") is the vocabulary of injections.
Assistant turns are the model's words. At most `MAX_SEGMENTS` pieces are read, the latest user turn first, then the
newest: a conversation grows, but each of its turns was once the newest.
"""

from collections.abc import Sequence
from itertools import islice

from classifiers import intent, misuse
from classifiers.base import Author, Judgement, Turn
from classifiers.features import MAX_SEGMENTS, segments
from classifiers.intent import IntentModel
from classifiers.kernel import Pair
from classifiers.misuse import MisuseModel

_MAX_TURNS = 256
_USER, _TOOL = Author.USER, Author.TOOL


class LinearClassifier:
    """The `Classifier` of two linear models over the same features."""

    def __init__(self, intent_model: IntentModel, misuse_model: MisuseModel) -> None:
        self.intent = intent_model
        self.misuse = misuse_model
        self._score = Pair(misuse_model.model, intent_model.model, intent_model.temperature).score

    def judge(self, turns: Sequence[Turn]) -> Judgement:
        has_user, texts = _untrusted(turns)
        if not texts:
            return Judgement(intent.NO_TEXT, misuse.NO_TEXT)
        margin, margins, likeliest, share, shares = self._score(texts)
        wanted = self.intent.judge(likeliest, share, shares) if has_user else intent.NO_TEXT
        return Judgement(wanted, self.misuse.judge(margin, margins))


def _untrusted(turns: Sequence[Turn]) -> tuple[bool, list[list[str]]]:
    """Whether there is a user turn, and the pieces of the texts to judge, that turn's first."""
    texts: list[str] = []
    has_user = False
    for author, text in islice(reversed(turns), _MAX_TURNS):
        if not text:
            continue
        if author == _USER:
            texts.insert(len(texts) if has_user else 0, text)
            has_user = True
        elif author == _TOOL:
            texts.append(text)
    return has_user, _within_budget(texts)


def _within_budget(texts: list[str]) -> list[list[str]]:
    left, read = MAX_SEGMENTS, []
    for text in texts:
        pieces = segments(text)[:left]
        read.append(pieces)
        left -= len(pieces)
        if not left:
            break
    return read
