"""The life of a request, top to bottom.

Each phase is a function in `phases/` that takes what it needs and returns what it makes. It may raise a `Refusal`; it
may not touch the `Exchange`: only this file writes it. Settling and recording happen for every request, the refused and
the abandoned included, and before the reply's last byte: whoever has an answer has been counted.

Awaited before the upstream is asked: the body, and one round trip to the quota store. (A token that is not in memory
costs a look-up.)
"""

import asyncio
import logging
from time import perf_counter

from gateway.downstream import Downstream
from gateway.errors import ClientGone, InsufficientQuota, InternalError, RateLimitExceeded, Refusal
from gateway.exchange import Endpoint, Exchange, Inbound, ModelCall
from gateway.headers import refusal_headers, reply_headers
from gateway.phases.admit import admit, make_ask
from gateway.phases.authenticate import authenticate
from gateway.phases.choose import choose, plain_plan, what_is_asked
from gateway.phases.classify import check_task, classify, enforce
from gateway.phases.list_models import list_models
from gateway.phases.mirror import mirror
from gateway.phases.parse import parse
from gateway.phases.recall import recall
from gateway.phases.record import record
from gateway.phases.relay import Relay
from gateway.phases.route import find_route
from gateway.phases.settle import cost_of, count_missing, needs_count, settle
from gateway.services import Services
from gateway.tasks import uninterrupted

logger = logging.getLogger("guardflow.lifecycle")


async def serve(inbound: Inbound, down: Downstream, s: Services) -> Exchange:
    """Answer one request, whatever happens. Raises only CancelledError, when the client has left."""
    ex = Exchange(inbound)
    try:
        await _answer(ex, down, s)
    except Refusal as refusal:
        ex.refusal = refusal
    except asyncio.CancelledError:
        ex.refusal = ClientGone("The client left before the end.")
        raise
    except Exception as error:  # the one broad catch: whatever breaks, the caller gets an answer and the log a row
        logger.exception("request %s failed", inbound.request_id)
        ex.refusal = InternalError("Something went wrong in the gateway.")
        ex.refusal.__cause__ = error
    finally:
        if ex.call is not None and needs_count(ex.call, ex.meter):
            await uninterrupted(_count_and_finish(ex, ex.call, down, s), name=f"finish {inbound.request_id}")
        else:
            _finish(ex, down, s)
    if ex.refusal is not None:
        down.refuse(ex.refusal, {**reply_headers(ex), **refusal_headers(ex.refusal)})
    await down.finish()
    return ex


async def _answer(ex: Exchange, down: Downstream, s: Services) -> None:
    inbound, routing, ended = ex.inbound, s.routing, ex.ends.append

    ex.principal = who = await authenticate(inbound.headers, s.tokens, inbound.at)
    ended(perf_counter())
    if inbound.endpoint is Endpoint.MODELS:
        body = list_models(inbound, who, routing.catalog)
        down.answer(200, {**reply_headers(ex), "content-type": "application/json"}, body)
        return

    ex.call = call = await parse(inbound)
    ended(perf_counter())

    task = check_task(call, who)
    route = find_route(call, who, routing.catalog)
    ended(perf_counter())

    ex.verdict = verdict = classify(call, task, s.classifier, routing.policy)
    enforce(verdict)
    ended(perf_counter())

    plan = plain_plan(call, route, routing) or choose(
        what_is_asked(inbound, call, who, route, verdict, task), route, routing, s.load, s.rng
    )
    if plan.reason is not None:
        ex.meter.flags.add(plan.reason)
    ended(perf_counter())

    cached = recall(inbound, call, who, route.cache, plan.targets, s) if route.cache is not None else None
    ex.ask = make_ask(inbound, who, call, route, verdict)
    ex.grant = await admit(ex.ask, s.quotas)
    ended(perf_counter())

    if route.shadow is not None:
        mirror(inbound, call, route.shadow, s, routing)
    relay = Relay(inbound, call, s, routing, down, ex.meter, reply_headers(ex))
    if cached is None:
        await relay.run(plan)
    else:
        await cached.answer(relay, lambda: relay.run(plan))
    ended(perf_counter())


async def _count_and_finish(ex: Exchange, call: ModelCall, down: Downstream, s: Services) -> None:
    try:
        await count_missing(call, ex.meter)
    finally:
        _finish(ex, down, s)


def _finish(ex: Exchange, down: Downstream, s: Services) -> None:
    """Nothing here waits, so nothing can come between."""
    ex.meter.cost_micros = cost_of(ex.meter, ex.inbound.at)
    try:
        # A call that a limit refused holds nothing; one that was cut short while asking may hold something.
        if ex.ask is not None and (
            ex.grant is not None or not isinstance(ex.refusal, RateLimitExceeded | InsufficientQuota)
        ):
            settle(ex.ask, ex.meter, s.quotas)
    finally:
        record(ex, down.committed, s.log, s.metrics)
