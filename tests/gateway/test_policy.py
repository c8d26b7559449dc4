"""The table that decides: thresholds, modes, tasks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.base import Intent, Judgement, Misuse
from gateway.config import IntentConfig, MisuseConfig, PoliciesConfig
from gateway.exchange import Action, Task
from gateway.policy import Policy, make_policy

RECOMMENDED = {"flag": 0.5, "block": 0.9}
WRITING = Task(1, "writing", frozenset({"writing", "editing"}))


def judge(misuse: float = 0.0, intent: str = "coding", confidence: float = 0.9) -> Judgement:
    return Judgement(
        Intent(intent, confidence, {intent: confidence, "editing": 1 - confidence}), Misuse(misuse, "harmful")
    )


def policy(**changes: object) -> Policy:
    return make_policy(PoliciesConfig.model_validate(changes), RECOMMENDED)


@pytest.mark.parametrize(
    ("score", "action", "rule"),
    [
        (0.0, Action.ALLOW, None), (0.49, Action.ALLOW, None), (0.5, Action.FLAG, "misuse.flag"),
        (0.7, Action.THROTTLE, "misuse.throttle"), (0.9, Action.BLOCK, "misuse.block"),
        (1.0, Action.BLOCK, "misuse.block"),
    ],
)  # fmt: skip
def test_the_strictest_rule_that_applies_decides(score: float, action: Action, rule: str | None) -> None:
    verdict = policy(misuse={"throttle": 0.7}).decide(judge(score))
    assert (verdict.action, verdict.rule, verdict.enforced) == (action, rule, rule is not None)


def test_the_file_comes_before_the_recommendation_and_nothing_means_never() -> None:
    assert policy(misuse={"block": 0.2}).decide(judge(0.3)).action is Action.BLOCK
    assert policy(misuse={"flag": 0.0, "block": 1.0}).decide(judge(0.0)).action is Action.FLAG
    assert make_policy(PoliciesConfig(), {}).decide(judge(1.0)).action is Action.ALLOW


@pytest.mark.parametrize(
    ("mode", "misuse", "intent", "enforced", "action"),
    [
        ("enforce", None, None, True, Action.BLOCK),
        ("shadow", None, None, False, Action.BLOCK),
        ("off", None, None, False, Action.ALLOW),
        ("off", "enforce", None, True, Action.BLOCK),
        ("enforce", "shadow", None, False, Action.BLOCK),
        ("enforce", "off", "off", False, Action.ALLOW),
    ],
)
def test_each_rule_may_have_a_mode_of_its_own(
    mode: str, misuse: str | None, intent: str | None, enforced: bool, action: Action
) -> None:
    made = policy(mode=mode, misuse={"mode": misuse}, intent={"mode": intent})
    verdict = made.decide(judge(1.0))
    assert (verdict.action, verdict.enforced) == (action, enforced)
    assert made.needs_classifier is (action is Action.BLOCK)


@pytest.mark.parametrize(
    ("intent", "confidence", "task", "blocked"),
    [
        ("coding", 0.9, WRITING, True), ("coding", 0.7, WRITING, True), ("coding", 0.69, WRITING, False),
        ("writing", 0.9, WRITING, False), ("coding", 0.9, None, False), ("coding", 0.9, Task(1, "any"), False),
    ],
)  # fmt: skip
def test_a_task_binds_where_the_label_is_sure(intent: str, confidence: float, task: Task | None, blocked: bool) -> None:
    verdict = policy().decide(judge(intent=intent, confidence=confidence), task)
    assert (verdict.action is Action.BLOCK, verdict.rule) == (blocked, "intent" if blocked else None)


def test_deviation_is_the_share_outside_the_task() -> None:
    decide = policy().decide
    assert decide(judge(confidence=0.8), WRITING).deviation == pytest.approx(0.8)
    assert decide(judge(intent="writing", confidence=0.8), WRITING).deviation == pytest.approx(0.0)
    assert decide(judge()).deviation is None
    assert decide(judge(), Task(1, "any")).deviation is None


def test_misuse_comes_before_the_task() -> None:
    assert policy().decide(judge(0.95), WRITING).rule == "misuse.block"


@given(
    st.floats(0, 1),
    st.floats(0, 1),
    st.none() | st.floats(0, 1),
    st.none() | st.floats(0, 1),
    st.none() | st.floats(0, 1),
)
def test_a_higher_score_is_never_judged_milder(
    a: float, b: float, flag: float | None, throttle: float | None, block: float | None
) -> None:
    made = make_policy(
        PoliciesConfig(misuse=MisuseConfig(flag=flag, throttle=throttle, block=block), intent=IntentConfig()), {}
    )
    order = list(Action)
    low, high = sorted((a, b))
    assert order.index(made.decide(judge(low)).action) <= order.index(made.decide(judge(high)).action)
