"""What a call may use is held before the upstream is asked."""

from dataclasses import replace
from typing import Any

import pytest

from classifiers.base import Intent, Judgement, Misuse
from gateway.catalog import Route
from gateway.errors import ModelNotAllowed, Overloaded, RateLimitExceeded
from gateway.exchange import Action, Endpoint, Limits, Principal, Target, Task, Verdict
from gateway.phases.admit import THROTTLED_RPM, admit, make_ask
from gateway.prices import UNKNOWN
from gateway.quota.base import Ask, QuotaUnavailable, task_scope, team_scope
from gateway.routing.types import make_terms, option
from tests.gateway.scripted import ALICE, WatchedQuotas, make_call, make_inbound, priced, with_limits

ROUTE = Route("m", make_terms((option(Target("a", "m")),)), max_output_tokens=1000, prices=(priced(2, 10),))
LIMITED = with_limits(ALICE, rpm=60, tpm=5000)


def ask(
    endpoint: Endpoint = Endpoint.CHAT, who: Principal = LIMITED, verdict: Verdict | None = None, **changes: Any
) -> Ask:
    return make_ask(make_inbound(), who, make_call(endpoint, **changes), ROUTE, verdict)


def test_the_input_and_the_output_asked_for_are_held() -> None:
    made, call = ask(max_tokens=50), make_call()
    assert made.tokens == call.input_tokens_estimate + 50
    assert made.min_tokens == made.tokens
    assert made.cost_micros == call.input_tokens_estimate * 2 + 50 * 10


def test_without_a_limit_what_is_left_is_enough_for_the_input() -> None:
    made, call = ask(), make_call()
    assert made.tokens == call.input_tokens_estimate + ROUTE.max_output_tokens
    assert made.min_tokens == call.input_tokens_estimate


def test_several_choices_are_held_each() -> None:
    assert ask(max_tokens=50, n=4).tokens - ask(max_tokens=50).tokens == 150


def test_what_makes_no_output_holds_none() -> None:
    assert ask(Endpoint.EMBEDDINGS).tokens == make_call(Endpoint.EMBEDDINGS).input_tokens_estimate


def test_the_dearest_of_the_targets_is_held() -> None:
    route = replace(ROUTE, prices=(priced(1, 20), priced(5, 1), UNKNOWN))
    made, call = make_ask(make_inbound(), LIMITED, make_call(max_tokens=50), route, None), make_call()
    assert made.cost_micros == call.input_tokens_estimate + 50 * 20


def test_an_unknown_price_holds_no_money() -> None:
    route = Route("m", make_terms((option(Target("a", "m")),)))
    assert make_ask(make_inbound(), LIMITED, make_call(), route, None).cost_micros == 0


@pytest.mark.parametrize(
    "on_budget",
    [
        replace(ALICE, user_limits=Limits(weekly_budget_micros=5)),
        replace(ALICE, token_limits=Limits(daily_budget_micros=5)),
        replace(ALICE, team_limits=Limits(monthly_budget_micros=5)),
    ],
)
def test_where_it_is_so_configured_nobody_on_a_budget_gets_what_has_no_price(on_budget: Principal) -> None:
    route = replace(ROUTE, prices=(priced(1, 20), UNKNOWN), admits_unpriced=False)
    with pytest.raises(ModelNotAllowed, match="price"):
        make_ask(make_inbound(), on_budget, make_call(), route, None)
    assert make_ask(make_inbound(), LIMITED, make_call(), route, None).cost_micros
    assert make_ask(make_inbound(), on_budget, make_call(), replace(ROUTE, admits_unpriced=False), None).cost_micros
    assert make_ask(make_inbound(), on_budget, make_call(), replace(route, admits_unpriced=True), None).cost_micros


def test_the_user_and_the_token_are_both_asked() -> None:
    user, token = ask().scopes
    assert (user.user_id, user.token_id, user.limits) == (1, None, LIMITED.user_limits)
    assert (token.user_id, token.token_id, token.limits) == (1, 11, LIMITED.token_limits)


def test_a_member_s_team_is_asked_too_and_the_scopes_stay_the_same_object() -> None:
    who = replace(LIMITED, team_id=5, team_limits=Limits(rpm=9))
    scopes = ask(who=who).scopes
    assert scopes[2] == team_scope(5, Limits(rpm=9))
    assert ask(who=who).scopes is scopes
    assert len(ask(who=replace(who, team_id=None)).scopes) == 2


def test_a_task_on_a_budget_is_asked_too_and_one_without_is_not() -> None:
    budget = Limits(daily_budget_micros=9)
    who = replace(LIMITED, tasks={7: Task(7, "tutor", limits=budget), 8: Task(8, "any")})
    made = make_ask(make_inbound(), who, make_call()._replace(task_id=7), ROUTE, None)
    assert made.scopes[2] == task_scope(7, budget)
    assert make_ask(make_inbound(), who, make_call()._replace(task_id=7), ROUTE, None).scopes is made.scopes
    assert len(make_ask(make_inbound(), who, make_call()._replace(task_id=8), ROUTE, None).scopes) == 2
    assert len(ask(who=who).scopes) == 2
    strict = replace(ROUTE, prices=(UNKNOWN,), admits_unpriced=False)
    with pytest.raises(ModelNotAllowed):
        make_ask(make_inbound(), who, make_call()._replace(task_id=7), strict, None)
    assert make_ask(make_inbound(), who, make_call(), strict, None).cost_micros == 0


@pytest.mark.parametrize(("rpm", "left"), [(None, THROTTLED_RPM), (600, THROTTLED_RPM), (2, 2)])
@pytest.mark.parametrize("enforced", [True, False])
def test_a_throttled_call_has_little_of_its_rate_left(rpm: int | None, left: int, enforced: bool) -> None:
    judgement = Judgement(Intent("other", 0.5), Misuse(0.7, "harmful"))
    verdict = Verdict(judgement, None, Action.THROTTLE, "misuse.throttle", enforced)
    who = type(ALICE)(1, 11, "a@b", "a", "user", user_limits=Limits(rpm=rpm, tpm=7))
    limits = ask(who=who, verdict=verdict).scopes[0].limits
    assert limits == Limits(rpm=left if enforced else rpm, tpm=7)


async def test_a_limit_refuses_and_a_store_that_is_away_is_our_fault() -> None:
    quotas = WatchedQuotas()
    with pytest.raises(RateLimitExceeded):
        await admit(ask(who=with_limits(ALICE, rpm=0)), quotas)
    quotas.fails = QuotaUnavailable("away")
    with pytest.raises(Overloaded):
        await admit(ask(), quotas)


async def test_the_grant_says_what_is_left() -> None:
    grant = await admit(ask(max_tokens=50), WatchedQuotas())
    assert grant.reserved_tokens == make_call().input_tokens_estimate + 50
    assert (grant.limit_requests, grant.remaining_requests) == (60, 59)
