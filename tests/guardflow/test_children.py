"""Children that can't outlive us."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from guardflow.children import spawn_child, unprivileged_owner

GRANDCHILD = """
import os, sys, time
from guardflow.children import spawn_child
child = spawn_child(["/bin/sleep", "600"], unprivileged={unprivileged})
print(child.pid, flush=True)
time.sleep(600)
"""


def ended(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
@pytest.mark.parametrize("unprivileged", [False, True])
def test_a_child_dies_with_a_parent_that_is_killed_outright(unprivileged: bool) -> None:
    program = GRANDCHILD.format(unprivileged=unprivileged)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not ended(child)
        parent.kill()
    for _ in range(1000):
        if ended(child):
            return
        os.sched_yield()
    pytest.fail("the child lives on")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_unprivileged_child_of_root_is_nobody_and_still_passes_our_folders() -> None:
    owner = unprivileged_owner()
    assert owner is not None
    with tempfile.TemporaryDirectory() as private, tempfile.TemporaryFile() as said:
        inside = Path(private) / "inside"
        inside.write_text("seen")
        program = f"import os; print(os.getuid(), open('{inside}').read(), os.access('{inside}', os.R_OK))"
        child = spawn_child([sys.executable, "-c", program], output=said.fileno(), unprivileged=True)
        assert child.wait(10) == 0
        said.seek(0)
        assert said.read().decode() == f"{owner[0]} seen True\n"


def test_a_child_is_in_a_session_of_its_own_so_that_control_c_is_not_for_it() -> None:
    child = spawn_child(["/bin/sleep", "600"])
    assert os.getsid(child.pid) == child.pid
    child.send_signal(signal.SIGHUP)  # a reload that comes too early
    assert child.poll() is None
    child.terminate()
    assert child.wait(10) == -signal.SIGTERM
