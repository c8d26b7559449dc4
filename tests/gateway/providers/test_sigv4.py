"""AWS's signatures: those of its published test suite, and what must not change them."""

from datetime import UTC, datetime, timedelta, timezone

from gateway.providers.sigv4 import AwsCredentials, Signer

NOON = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SESSION = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwth"
    "Ax7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY"
    "9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)
EXAMPLE = ("host", "example.amazonaws.com")
BEDROCK = ("host", "bedrock-runtime.eu-central-1.amazonaws.com")


def signer(region: str = "us-east-1", service: str = "service", session: str | None = None) -> Signer:
    return Signer(AwsCredentials("AKIDEXAMPLE", SECRET, session), region, service, lambda: NOON)


def signature(*headers: tuple[str, str]) -> str:
    return dict(headers)["authorization"].rpartition("Signature=")[2]


def test_the_suites_plain_post() -> None:
    added = signer().sign("/", [EXAMPLE], b"")
    assert added[0] == ("x-amz-date", "20150830T123600Z")
    assert dict(added)["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
    )


def test_the_suites_post_with_a_body() -> None:
    headers = [EXAMPLE, ("content-type", "application/x-www-form-urlencoded")]
    assert (
        signature(*signer().sign("/", headers, b"Param1=value1"))
        == "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
    )


def test_the_suites_post_with_a_session_token() -> None:
    added = signer(session=SESSION).sign("/", [EXAMPLE], b"")
    assert dict(added)["x-amz-security-token"] == SESSION
    assert signature(*added) == "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"


def test_an_encoded_path_is_encoded_again() -> None:
    """The values of this test and the next are botocore's for the same request."""
    path = "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse-stream"
    headers = [BEDROCK, ("content-type", "application/json"), ("accept", "application/vnd.amazon.eventstream")]
    body = '{"messages":[{"role":"user","content":[{"text":"Grüße"}]}]}'.encode()
    added = signer("eu-central-1", "bedrock", SESSION).sign(path, headers, body)
    assert signature(*added) == "a621a267a26afc157b59bb80c9e22204ba9ef6082865a6dc1fe097f720a9e227"


def test_spaces_in_a_header_count_once() -> None:
    path = "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Ainference-profile%2Feu.x/converse"
    headers = [BEDROCK, ("content-type", "application/json"), ("accept", "a   b  ")]
    added = signer("eu-central-1", "bedrock").sign(path, headers, b"{}")
    assert signature(*added) == "0c182142d1ff1009a22852d5249bd654b04abfe7b45fdb88f182726895a96b1c"


def test_the_clocks_zone_does_not_matter() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=9)))
    far = Signer(AwsCredentials("AKIDEXAMPLE", SECRET), "us-east-1", "service", lambda: elsewhere)
    assert far.sign("/", [EXAMPLE], b"") == signer().sign("/", [EXAMPLE], b"")


def test_a_new_day_has_a_new_key() -> None:
    days = iter((NOON, NOON + timedelta(days=1), NOON))
    one = Signer(AwsCredentials("AKIDEXAMPLE", SECRET), "us-east-1", "service", lambda: next(days))
    first, second, third = (one.sign("/", [EXAMPLE], b"") for _ in range(3))
    assert first == third == signer().sign("/", [EXAMPLE], b"")
    assert signature(*second) != signature(*first)
    assert "/20150831/" in dict(second)["authorization"]


def test_everything_that_is_sent_is_signed() -> None:
    headers = [EXAMPLE, ("content-type", "application/json")]
    signed = {signature(*signer().sign("/", headers, b"{}"))}
    signed.add(signature(*signer().sign("/x", headers, b"{}")))
    signed.add(signature(*signer().sign("/", [EXAMPLE, ("content-type", "text/plain")], b"{}")))
    signed.add(signature(*signer().sign("/", headers, b"[]")))
    signed.add(signature(*signer("us-east-2").sign("/", headers, b"{}")))
    signed.add(signature(*signer(service="other").sign("/", headers, b"{}")))
    assert len(signed) == 6


def test_no_secret_is_in_what_is_sent() -> None:
    sent = repr(signer(session=SESSION).sign("/", [EXAMPLE], b"{}"))
    assert SECRET not in sent
