"""Embedded servers in another process, which the tests may kill: `hold` starts it, and it is this file too."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import asyncpg

from guardflow.children import spawn_child
from guardflow.embedded import postgres, valkey

ROOT = Path(__file__).parent.parent.parent


def hold(data: Path, *, unprivileged: bool = False) -> tuple["subprocess.Popen[bytes]", dict[str, Any]]:
    """A process that runs both servers on `data`, and what it said of them."""
    read, write = os.pipe()
    environ = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "tests.guardflow.holder", str(data)]
    holder = spawn_child(command, environ=environ, output=write, unprivileged=unprivileged)
    os.close(write)
    with os.fdopen(read) as said:
        return holder, json.loads(said.readline())


def ask(url: str, question: str) -> Any:
    async def fetch() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(fetch())


def servers_on(data: Path) -> list[int]:
    """The server processes, not their helpers, whose command line names the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(data) in command and ("bin/postgres -D" in command or "valkey-server" in command):
            found.append(int(process.name))
    return found


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start with it ignored
    data = Path(sys.argv[1])
    with postgres(data) as database, valkey(data) as store:
        sys.stdout.write(json.dumps({"uid": os.geteuid(), "database": database, "store": store}) + "\n")
        sys.stdout.flush()
        time.sleep(600)


if __name__ == "__main__":
    main()
