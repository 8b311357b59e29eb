"""Names are looked up apart from everything else, and nobody waits for one for long."""

import asyncio
import socket
import threading

import pytest

from app.outside import connections
from app.outside.addresses import Target
from app.outside.connections import Connections, connected, resolved
from app.outside.fetches import FetchFailed


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """A resolver that answers nobody before the test is over."""
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_given, **_named: over.wait(20) and [])
    yield
    over.set()


@pytest.mark.usefixtures("hanging")
async def test_a_resolver_that_hangs_holds_up_no_other_thread_and_no_caller_for_long() -> None:
    places = Connections({}, resolve=resolved, connect=connected, patience=0.3)
    many = connections.LOOK_UPS._max_workers + 8
    targets = [Target("https", f"name-{n}.example", 443, "/") for n in range(many)]
    asked = [asyncio.create_task(places.open(target)) for target in targets]
    async with asyncio.timeout(5):
        assert await asyncio.to_thread(lambda: "free") == "free"
        failures = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(one) for one in failures} == {FetchFailed}


async def test_a_name_has_its_addresses() -> None:
    assert await resolved("127.0.0.1") == ["127.0.0.1"]
