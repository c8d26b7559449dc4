"""How often somebody may try to sign in: a few tries, then delays that double, never a lock.

A try is counted before the password is looked at, so that a thousand at once count as a thousand. Three buckets:
this account from this address; this address; this account from anywhere. The last does not bind an address from which
the account was signed in to lately: a stranger's guesses can't keep the owner out.
"""

from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address


@dataclass(frozen=True, slots=True)
class Bucket:
    """`free` tries, then a delay of 2, 4, 8… seconds up to `delay_max_s`. Forgotten after a quiet `FORGET_S`."""

    subject: str
    free: int
    delay_max_s: int


FORGET_S = 3600
KNOWN_S = 30 * 24 * 3600
"""How long an address counts as the owner's after a sign-in."""


@dataclass(frozen=True, slots=True)
class Buckets:
    pair: Bucket
    account: Bucket
    address: Bucket


def buckets(login: str, ip: str) -> Buckets:
    account, network = login.lower(), _network(ip)
    return Buckets(
        pair=Bucket(f"pair:{account}|{network}", free=5, delay_max_s=900),
        account=Bucket(f"account:{account}", free=20, delay_max_s=60),
        address=Bucket(f"address:{network}", free=60, delay_max_s=900),
    )


def _network(ip: str) -> str:
    """A subscriber of IPv6 has a /64 of addresses to try from."""
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return ip
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Network((address, 64), strict=False))
    return str(address)
