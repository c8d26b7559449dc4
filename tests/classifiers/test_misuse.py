"""A score, shared out to kinds and harms."""

from struct import pack

import numpy as np
import pytest

from classifiers.base import Misuse
from classifiers.labels import CATEGORIES, HARMFUL, KINDS
from classifiers.linear import LinearModel
from classifiers.misuse import COLUMNS, MisuseModel, logistic

WIDTH = len(COLUMNS) + 1
LINEAR = LinearModel(
    COLUMNS, np.zeros((1, WIDTH), dtype=np.int8), np.ones(WIDTH, dtype=np.float32), (0.0,) * len(COLUMNS)
)
MODEL = MisuseModel(LINEAR, slope=1.0, offset=0.0, flag=0.8, block=0.95)


def judge(**margins: float) -> Misuse:
    return MODEL.judge(margins["misuse"], pack(f"{len(COLUMNS)}d", *(margins.get(column, 0.0) for column in COLUMNS)))


def test_from_the_flag_on_the_likeliest_kind_is_named() -> None:
    misuse = judge(misuse=3, jailbreak=5, harmful=4)
    assert misuse.score == pytest.approx(logistic(3))
    assert misuse.label == "jailbreak"


def test_below_the_flag_a_text_is_benign_whatever_it_resembles() -> None:
    assert judge(misuse=1, harmful=9).label == "benign"


def test_kinds_share_the_score_and_harms_share_the_harmful_kind() -> None:
    misuse = judge(misuse=2, harmful=1, fraud=4)
    assert sum(misuse.categories[kind] for kind in KINDS) == pytest.approx(misuse.score)
    assert sum(misuse.categories[name] for name in CATEGORIES) == pytest.approx(misuse.categories[HARMFUL])
    assert max(CATEGORIES, key=misuse.categories.__getitem__) == "fraud"


def test_no_margin_leaves_the_unit_interval() -> None:
    assert (logistic(-1e9), logistic(0), logistic(1e9)) == (0.0, 0.5, 1.0)
