"""Windows count alike in Redis, in PostgreSQL and in memory."""

import asyncio

import pytest

from app.db import Database, open_pool
from app.domain.platform import rate_windows
from app.domain.platform.limiters import Limit, Limiter, window_of_state
from app.domain.platform.rate_windows import MemoryWindows
from app.errors import ServiceDown
from app.services import Services
from app.shared_windows import SharedWindows


async def test_a_window_lets_through_so_many_in_each_place(limited: Services) -> None:
    shared: SharedWindows = limited.memory["limits"].shared
    memory = MemoryWindows()
    for n in range(7):
        [state] = await shared.hit(["a"], 5, 60)
        found = [
            window_of_state(state, Limit(5, 60)),
            await rate_windows.hit(limited, "a", 5, 60),
            memory.hit("a", 5, 60),
        ]
        assert [window.allowed for window in found] == [n < 5] * 3
        assert [window.remaining for window in found] == [max(0, 4 - n)] * 3
        assert all(59 < window.reset <= 60 for window in found)


def test_the_window_before_weighs_less_with_every_second() -> None:
    windows = MemoryWindows()
    for _ in range(10):
        windows.hit("a", 10, 60, now=0)
    refused = windows.hit("a", 10, 60, now=30)
    assert not refused.allowed
    # At 60 the ten become the window before; then one of them after the other fades, in six seconds each.
    assert refused.wait == 30
    assert not windows.hit("a", 10, 60, now=59.9).allowed
    assert windows.hit("a", 10, 60, now=60.1).allowed
    assert not windows.hit("a", 10, 60, now=65.9).allowed
    assert windows.hit("a", 10, 60, now=66.1).allowed
    assert windows.hit("a", 10, 60, now=400).remaining == 9


@pytest.mark.parametrize("hits", [3, 10])
def test_who_waits_as_long_as_told_finds_room(hits: int) -> None:
    windows = MemoryWindows()
    for n in range(hits):
        windows.hit("a", hits, 100, now=n)
    now = float(hits)
    for pause in (0.0, 7.0, 33.0, 150.0):
        now += pause
        while (refused := windows.hit("a", hits, 100, now=now)).allowed:
            pass
        assert not windows.hit("a", hits, 100, now=now + refused.wait - 0.01).allowed
        now += refused.wait + 0.01
        assert windows.hit("a", hits, 100, now=now).allowed


def test_memory_keeps_the_names_used_last() -> None:
    windows = MemoryWindows(ceiling=3)
    for name in ("a", "b", "c", "a", "d"):
        windows.hit(name, 10, 60)
    assert set(windows.halves) == {"c", "a", "d"}


async def test_parallel_hits_share_the_last_free_place(limited: Services) -> None:
    pool = await open_pool(limited.settings, size=4)
    try:
        here = Services(limited.settings, Database(pool), limited.ledger, limited.letters)
        hits = [rate_windows.hit(here, "test:parallel", 5, 60) for _ in range(20)]
        assert sum(window.allowed for window in await asyncio.gather(*hits)) == 5
    finally:
        await pool.execute("DELETE FROM rate_limit_windows WHERE name = 'test:parallel'")
        pool.terminate()


async def test_scripts_come_back_after_redis_was_emptied_of_them(limited: Services) -> None:
    shared: SharedWindows = limited.memory["limits"].shared
    await shared.hit(["a"], 5, 60)
    await shared.client.script_flush()
    [state] = await shared.hit(["a"], 5, 60)
    assert state.current == 2


async def test_a_redis_that_does_not_answer_is_left_alone_for_a_moment() -> None:
    windows = SharedWindows.at("redis://127.0.0.1:1/0")
    with pytest.raises(ServiceDown):
        await windows.hit(["a"], 5, 60)
    limiter = Limiter(windows)
    assert await limiter.hit(["a"], Limit(5, 60)) is None
    assert limiter.away_until > 0
    await windows.close()
