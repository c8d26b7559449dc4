"""The first day with the gateway, as its README describes it: sign in, make a user, call a model. With curl itself.

The environment and the commands are the ones people copied for years; only the port and the secrets they stand for are
put in.
"""

import json
import shutil
import subprocess
from typing import Any

import pytest

from tests.e2e.conftest import MakeGateway
from tests.e2e.ledger import LedgerReader
from tests.e2e.plain_http import call

LOGIN = r"""curl -X POST "http://localhost:8000/api/v1/auth/login" \
  -H "Content-Type: application/x-www-form-urlencoded" \
  -d "username=admin@yourcompany.com&password=admin123"
"""
CREATE_USER = r"""curl -X POST "http://localhost:8000/api/v1/admin/users" \
  -H "Authorization: Bearer YOUR_JWT_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "email": "user@example.com",
    "name": "John Doe",
    "daily_quota": 10000,
    "monthly_quota": 300000
  }'
"""
USE_PROXY = r"""curl -X POST "http://localhost:8000/api/v1/chat/completions" \
  -H "Authorization: Bearer USER_API_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "task_id": 1,
    "messages": [{"role": "user", "content": "Help me debug this Python function"}],
    "model": "gpt-3.5-turbo"
  }'
"""
ENVIRON = {"ENVIRONMENT": "development", "ADMIN_EMAIL": "admin@yourcompany.com", "ADMIN_PASSWORD": "admin123"}


def curl(command: str, base_url: str) -> Any:
    """Run `command` in a shell against the gateway at `base_url`."""
    here = command.replace("http://localhost:8000", base_url).replace("curl ", "curl --silent --show-error ", 1)
    done = subprocess.run(["sh", "-c", here], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_three_commands_work_as_they_are_written(gateway: MakeGateway) -> None:
    process = gateway(environ=ENVIRON, embedded=True)
    session = curl(LOGIN, process.base_url)
    assert session["token_type"] == "bearer"
    user = curl(CREATE_USER.replace("YOUR_JWT_TOKEN", session["access_token"]), process.base_url)
    assert (user["email"], user["name"]) == ("user@example.com", "John Doe")
    assert (user["daily_quota"], user["monthly_quota"]) == (10_000, 300_000)
    answer = curl(USE_PROXY.replace("USER_API_TOKEN", user["api_token"]), process.base_url)
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"] == "Help me debug this Python function"
    row = LedgerReader(process.database_url).rows(user["id"], at_least=1)[0]
    assert (row["task_id"], row["model"], row["status"]) == (1, "gpt-3.5-turbo", 200)
    used = answer["usage"]["total_tokens"]
    profile, usage, quota = (
        call(process.base_url, "GET", f"/api/v1/user/{part}", token=user["api_token"]).json()
        for part in ("profile", "usage", "quota")
    )
    assert profile["email"] == "user@example.com"
    assert usage["totals"]["total_tokens"] == used
    assert quota["daily"]["remaining"] == 10_000 - used


def test_embedded_state_survives_a_restart(gateway: MakeGateway) -> None:
    process = gateway(environ=ENVIRON, embedded=True)
    login = {"username": "admin@yourcompany.com", "password": "admin123"}
    session = call(process.base_url, "POST", "/api/v1/auth/login", json=login).json()
    body = {"email": "user@example.com", "name": "John Doe", "daily_quota": 10_000}
    made = call(process.base_url, "POST", "/api/v1/admin/users", token=session["access_token"], json=body).json()
    ask = {"model": "echo", "messages": [{"role": "user", "content": "Help me debug this Python function"}]}
    call(process.base_url, "POST", "/v1/chat/completions", token=made["api_token"], json=ask)
    before = call(process.base_url, "GET", "/api/v1/user/quota", token=made["api_token"]).json()
    assert before["daily"]["used"] > 0
    assert process.terminate() == 0

    process.start()
    after = call(process.base_url, "GET", "/api/v1/user/quota", token=made["api_token"]).json()
    assert after["daily"] == before["daily"]
    assert after["monthly"] == before["monthly"]
    usage = call(process.base_url, "GET", "/api/v1/user/usage", token=made["api_token"]).json()
    assert usage["totals"]["requests"] == 1
    me = call(process.base_url, "GET", "/api/v1/auth/me", token=session["access_token"])
    assert (me.status, me.json()["email"]) == (200, "admin@yourcompany.com")
    assert call(process.base_url, "POST", "/v1/chat/completions", token=made["api_token"], json=ask).status == 200
