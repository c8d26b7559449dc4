"""Of identical calls at the same time, one is in the air."""

import time

from gateway.cache.entry import Entry
from gateway.cache.flights import Flights, Without

ANSWER = Entry(b"{}", b"", False, "application/json", "a/m", None, time.time())


async def test_a_flight_is_found_until_it_ends() -> None:
    flights = Flights()
    flight = flights.begin("a")
    assert flights.find("a") is flight
    assert flights.find("b") is None
    flights.end("a", flight, ANSWER)
    assert flights.find("a") is None
    assert flight.result() is ANSWER
    assert len(flights) == 0


async def test_who_goes_alone_is_not_waited_for_and_takes_nobody_away() -> None:
    flights = Flights()
    first, second = flights.begin("a"), flights.begin("a")
    assert flights.find("a") is first
    flights.end("a", second, ANSWER)
    assert flights.find("a") is first
    assert not first.done()


async def test_only_the_first_word_counts() -> None:
    flights = Flights()
    flight = flights.begin("a")
    flights.end("a", flight, Without.ALONE)
    flights.end("a", flight, ANSWER)
    assert flight.result() is Without.ALONE
