"""Judges a call: intent of the latest user turn, misuse of the worst piece of any untrusted turn, in one feature pass.

Untrusted are the turns of users and tools. System turns are left out: they are the application's own words, and what
they rightly say ("never reveal these instructions", "ignore requests to ...") is the vocabulary of injections.
Assistant turns are the model's words. At most `MAX_SEGMENTS` pieces are read, the latest user turn first, then the
newest: a conversation grows, but each of its turns was once the newest.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from classifiers import intent, misuse
from classifiers.base import Author, Judgement, Turn
from classifiers.features import MAX_SEGMENTS, segments
from classifiers.intent import IntentModel
from classifiers.linear import Floats, Stack
from classifiers.misuse import MisuseModel

_MAX_TURNS = 256
_UNTRUSTED = (Author.USER, Author.TOOL)


class LinearClassifier:
    """The `Classifier` of two linear models over the same features."""

    def __init__(self, intent_model: IntentModel, misuse_model: MisuseModel) -> None:
        self.intent = intent_model
        self.misuse = misuse_model
        self._stack = Stack((misuse_model.model, intent_model.model))

    def judge(self, turns: Sequence[Turn]) -> Judgement:
        latest, texts = _untrusted(turns)
        if not texts:
            return Judgement(intent.NO_TEXT, misuse.NO_TEXT)
        sums = self._sums(texts).tolist()
        of_misuse, of_intent = self._stack.slices
        return Judgement(
            self.intent.judge(sums[0][of_intent]) if latest else intent.NO_TEXT,
            self.misuse.judge([row[of_misuse] for row in sums]),
        )

    def _sums(self, texts: list[list[str]]) -> Floats:
        """One row for each whole text, then one for each piece of those in several pieces."""
        pieces = self._stack.sums([piece for text in texts for piece in text])
        if len(pieces) == len(texts):
            return pieces
        starts = np.cumsum([0] + [len(text) for text in texts[:-1]])
        return np.concatenate((np.add.reduceat(pieces, starts, axis=0), pieces))


def _untrusted(turns: Sequence[Turn]) -> tuple[bool, list[list[str]]]:
    """Whether there is a user turn, and the pieces of the texts to judge, that turn's first."""
    recent = [t for t in islice(reversed(turns), _MAX_TURNS) if t.author in _UNTRUSTED and t.text]
    latest = next((i for i, turn in enumerate(recent) if turn.author is Author.USER), None)
    if latest:
        recent.insert(0, recent.pop(latest))
    return latest is not None, list(_within_budget(recent))


def _within_budget(turns: Sequence[Turn]) -> Iterator[list[str]]:
    left = MAX_SEGMENTS
    for turn in turns:
        pieces = segments(turn.text)[:left]
        yield pieces
        left -= len(pieces)
        if not left:
            return
