"""Web processes forget a person who is hidden or erased: kept pages, told changes, open streams."""

import asyncio
import dataclasses
from typing import Any

import asyncpg

from app.db import Database
from app.domain.platform.privacy import erasures
from app.main import application
from app.services import Services
from app.web.live import Hub, Stream, events
from tests.conftest import client_on
from tests.people import Browser, member


def told(hub: Hub, topic: str) -> None:
    """Let the hub hear a notice as PostgreSQL brings it."""
    hub.heard(None, 0, "village_changes", topic)


async def test_a_kept_page_is_forgotten_with_its_person(services: Services) -> None:
    app = application(services.settings, services)
    kept, hub = app.state["kept"], app.state["hub"]
    kept.put((7, "note"), b"words of somebody")
    kept.tag(("page", 7), b"tag")
    told(hub, "gone:7")
    assert (len(kept.pieces), len(kept.tags), kept.bytes) == (0, 0, 0)


async def test_no_event_of_an_erased_person_is_kept(services: Services) -> None:
    hub = Hub(services.settings)
    for topic in ("reader:7:news", "reader:77:news", "gone:7"):
        told(hub, topic)
    assert [topic for _, topic in hub.past] == ["reader:77:news"]


async def test_an_open_stream_of_an_erased_person_ends(services: Services) -> None:
    hub = Hub(services.settings)
    mine, other = (Stream(number, frozenset({f"reader:{number}"}), {}) for number in (7, 8))
    for stream in (mine, other):
        hub.join(stream, None)
    sent = asyncio.create_task(all_of(events(hub, mine)))
    await asyncio.sleep(0)
    told(hub, "gone:7")
    assert b"event: bye" in (await asyncio.wait_for(sent, 5))[-1]
    assert hub.streams == {other}


async def all_of(stream: Any) -> list[bytes]:
    """Everything that a stream sends until it ends."""
    return [piece async for piece in stream]


async def test_every_process_is_told_when_a_person_goes(services: Services) -> None:
    said: asyncio.Queue[str] = asyncio.Queue()
    one, other = [await asyncpg.connect(services.settings.database_url) for _ in range(2)]
    try:
        await one.add_listener("village_changes", lambda *words: said.put_nowait(words[3]))
        await erasures.tell_gone(dataclasses.replace(services, db=Database(None, other)), 7)
        assert await asyncio.wait_for(said.get(), 10) == "gone:7"
    finally:
        await one.close()
        await other.close()


async def test_a_page_made_before_is_not_shown_after(services: Services) -> None:
    who = await member(services)
    async with client_on(services) as client:
        browser = Browser(client, services)
        await browser.sign_in(who)
        assert (await browser.get("/")).status_code == 200
        await services.db.execute("UPDATE users SET closed_at = now() WHERE id = $1", who.id)
        assert (await browser.json("GET", "/settings/privacy")).status_code == 401
