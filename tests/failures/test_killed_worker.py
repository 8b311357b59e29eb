"""A worker is killed while a slow publisher answers: the feed is refreshed later, with no item twice."""

import hashlib

from app.box.processes import descendants, start_time
from app.domain.homepage import feed_fetching
from app.domain.platform.jobs import sweeper
from app.services import Services
from tests.failures.conftest import Site, until, working
from tests.world import World

HOST = "daily-courier.world.test"
URL = f"https://{HOST}/feed.xml"
ADD = """
INSERT INTO feeds (url, url_key, visibility, title, default_on) VALUES ($1, $2, 'listed', 'Courier', true) RETURNING id
"""
RUN_OUT = (
    "UPDATE delayed_jobs SET locked_until = now() - interval '1 second' WHERE status = 'running'"
)
OUTCOMES = "SELECT outcome FROM job_attempts a JOIN delayed_jobs j ON j.id = a.job_id WHERE j.job_type = 'refresh_feed'"
ITEMS = "SELECT count(*) AS rows, count(DISTINCT url) AS items FROM feed_items WHERE feed_id = $1"


async def test_a_refresh_cut_off_by_a_kill_is_made_later(site: Site, ground: Services) -> None:
    async with World() as world:
        await world.fault(HOST, "slow", times=1, seconds=30)
        feed = await ground.db.fetchval(ADD, URL, hashlib.sha256(URL.encode()).digest())
        how = {**world.env, "JOB_PROCESSING_MODE": "DEFAULT"}
        worker = await working(site, ground, "app", "work", **how)
        await feed_fetching.dispatch(ground)
        await until(lambda: asked(world))
        family = [worker.pid, *descendants(worker.pid)]
        worker.process.kill()
        await until(lambda: gone(family), 10)
        # What a lease and the minute of the clock would do in time.
        await ground.db.execute(RUN_OUT)
        await sweeper.return_lost(ground)
        await ground.db.execute("DELETE FROM workers")
        await working(site, ground, "app", "work", **how)
        await feed_fetching.dispatch(ground)
        await until(lambda: ground.db.fetchval("SELECT last_ok_at FROM feeds WHERE id = $1", feed))
        found = await ground.db.fetchrow(ITEMS, feed)
        assert found["rows"] == found["items"] > 10
        assert await ground.db.fetchval("SELECT count(*) FROM feed_fetches") == 1


async def asked(world: World) -> bool:
    """Whether the publisher was asked for its feed."""
    return any(one.path == "/feed.xml" for one in world.requests(HOST))


async def gone(family: list[int]) -> bool:
    """Whether a process and all its children are over."""
    return not any(start_time(pid) for pid in family)
