"""One row for every request, whatever became of it: to the spool and to the metrics, before the reply's last byte."""

import time

from gateway.errors import ClientGone
from gateway.exchange import Exchange, Usage
from gateway.logsink.base import LogRow, LogSink
from gateway.metrics import Metrics

_NOTHING = Usage(0, 0)


def record(ex: Exchange, committed: bool, log: LogSink, metrics: Metrics) -> None:
    """`committed`: the client has had a 200 already, whatever came after."""
    row = make_row(ex, committed, time.perf_counter())
    log.write(row)
    metrics.observe(row)


def make_row(ex: Exchange, committed: bool, now: float) -> LogRow:
    inbound, who, call, verdict, meter, refusal = (
        ex.inbound, ex.principal, ex.call, ex.verdict, ex.meter, ex.refusal,
    )  # fmt: skip
    began, target, first_byte_at = inbound.started, meter.target, meter.first_byte_at
    intent, misuse = verdict.judgement if verdict is not None else (None, None)
    usage = meter.usage or _NOTHING
    prompt_tokens, completion_tokens = usage[0], usage[1]
    gone = isinstance(refusal, ClientGone)
    total_s = now - began
    return {
        "id": inbound.id,
        "at": inbound.at,
        "request_id": inbound.request_id,
        "user_id": who.user_id if who else None,
        "token_id": who.token_id if who else None,
        "task_id": call.task_id if call else None,
        "team_id": who.team_id if who else None,
        "endpoint": str(inbound.endpoint),
        "model": call.model if call else inbound.model_id,
        "upstream_model": target.upstream_model if target else None,
        "provider": target.provider if target else None,
        "status": refusal.status if refusal and (gone or not committed) else 200,
        "error_code": refusal.code if refusal else None,
        "stream": call.stream if call else False,
        "intent": intent.label if intent else None,
        "intent_confidence": intent.confidence if intent else None,
        "deviation_score": verdict.deviation if verdict else None,
        "misuse_score": misuse.score if misuse else None,
        "misuse_label": misuse.label if misuse else None,
        "action": str(verdict.action) if verdict else None,
        "flags": sorted(meter.flags) if meter.flags else [],
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "cached_tokens": usage[2],
        "reasoning_tokens": usage[3],
        "cost_micros": meter.cost_micros,
        "ttfb_ms": (first_byte_at - began) * 1000 if first_byte_at else None,
        "total_ms": total_s * 1000,
        "overhead_ms": (total_s - meter.upstream_s) * 1000,
        "attempts": meter.attempts,
    }
