"""Whose tries are counted together."""

import pytest

from admin.attempts.types import buckets


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("not an address", "not an address"),
    ],
)
def test_an_ipv6_subscriber_is_one_address(ip: str, network: str) -> None:
    assert buckets("Ada@Example.com", ip).address.subject == f"address:{network}"


def test_the_case_of_a_login_does_not_buy_more_tries() -> None:
    assert buckets("ADA@example.com", "192.0.2.7") == buckets("ada@EXAMPLE.com", "192.0.2.7")
