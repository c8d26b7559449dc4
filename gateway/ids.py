"""Ids of requests and log rows."""

import random
import time


def new_id() -> str:
    """A UUIDv7 (RFC 9562) in 32 hex digits: milliseconds, then 74 random bits, so that log rows lie in the order of
    time. No secret hangs on it, so the generator need not be a cryptographic one."""
    bits = random.getrandbits(74)
    stamp = time.time_ns() // 1_000_000 << 80
    return f"{stamp | 0x7000 << 64 | bits >> 62 << 64 | 0x8 << 60 | bits & 0x3FFFFFFFFFFFFFFF:032x}"
