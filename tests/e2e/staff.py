"""Staff at work: users, tokens and tasks made and changed by the admin API, as the dashboard would."""

import itertools
from dataclasses import dataclass
from typing import Any

from tests.e2e.gateway_process import ADMIN_EMAIL, ADMIN_PASSWORD
from tests.e2e.plain_http import Reply, call

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Caller:
    """A user with a token: whoever makes model calls."""

    user_id: int
    token_id: int
    token: str


class Staff:
    """A signed-in administrator of the gateway at `base_url`."""

    def __init__(self, base_url: str, email: str = ADMIN_EMAIL, password: str = ADMIN_PASSWORD) -> None:
        self.base_url = base_url
        session = call(base_url, "POST", "/api/v1/auth/login", json={"email": email, "password": password})
        assert session.status == 200, session.body
        self.jwt: str = session.json()["access_token"]

    def ask(self, method: str, path: str, json: Any = None) -> Reply:
        """`path` is below the admin API."""
        return call(self.base_url, method, f"/api/v1/admin{path}", token=self.jwt, json=json)

    def do(self, method: str, path: str, json: Any = None) -> Any:
        reply = self.ask(method, path, json)
        assert 200 <= reply.status < 300, reply.body
        return reply.json()

    def caller(self, **limits: Any) -> Caller:
        """A new user. `limits` are the fields of `POST /admin/users`."""
        number = next(_numbers)
        body = {"email": f"user{number}@example.org", "name": f"User {number}", **limits}
        made = self.do("POST", "/users", body)
        return Caller(made["id"], made["token_id"], made["api_token"])

    def token(self, caller: Caller, **limits: Any) -> Caller:
        """Another token of the same user."""
        made = self.do("POST", "/tokens", {"user_id": caller.user_id, **limits})
        return Caller(caller.user_id, made["id"], made["api_token"])

    def task(self, *allowed_intents: str) -> int:
        body = {"name": f"task {next(_numbers)}", "allowed_intents": list(allowed_intents)}
        task_id: int = self.do("POST", "/tasks", body)["id"]
        return task_id


def quota_of(base_url: str, caller: Caller) -> Any:
    """The user's own view of what is used."""
    reply = call(base_url, "GET", "/api/v1/user/quota", token=caller.token)
    assert reply.status == 200, reply.body
    return reply.json()
