"""A service that keeps failing is left alone, and one trial at a time finds out when it is back."""

import pytest
from prometheus_client import REGISTRY

from app.errors import NotFound, ServiceDown
from app.outside.breakers import Breaker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def fail(breaker: Breaker, times: int = 1, retry_after: float | None = None) -> None:
    for _ in range(times):
        with pytest.raises(ServiceDown):
            async with breaker.request():
                raise ServiceDown("It is down.", code="timeout", retry_after=retry_after)


def gauge() -> float | None:
    return REGISTRY.get_sample_value("outside_breaker_open", {"service": "tested"})


async def test_five_failures_in_a_row_open_it_and_a_success_between_does_not() -> None:
    breaker = Breaker("tested", clock=Clock())
    await fail(breaker, 4)
    async with breaker.request():
        pass
    await fail(breaker, 4)
    assert (breaker.state, gauge()) == ("closed", 0)
    await fail(breaker)
    assert (breaker.state, gauge()) == ("open", 1)
    with pytest.raises(ServiceDown) as down:
        async with breaker.request():
            raise AssertionError("An open breaker let a request through.")
    assert down.value.code == "breaker_open" and 30 <= (down.value.retry_after or 0) <= 37.5


async def test_half_open_lets_one_trial_through_and_its_end_decides() -> None:
    clock = Clock()
    breaker = Breaker("tested", clock=clock)
    await fail(breaker, 5)
    clock.now += 40
    assert breaker.state == "half_open"
    async with breaker.request():
        with pytest.raises(ServiceDown, match="resting"):
            async with breaker.request():
                pass
    assert (breaker.state, gauge()) == ("closed", 0)


async def test_a_failed_trial_opens_it_again() -> None:
    clock = Clock()
    breaker = Breaker("tested", clock=clock)
    await fail(breaker, 5)
    clock.now += 40
    await fail(breaker)
    assert breaker.state == "open"
    assert breaker.standing().last_code == "timeout"


async def test_an_interrupted_trial_leaves_room_for_the_next() -> None:
    clock = Clock()
    breaker = Breaker("tested", clock=clock)
    await fail(breaker, 5)
    clock.now += 40
    with pytest.raises(KeyError):
        async with breaker.request():
            raise KeyError
    assert breaker.state == "half_open"


async def test_a_proper_no_is_a_success() -> None:
    breaker = Breaker("tested", clock=Clock())
    await fail(breaker, 4)
    with pytest.raises(NotFound):
        async with breaker.request():
            raise NotFound("Nothing is there.")
    await fail(breaker, 4)
    assert breaker.state == "closed"


async def test_a_service_that_names_its_wait_gets_it() -> None:
    clock = Clock()
    breaker = Breaker("tested", clock=clock)
    await fail(breaker, 5, retry_after=600)
    clock.now += 599
    assert breaker.state == "open"


async def test_each_request_is_timed_by_service_and_result() -> None:
    name = "outside_request_duration_seconds_count"
    labels = {"service": "timed", "result": "timeout"}
    await fail(Breaker("timed", clock=Clock()), 2)
    assert REGISTRY.get_sample_value(name, labels) == 2
