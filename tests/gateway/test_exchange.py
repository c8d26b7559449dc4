"""The types that flow."""

from gateway.exchange import Dialect, Endpoint, Exchange, Meter, Target, Usage
from tests.gateway.scripted import make_call, make_inbound


def test_a_request_is_named_by_its_id() -> None:
    inbound = make_inbound()
    assert inbound.request_id == f"req_{inbound.id}"


def test_every_endpoint_has_its_dialect() -> None:
    assert {e for e in Endpoint if e.dialect is Dialect.ANTHROPIC} == {Endpoint.MESSAGES, Endpoint.COUNT_TOKENS}
    assert {e for e in Endpoint if e.dialect is Dialect.GEMINI} == {Endpoint.GENERATE}
    assert make_call(Endpoint.MESSAGES).dialect is Dialect.ANTHROPIC


def test_times_add_up_from_one_phase_to_the_next() -> None:
    ex = Exchange(make_inbound()._replace(started=1.0), ends=[1.5, 3.5])
    assert ex.seconds == {"authenticate": 0.5, "parse": 2.0}


def test_an_attempt_that_nobody_saw_is_forgotten_but_not_that_it_was_made() -> None:
    target = Target("a", "m")
    meter = Meter(
        Usage(1, 1), answered=True, complete=True, first_byte_at=1.0, upstream_s=2.0, attempts=3, relayed=[b"x"],
        relayed_bytes=1, counted_tokens=5, flags={"f"}, target=target,
    )  # fmt: skip
    meter.forget()
    assert meter == Meter(upstream_s=2.0, attempts=3, flags={"f"}, target=target)


def test_a_target_is_known_by_provider_and_model() -> None:
    assert Target("openai", "gpt").key == "openai/gpt"
    assert Usage(3, 4).total_tokens == 7
