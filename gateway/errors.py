"""Every way to say no. One class a reason: status, type, code, whose fault it is, and when to come back.

`message` is safe to show; the cause is chained for the log and never shown. `render` is the only place that knows
what an error looks like in each dialect.
"""

from enum import StrEnum

import orjson

from gateway.dialects.gemini_error import write_error
from gateway.exchange import Dialect


class Fault(StrEnum):
    """Whose fault a refusal is: it labels the metric and decides whether a retry can help."""

    CLIENT = "client"
    UPSTREAM = "upstream"
    OURS = "ours"


class Refusal(Exception):
    """A call that is not answered. `retry_after_s` becomes the Retry-After header, rounded up to whole seconds."""

    status = 500
    type = "server_error"
    code: str = "internal_error"
    fault = Fault.OURS
    client_should_retry: bool | None = None

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s


class InvalidRequest(Refusal):
    status, type, code, fault = 400, "invalid_request_error", "invalid_request_error", Fault.CLIENT


class RequestHeadTooLarge(InvalidRequest):
    status = 431


class CantBeCarried(InvalidRequest):
    """The provider's dialect can't say this. Another provider of the same model may."""


class ThreadUnsupported(InvalidRequest):
    """The conversation is not kept here: Anthropic's SDK, told so by this code, sends all of it with each call."""

    code = "thread_unsupported_request"


class InvalidApiKey(Refusal):
    status, type, code, fault = 401, "authentication_error", "invalid_api_key", Fault.CLIENT


class Forbidden(Refusal):
    status, type, code, fault = 403, "permission_error", "permission_denied", Fault.CLIENT


class UserBlocked(Forbidden):
    code = "user_blocked"


class ModelNotAllowed(Forbidden):
    code = "model_not_allowed"


class MisuseBlocked(Forbidden):
    code = "misuse_blocked"


class IntentNotAllowed(Forbidden):
    code = "intent_not_allowed"


class ModelNotFound(Refusal):
    status, type, code, fault = 404, "invalid_request_error", "model_not_found", Fault.CLIENT


class NoSuchRoute(Refusal):
    status, type, code, fault = 404, "invalid_request_error", "not_found", Fault.CLIENT


class MethodNotAllowed(Refusal):
    status, type, code, fault = 405, "invalid_request_error", "method_not_allowed", Fault.CLIENT


class RequestTimeout(Refusal):
    status, type, code, fault = 408, "invalid_request_error", "request_timeout", Fault.CLIENT


class RequestTooLarge(Refusal):
    status, type, code, fault = 413, "invalid_request_error", "request_too_large", Fault.CLIENT


class UnsupportedMediaType(Refusal):
    status, type, code, fault = 415, "invalid_request_error", "unsupported_media_type", Fault.CLIENT


class RateLimitExceeded(Refusal):
    status, type, code, fault = 429, "rate_limit_error", "rate_limit_exceeded", Fault.CLIENT


class InsufficientQuota(Refusal):
    """A quota that a retry within minutes can't help: SDKs are told not to try."""

    status, type, code, fault = 429, "insufficient_quota", "insufficient_quota", Fault.CLIENT
    client_should_retry = False


class ClientGone(Refusal):
    """The client left before the end. Nobody reads this; the log does."""

    status, type, code, fault = 499, "client_closed_request", "client_closed_request", Fault.CLIENT


class InternalError(Refusal):
    client_should_retry = False


class UpstreamRejected(Refusal):
    """A 4xx of the upstream that is meant for the client: status and code are the upstream's."""

    type, code, fault = "invalid_request_error", "invalid_request_error", Fault.CLIENT

    def __init__(
        self,
        message: str,
        *,
        status: int,
        kind: str | None = None,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, param=param, retry_after_s=retry_after_s)
        self.status = status
        self.type = kind or type(self).type
        self.code = code or type(self).code


class UpstreamError(Refusal):
    status, type, code, fault = 502, "upstream_error", "upstream_error", Fault.UPSTREAM
    client_should_retry = False


class UpstreamDenied(UpstreamError):
    """The upstream won't take this call from us (our key, our account): only another target can help."""


class Overloaded(Refusal):
    status, type, code, fault = 503, "overloaded_error", "overloaded", Fault.OURS


class NotCached(Refusal):
    """The caller wanted a stored answer or none (`only-if-cached`; RFC 9111 says 504)."""

    status, type, code, fault = 504, "invalid_request_error", "not_cached", Fault.CLIENT
    client_should_retry = False


class UpstreamTimeout(Refusal):
    status, type, code, fault = 504, "upstream_timeout", "upstream_timeout", Fault.UPSTREAM
    client_should_retry = False


_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def render(refusal: Refusal, dialect: Dialect, request_id: str) -> bytes:
    """The JSON body of `refusal` in `dialect`."""
    if dialect is Dialect.ANTHROPIC:
        kind = _ANTHROPIC_TYPES.get(refusal.status, "api_error" if refusal.status >= 500 else "invalid_request_error")
        details = {"error_code": refusal.code}  # where Anthropic's SDK looks for it
        error = {"type": kind, "message": refusal.message, "code": refusal.code, "details": details}
        return orjson.dumps({"type": "error", "error": error, "request_id": request_id})
    if dialect is Dialect.GEMINI:
        return orjson.dumps(write_error(refusal))
    body = {"message": refusal.message, "type": refusal.type, "param": refusal.param, "code": refusal.code}
    return orjson.dumps({"error": body})
