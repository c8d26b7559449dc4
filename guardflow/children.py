"""Child processes that can't outlive us: each dies when its parent does, even by SIGKILL.

Where we are root a child may be made `nobody`, keeping of root's powers only the right to pass closed folders:
PostgreSQL refuses to be root, and a data folder below a private one must still work.
"""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_SET_SECUREBITS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 8, 28, 47, 2
_NO_SETUID_FIXUP = 4
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


def spawn_child(
    command: Sequence[str | Path],
    *,
    environ: Mapping[str, str] | None = None,
    source: int = subprocess.DEVNULL,
    output: int | None = None,
    keep: Sequence[int] = (),
    death_signal: signal.Signals = signal.SIGTERM,
    unprivileged: bool = False,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, so that only we, never the terminal, signal it.

    `keep` are file descriptors the child inherits; `output` takes both stdout and stderr. Call it from the main
    thread: the kernel sends `death_signal` when the *thread* that started the child ends.
    """
    return subprocess.Popen(  # noqa: S603 - our own binaries, no shell
        [str(part) for part in command],
        env=None if environ is None else dict(environ),
        stdin=source,
        stdout=output,
        stderr=output,
        pass_fds=tuple(keep),
        start_new_session=True,
        preexec_fn=_preparation(death_signal, unprivileged=unprivileged),
    )


def unprivileged_owner() -> tuple[int, int] | None:
    """Who must own what an unprivileged child writes; None where that is ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        nobody = pwd.getpwuid(65534)
    return nobody.pw_uid, nobody.pw_gid


def _preparation(death_signal: signal.Signals, *, unprivileged: bool) -> Callable[[], None]:
    """What the child does between fork and exec. Only system calls: another thread may hold any lock."""
    parent = os.getpid()
    owner = unprivileged_owner() if unprivileged else None

    def prepare() -> None:
        # A reload that comes before the child is ready for it must not end it.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if owner is not None:
            _become(*owner)
        if _LIBC is not None:
            # After the change of user, which clears it.
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return prepare


def _become(uid: int, gid: int) -> None:
    if _LIBC is not None:
        # Without the second, access(2) would deny what open(2) grants: initdb looks for its fellow programs with it.
        _LIBC.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
        _LIBC.prctl(_PR_SET_SECUREBITS, _NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if _LIBC is not None:
        _keep_passage(_LIBC)


def _keep_passage(libc: ctypes.CDLL) -> None:
    """Carry the right to pass closed folders over the exec, as far as we hold it; without it the server says what
    it couldn't open."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    mask = 1 << _CAP_DAC_OVERRIDE
    sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    if libc.capset(header, sets) == 0:
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)
