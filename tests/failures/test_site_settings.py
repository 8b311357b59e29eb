"""A setting that an admin changes in one process is felt in another one long before its regular look."""

import asyncio

import httpx2

from app.box.ports import next_free
from app.domain.platform import memories
from app.services import Services
from tests.failures.conftest import Site, answers
from tests.people import cookie_of, member
from tests.platform.jobs.conftest import until

# Two seconds are the rule. The look that would bring it without a notice is far away.
FELT_SECONDS = 2
assert memories.LOOK_SECONDS > 5 * FELT_SECONDS


async def begun(site: Site, first_port: int) -> httpx2.AsyncClient:
    """One more process of the site, and a client that speaks to it."""
    port = next_free(first_port)
    url = f"http://127.0.0.1:{port}"
    site.begin(f"serve-{port}", "app", "serve", PORT=str(port), PUBLIC_URL=url)
    headers = {"accept": "application/json", "sec-fetch-site": "same-origin"}
    client = httpx2.AsyncClient(base_url=url, timeout=20, headers=headers)
    await until(lambda: answers(client, "/q/health/ready"), 40)
    return client


async def is_called(client: httpx2.AsyncClient, name: str) -> bool:
    """Whether the site goes by this name in that process."""
    return f">{name}<" in (await client.get("/auth/login", headers={"accept": "text/html"})).text


async def test_a_new_name_is_felt_in_another_process_within_two_seconds(
    site: Site, ground: Services
) -> None:
    who = await member(ground, "root@settings.example", role="super_admin")
    one, other = await begun(site, 18_600), await begun(site, 18_650)
    try:
        one.cookies.set("vu_session", await cookie_of(ground, who))
        for name in ("Dorfplatz", "Anger"):
            change = {"site_name": name, "reason": "We moved."}
            answer = await one.patch("/admin/api/settings", json=change)
            assert answer.status_code == 200, answer.text
            async with asyncio.timeout(FELT_SECONDS):
                while not await is_called(other, name):
                    await asyncio.sleep(0.02)
    finally:
        await ground.db.execute("DELETE FROM site_settings")
        for client in (one, other):
            await client.aclose()
