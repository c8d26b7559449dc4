"""One row for every request, whatever became of it: to the spool and to the metrics, before the reply's last byte."""

import time

from gateway.errors import ClientGone
from gateway.exchange import Endpoint, Exchange
from gateway.logsink.base import LogRow, LogSink
from gateway.metrics import Metrics
from gateway.phases.settle import cost_micros


def record(ex: Exchange, committed: bool, log: LogSink, metrics: Metrics) -> None:
    """`committed`: the client has had a 200 already, whatever came after."""
    row = make_row(ex, committed, time.perf_counter())
    log.write(row)
    metrics.observe(row)


def make_row(ex: Exchange, committed: bool, now: float) -> LogRow:
    inbound, who, call, verdict, meter, refusal = (
        ex.inbound, ex.principal, ex.call, ex.verdict, ex.meter, ex.refusal,
    )  # fmt: skip
    usage, target = meter.usage, meter.target
    judgement = verdict.judgement if verdict else None
    gone = isinstance(refusal, ClientGone)
    total_s = now - inbound.started
    return {
        "id": inbound.id,
        "at": inbound.at.isoformat(),
        "request_id": inbound.request_id,
        "user_id": who.user_id if who else None,
        "token_id": who.token_id if who else None,
        "task_id": call.task_id if call else None,
        "endpoint": inbound.endpoint.value,
        "model": call.model if call else inbound.model_id,
        "upstream_model": target.upstream_model if target else None,
        "provider": target.provider if target else None,
        "status": refusal.status if refusal and (gone or not committed) else 200,
        "error_code": refusal.code if refusal else None,
        "stream": bool(call and call.stream),
        "intent": judgement.intent.label if judgement else None,
        "intent_confidence": judgement.intent.confidence if judgement else None,
        "deviation_score": verdict.deviation if verdict else None,
        "misuse_score": judgement.misuse.score if judgement else None,
        "misuse_label": judgement.misuse.label if judgement else None,
        "action": verdict.action.value if verdict else None,
        "flags": sorted(meter.flags),
        "prompt_tokens": usage.prompt_tokens if usage else 0,
        "completion_tokens": usage.completion_tokens if usage else 0,
        "total_tokens": usage.total_tokens if usage else 0,
        "cached_tokens": usage.cached_tokens if usage else 0,
        "reasoning_tokens": usage.reasoning_tokens if usage else 0,
        "cost_micros": cost_micros(target, usage) if inbound.endpoint is not Endpoint.MODELS else None,
        "ttfb_ms": (meter.first_byte_at - inbound.started) * 1000 if meter.first_byte_at else None,
        "total_ms": total_s * 1000,
        "overhead_ms": (total_s - meter.upstream_s) * 1000,
        "attempts": meter.attempts,
    }
