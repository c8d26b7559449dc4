"""A verdict is made by the policy, and enforced only where it says so."""

import pytest

from classifiers.base import Intent, Judgement, Misuse
from gateway.config import PoliciesConfig
from gateway.errors import IntentNotAllowed, InvalidRequest, MisuseBlocked
from gateway.exchange import Action, Task, Verdict
from gateway.phases.classify import check_task, classify, enforce
from gateway.policy import make_policy
from tests.gateway.scripted import ALICE, FixedClassifier, make_call


def verdict(action: Action, *, rule: str = "misuse.block", enforced: bool = True) -> Verdict:
    return Verdict(Judgement(Intent("coding", 0.9), Misuse(0.9, "harmful")), None, action, rule, enforced)


@pytest.mark.parametrize("action", [Action.ALLOW, Action.FLAG, Action.THROTTLE])
def test_only_a_block_refuses(action: Action) -> None:
    enforce(verdict(action))
    enforce(None)


def test_a_block_in_shadow_refuses_nobody() -> None:
    enforce(verdict(Action.BLOCK, enforced=False))


def test_each_block_is_refused_by_its_rule() -> None:
    with pytest.raises(MisuseBlocked):
        enforce(verdict(Action.BLOCK))
    with pytest.raises(IntentNotAllowed, match="'coding'"):
        enforce(verdict(Action.BLOCK, rule="intent"))


def test_the_classifier_sees_every_turn_and_is_left_alone_where_no_rule_needs_it() -> None:
    classifier, call = FixedClassifier("coding", misuse=0.6), make_call()
    made = classify(call, None, classifier, make_policy(PoliciesConfig(), {"flag": 0.5}))
    assert made is not None
    assert (made.action, classifier.judged) == (Action.FLAG, [call.turns])
    assert classify(call, None, classifier, make_policy(PoliciesConfig(mode="off"), {"flag": 0.5})) is None
    assert len(classifier.judged) == 1


def test_a_task_must_be_the_callers() -> None:
    task = Task(7, "write")
    who = type(ALICE)(1, 1, "a@b", "a", "user", tasks={7: task})
    assert check_task(make_call(), who) is None
    assert check_task(make_call(task_id=7), who) is task
    with pytest.raises(InvalidRequest, match="no task 8") as caught:
        check_task(make_call(task_id=8), who)
    assert caught.value.param == "task_id"
