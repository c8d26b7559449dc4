"""What the control plane needs, handed over once by the composition root."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from admin.login.passwords import Passwords
from admin.login.sessions import JwtSettings
from gateway.db import Pool
from gateway.exchange import UNLIMITED, Json, Limits, Principal
from gateway.quota.base import QuotaStore

View = Callable[[], Json]
"""A snapshot of something that is configured elsewhere, without its secrets."""


@dataclass(frozen=True, slots=True)
class AdminDeps:
    """`authenticate` takes headers with lower-case names and raises the data plane's Refusals. `intents` are the
    classifier's labels. `default_limits` hold for users without their own. Where a view is None its page is 404."""

    pool: Pool
    jwt: JwtSettings
    authenticate: Callable[[Mapping[str, str]], Awaitable[Principal]]
    quota: QuotaStore
    intents: frozenset[str]
    version: str
    default_limits: Callable[[], Limits] = lambda: UNLIMITED
    password_min_length: int = 12
    providers_view: View | None = None
    policies_view: View | None = None
    settings_view: View | None = None
    reload_config: Callable[[], Awaitable[None]] | None = None
    passwords: Passwords = field(default_factory=Passwords)
