"""The control plane, mounted: staff routes in an application of their own, the rest in the main one.

Everything that is mounted comes from the tables below; the OpenAPI document is made of the same tables.
"""

from collections.abc import Awaitable, Callable, Iterable

from aiohttp import web

from admin import pages
from admin.accounts.api import ROUTES as ACCOUNTS
from admin.analytics.api import ROUTES as ANALYTICS
from admin.audit.api import ROUTES as AUDIT
from admin.budgets.api import ROUTES as BUDGETS
from admin.deps import AdminDeps
from admin.http import BODY_BYTES_MAX, answered, endpoint
from admin.login.api import ROUTES as LOGIN
from admin.logs.api import ROUTES as LOGS
from admin.openapi import document
from admin.routing import Route
from admin.self_service.api import ROUTES as SELF_SERVICE
from admin.system.api import ROUTES as SYSTEM
from admin.tasks.api import ROUTES as TASKS
from admin.teams.api import ROUTES as TEAMS
from admin.tokens.api import ROUTES as TOKENS

__all__ = ["ADMIN_PREFIX", "ADMIN_ROUTES", "MAIN_ROUTES", "AdminDeps", "add_routes", "make_admin_app"]

ADMIN_PREFIX = "/api/v1/admin"
MAIN_ROUTES: tuple[Route, ...] = (*LOGIN, *SELF_SERVICE)
ADMIN_ROUTES: tuple[Route, ...] = (*ACCOUNTS, *TEAMS, *TOKENS, *TASKS, *BUDGETS, *LOGS, *ANALYTICS, *AUDIT, *SYSTEM)
_OURS = ("/api/v1/auth/", "/auth/", "/api/v1/user/")


def add_routes(app: web.Application, deps: AdminDeps) -> None:
    """Signing in, self-service and the documentation, at their full paths."""
    _mount(app, MAIN_ROUTES, deps)
    app.middlewares.append(_unrouted(_OURS))
    pages.add_pages(app, document(deps.version, MAIN_ROUTES, ADMIN_PREFIX, ADMIN_ROUTES))


def make_admin_app(deps: AdminDeps) -> web.Application:
    """The staff's routes, to be mounted at ADMIN_PREFIX."""
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    _mount(app, ADMIN_ROUTES, deps)
    app.middlewares.append(_unrouted(("/",)))
    return app


def _mount(app: web.Application, routes: Iterable[Route], deps: AdminDeps) -> None:
    for route in routes:
        path = route.path.replace("{id}", r"{id:[0-9]{1,30}}")
        app.router.add_route(route.method, path, endpoint(route, deps))


def _unrouted(prefixes: tuple[str, ...]) -> Callable[..., Awaitable[web.StreamResponse]]:
    """A middleware that says no to paths and methods without a route as the routes themselves say it."""

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.match_info.http_exception is not None and request.path.startswith(prefixes):
            return await answered(request, handler)
        return await handler(request)

    return middleware
