"""A worker is killed between two thumbnails: the posts are there, and the next one makes the rest, nothing twice."""

import dataclasses

from app.box.processes import descendants
from app.domain.homepage import social_connections
from app.domain.platform import objects
from app.domain.platform.flags import shipped
from app.domain.platform.jobs import sweeper
from app.domain.platform.jobs.ledger import Ledger
from app.outside.breakers import Breaker
from app.outside.meta_graph import Granted
from app.outside.s3 import ObjectStore
from app.services import Services
from jobs.registry import REGISTRY
from tests.failures.conftest import Site, until, working
from tests.failures.test_killed_worker import RUN_OUT, gone
from tests.homepage.social_trips import media
from tests.people import member
from tests.platform.privacy.conftest import warm
from tests.world import World

SUFFIX = "-killed"
LIVE = "SELECT count(*) FROM stored_objects WHERE bucket = 'profiles' AND state = 'live'"
LEFT = "SELECT count(*) FROM social_posts WHERE media IS NULL"


def store_of(site: Site) -> dict[str, str]:
    """The settings of the run's object store, in buckets of this test alone."""
    here = site.settings
    return {
        "S3_ENDPOINT": here.s3_endpoint,
        "S3_ACCESS_KEY": here.s3_access_key,
        "S3_SECRET_KEY": here.s3_secret_key,
        "S3_BUCKET_SUFFIX": SUFFIX,
    }


async def prepared(site: Site) -> None:
    """Let the store make room for the bucket."""
    env = store_of(site)
    store = ObjectStore(
        env["S3_ENDPOINT"],
        env["S3_ACCESS_KEY"],
        env["S3_SECRET_KEY"],
        SUFFIX,
        breaker=Breaker("s3"),
    )
    name, versioned = objects.BUCKETS["profiles"]
    await store.ensure_bucket(name, versioned=versioned)
    await warm(store, name)
    await store.close()


async def connected(services: Services, world: World) -> int:
    """An account whose three newest posts have a picture each, and the job that fetches them."""
    vendor = world.vendors["instagram"]
    vendor.said = [media(n, media_url=vendor.picture(n)) for n in (1, 2, 3)]
    token = vendor.access_for(vendor.people["ada"])
    granted = Granted(account_id="1", account_name="ada.makes", subject="1", token=token)
    who = await member(services, "killed@example.org")
    async with services.tx() as tx:
        account_id = await social_connections.keep_one(tx, who.id, "instagram", granted)
        await tx.enqueue("refresh_social", account_id, key=f"account:{account_id}")
    return account_id


async def test_thumbnails_that_a_kill_cut_off_are_made_by_the_next(
    site: Site, ground: Services
) -> None:
    services = dataclasses.replace(ground, ledger=Ledger(REGISTRY))
    await prepared(site)
    await shipped.seed_demo(services)
    async with World() as world:
        how = {**world.env, **store_of(site), "JOB_PROCESSING_MODE": "LOW"}
        worker = await working(site, ground, "app", "work", **how)
        account_id = await connected(services, world)
        await until(lambda: ground.db.fetchval(LIVE), 40)
        family = [worker.pid, *descendants(worker.pid)]
        worker.process.kill()
        await until(lambda: gone(family), 10)
        assert await ground.db.fetchval("SELECT count(*) FROM social_posts") == 3
        assert await ground.db.fetchval(LEFT) >= 1
        await time_passes(ground)
        await working(site, ground, "app", "work", **how)
        async with services.tx() as tx:
            await tx.enqueue("refresh_social", account_id, key=f"account:{account_id}")
        await until(lambda: none_left(ground), 40)
        assert await ground.db.fetchval(LIVE) == 3
        assert await ground.db.fetchval("SELECT count(*) FROM social_posts") == 3
    await ground.db.execute("DELETE FROM users WHERE email = 'killed@example.org'")


async def time_passes(ground: Services) -> None:
    """What leases and the minute of the clock would do in time."""
    await ground.db.execute("UPDATE social_accounts SET taken_until = now()")
    await ground.db.execute(RUN_OUT)
    await sweeper.return_lost(ground)
    await ground.db.execute("DELETE FROM workers")


async def none_left(ground: Services) -> bool:
    """Whether every post had its look at pictures."""
    return await ground.db.fetchval(LEFT) == 0
