"""What an error looks like to Gemini's clients: Google's own names for what the status says."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.exchange import Json

if TYPE_CHECKING:
    from gateway.errors import Refusal

_NAMES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    405: "UNIMPLEMENTED", 408: "DEADLINE_EXCEEDED", 409: "ABORTED", 429: "RESOURCE_EXHAUSTED", 499: "CANCELLED",
    500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip


def write_error(refusal: "Refusal") -> Json:
    """Our own code and the field stand in `details`, where Google puts such things."""
    status = refusal.status
    name = _NAMES.get(status, "UNAVAILABLE" if status >= 500 else "INVALID_ARGUMENT")
    field = {} if refusal.param is None else {"param": refusal.param}
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": refusal.code,
        "domain": "guardflow",
        "metadata": field,
    }
    return {"error": {"code": status, "message": refusal.message, "status": name, "details": [info]}}
