import pytest

from gateway.wire.redis_address import RedisAddress


def test_a_plain_url_is_host_port_and_database() -> None:
    address = RedisAddress.parse("redis://cache.internal:6380/3")
    assert (address.host, address.port, address.database, address.tls) == ("cache.internal", 6380, 3, False)
    assert address.greeting() == [("SELECT", 3)]


def test_what_a_url_leaves_out_has_the_usual_value() -> None:
    address = RedisAddress.parse("redis://")
    assert (address.host, address.port, address.database) == ("127.0.0.1", 6379, 0)
    assert address.greeting() == []


def test_tls_may_name_the_authority_it_trusts() -> None:
    address = RedisAddress.parse("rediss://cache?ssl_ca_certs=/etc/ca.pem")
    assert address.tls
    assert address.ca_file == "/etc/ca.pem"


def test_a_unix_socket_takes_its_database_from_the_query() -> None:
    address = RedisAddress.parse("unix://user:p%40ss@/run/redis%20one.sock?db=2")
    assert address.path == "/run/redis one.sock"
    assert address.greeting() == [("AUTH", "user", "p@ss"), ("SELECT", 2)]


def test_a_password_alone_is_the_default_users() -> None:
    assert RedisAddress.parse("redis://:secret@cache").greeting() == [("AUTH", "default", "secret")]


def test_a_password_is_never_shown() -> None:
    address = RedisAddress.parse("redis://:secret@cache")
    assert "secret" not in f"{address} {address!r}"


@pytest.mark.parametrize("url", ["http://cache", "cache:6379", "redis://cache/first"])
def test_what_is_no_redis_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="Redis"):
        RedisAddress.parse(url)
