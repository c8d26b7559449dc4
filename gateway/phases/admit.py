"""May it pass now? All limits of the user, the token, the team and the task in one step; what it may use is held until
it is settled."""

from dataclasses import replace
from functools import lru_cache

from gateway.catalog import Route
from gateway.errors import ModelNotAllowed, Overloaded
from gateway.exchange import UNLIMITED, Action, Grant, Inbound, Limits, ModelCall, Principal, Task, Verdict
from gateway.prices import most_micros
from gateway.quota.base import Ask, QuotaStore, QuotaUnavailable, Scope, task_scope, team_scope

_THROTTLE = Action.THROTTLE  # looked up once: in Python 3.11 that costs as much as a call

THROTTLED_RPM = 6
"""What is left of the request rate for calls that the policy throttles."""

MOST_KNOWN = 4096
"""Of so many tokens the scopes are kept."""


def make_ask(inbound: Inbound, who: Principal, call: ModelCall, route: Route, verdict: Verdict | None) -> Ask:
    """What to reserve: the input, and the output the call may have at most. Raises ModelNotAllowed for a price that is
    unknown to whoever is on a budget, where that is so configured."""
    prompt, most = call.input_tokens_estimate, call.max_output_tokens
    output = (route.max_output_tokens if most is None else most) * call.choices
    limits = who.user_limits
    if verdict is not None and verdict.action is _THROTTLE and verdict.enforced:
        limits = _throttled(limits)
    tokens = prompt + output
    min_tokens = tokens if most else prompt
    cost = 0
    for prices in route.prices:  # the dearest, since it is not known yet where it goes
        most_cost = most_micros(prices, prompt, output, inbound.at)
        if most_cost is not None:
            cost = max(cost, most_cost)
        elif not route.admits_unpriced and _is_on_a_budget(who, call.task_id):
            raise ModelNotAllowed(f"The price of {call.model!r} is not known, and you are on a budget.", param="model")
    task = None if call.task_id is None else who.tasks.get(call.task_id)
    return Ask(inbound.id, _scopes(who, limits, task), tokens, min_tokens, cost)


async def admit(ask: Ask, quotas: QuotaStore) -> Grant:
    """Reserve. Raises the refusal of the limit that is reached, or Overloaded where no store can tell."""
    try:
        return await quotas.reserve(ask)
    except QuotaUnavailable as error:
        raise Overloaded("Quotas can't be checked at the moment.", retry_after_s=1) from error


def _is_on_a_budget(who: Principal, task_id: int | None) -> bool:
    tasks = [task.limits for task in who.tasks.values() if task.id == task_id]
    all_limits = (who.user_limits, who.token_limits, who.team_limits, *tasks)
    return any(
        budget is not None
        for limits in all_limits
        for budget in (limits.daily_budget_micros, limits.weekly_budget_micros, limits.monthly_budget_micros)
    )


def _scopes(who: Principal, limits: Limits, task: Task | None = None) -> tuple[Scope, ...]:
    """The scopes of a caller: the same object every time, so that a store can keep what it works out about it."""
    of_task = None if task is None or task.limits == UNLIMITED else task.id
    key = (who.token_id, of_task)
    known = _known.get(key)
    if known is not None and known[0] is who and known[1] is limits:
        return known[2]
    scopes: tuple[Scope, ...] = (Scope(who.user_id, None, limits), Scope(who.user_id, who.token_id, who.token_limits))
    if who.team_id is not None:
        scopes = (*scopes, team_scope(who.team_id, who.team_limits))
    if task is not None and of_task is not None:
        scopes = (*scopes, task_scope(task.id, task.limits))
    _known[key] = (who, limits, scopes)
    if len(_known) > MOST_KNOWN:
        del _known[next(iter(_known))]
    return scopes


_known: dict[tuple[int, int | None], tuple[Principal, Limits, tuple[Scope, ...]]] = {}
"""By token and task: whom its scopes were made for, with which limits of the user."""


@lru_cache(maxsize=256)
def _throttled(limits: Limits) -> Limits:
    return replace(limits, rpm=THROTTLED_RPM if limits.rpm is None else min(limits.rpm, THROTTLED_RPM))
