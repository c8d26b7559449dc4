"""Where does it go? The route's targets and its fallbacks', best first, and why the first is the first.

It comes after classification, since what a call is for may decide where it goes.
"""

import random
from collections.abc import Mapping, Sequence

from gateway.catalog import Route
from gateway.errors import InvalidRequest
from gateway.exchange import Endpoint, Inbound, ModelCall, Principal, Target, Task, Verdict
from gateway.routing.load import Load
from gateway.routing.order import Asked, in_order
from gateway.routing.types import ON_ILLNESS, Option, Plan
from gateway.services import Connection, Routing

MOST_PLAIN = 1_000
"""Where names pass through, clients may make them up: of so many the plan is kept."""


def plain_plan(call: ModelCall, route: Route, routing: Routing) -> Plan | None:
    """The plan of a route that leaves nothing to choose, made once; None where there is something."""
    if not route.is_plain:
        return None
    key = (route.name, call.endpoint)
    plan = routing.plain.get(key)
    if plan is None:
        plan = _plan_of(call, _that_speak(call.endpoint, route.terms.general, routing.connections))
        if len(routing.plain) < MOST_PLAIN:
            routing.plain[key] = plan
    return plan


def what_is_asked(
    inbound: Inbound, call: ModelCall, who: Principal, route: Route, verdict: Verdict | None, task: Task | None
) -> Asked:
    most = call.max_output_tokens
    return Asked(
        call,
        inbound.at,
        who.user_id,
        verdict.judgement.intent.label if verdict is not None else None,
        task.name if task is not None else None,
        route.max_output_tokens if most is None else most,
    )


def choose(asked: Asked, route: Route, routing: Routing, load: Load, rng: random.Random) -> Plan:
    """Raises InvalidRequest when no one behind the name speaks this endpoint."""
    endpoint, connections = asked.call.endpoint, routing.connections
    order, reason = in_order(route.name, route.terms, asked, load, rng)
    targets = _that_speak(endpoint, order, connections)
    on = [ON_ILLNESS] * len(targets)
    for name, troubles in route.fallbacks:
        fallback = routing.catalog.find(name)
        if fallback is not None:
            order, _ = in_order(name, fallback.terms, asked, load, rng)
            more = [target for target in _that_speak(endpoint, order, connections) if target not in targets]
            targets += more
            on += [troubles] * len(more)
    plan = _plan_of(asked.call, targets)
    return plan._replace(on=on, reason=f"route:{reason}" if reason else None, hedged=route.hedge and asked.call.stream)


def _plan_of(call: ModelCall, targets: list[Target]) -> Plan:
    if not targets:
        raise InvalidRequest(f"The model {call.model!r} can't be reached by /v1/{call.endpoint}.", param="model")
    return Plan(targets, [ON_ILLNESS] * len(targets))


def _that_speak(endpoint: Endpoint, order: Sequence[Option], connections: Mapping[str, Connection]) -> list[Target]:
    speaking = []
    for one in order:
        connection = connections.get(one.target.provider)
        if connection is not None and connection.serves(endpoint):
            speaking.append(one.target)
    return speaking
