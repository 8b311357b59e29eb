"""The guarded client never leaves the public internet, however an address is spelled."""

import asyncio
import socket
from pathlib import Path

import pytest

from app.outside.connections import connected
from app.outside.guarded import FetchFailed, GuardedClient
from app.outside.networks import permitted
from tests.outside.servers import Visit, always, answer, serving

PUBLIC = "93.184.215.14"

FORBIDDEN = (Path(__file__).parent / "forbidden_urls.txt").read_text().split() + [
    "http://public.net\t@127.0.0.1/",
    "http://127.0.0.1\n.public.net/",
    "http://public.net/\r\nHost: x",
    "http://127.0.0.1 .public.net/",
    "http://public.net/\x00",
    "",
    "http://",
    "http://public.net/" + "a" * 5000,
    "http://" + "a" * 64 + ".net/",
]


class Network:
    """Records what would be resolved and connected, and connects nothing."""

    def __init__(self, names: dict[str, list[list[str]]] | None = None) -> None:
        self.names = names or {}
        self.asked: list[str] = []
        self.dialled: list[tuple[str, int]] = []

    async def resolve(self, host: str) -> list[str]:
        self.asked.append(host)
        answers = self.names.get(host, [[PUBLIC]])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def connect(self, address: str, port: int) -> socket.socket:
        self.dialled.append((address, port))
        raise ConnectionRefusedError

    def client(self, **more: object) -> GuardedClient:
        guard_hosts = {"known.test": ("127.0.0.1", 1)}
        return GuardedClient(
            "https://village.example",
            guard_hosts,
            resolve=self.resolve,
            connect=self.connect,
            spacing=0.0,
            **more,  # type: ignore[arg-type]
        )


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse any other address process-wide, so a broken guard still sends nothing."""

    def refusing(method: str) -> None:
        real = getattr(socket.socket, method)

        def guarded(self: socket.socket, address: object, *more: object) -> object:
            host = address[0] if isinstance(address, tuple) else None
            assert host is None or host in ("127.0.0.1", "::1"), f"A packet was on its way: {host}"
            return real(self, address, *more)

        monkeypatch.setattr(socket.socket, method, guarded)

    refusing("connect")
    refusing("connect_ex")

    real_look_up = socket.getaddrinfo

    def looked_up(host: object, *more: object, **named: object) -> list[object]:
        assert host in ("127.0.0.1", "::1", None), f"A name was on its way: {host}"
        return real_look_up(host, *more, **named)  # type: ignore[return-value, arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)


@pytest.mark.parametrize("url", FORBIDDEN)
async def test_a_forbidden_address_is_refused_before_anything_is_dialled(url: str) -> None:
    network = Network()
    with pytest.raises(FetchFailed) as failure:
        await network.client().fetch(url)
    assert failure.value.code in ("bad_address", "refused_address", "refused_port")
    assert network.dialled == [] and network.asked == []


@pytest.mark.parametrize(
    "url", [url for url in FORBIDDEN if url.startswith("http") and "://p" not in url]
)
async def test_a_redirect_to_a_forbidden_address_is_refused_at_each_hop(url: str) -> None:
    for hops in (0, 1, 4):
        await _redirect_is_refused(url, hops)


async def _redirect_is_refused(url: str, hops: int) -> None:
    async def script(visit: Visit) -> None:
        step = int(visit.path.strip("/"))
        there = f"/{step + 1}" if step < hops else url
        location = b"Location: " + there.encode()
        await visit.say(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n" + location + b"\r\n\r\n")

    network = Network()
    async with serving(script) as server:
        client = GuardedClient(
            "https://village.example",
            {"start.test": ("127.0.0.1", server.port)},
            resolve=network.resolve,
            connect=connected,
            spacing=0.0,
            # A busy machine is not what is looked at.
            patience=30.0,
            silence=30.0,
        )
        with pytest.raises(FetchFailed) as failure:
            await client.fetch("http://start.test/0")
    refused = ("bad_address", "refused_address", "refused_port")
    # What a browser would call a relative path stays on the host, and is asked there.
    assert failure.value.code in (*refused, "protocol", "too_many_redirects", "cut_off"), url
    assert network.asked == []


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.1.2.3"], [PUBLIC, "192.168.1.1"], ["::1"], ["fe80::1%eth0"], ["junk"]],
)
async def test_a_name_with_any_address_that_is_not_public_is_refused(addresses: list[str]) -> None:
    network = Network({"public.net": [addresses]})
    with pytest.raises(FetchFailed, match="refused_address"):
        await network.client().fetch("https://public.net/")
    assert network.dialled == []


@pytest.mark.parametrize(
    ("url", "address", "port"),
    [
        ("http://public.net/", PUBLIC, 80),
        ("https://PUBLIC.net./x", PUBLIC, 443),
        ("http://public.net:443/", PUBLIC, 443),
        ("https://bücher.net/", PUBLIC, 443),
        (f"http://{PUBLIC}/", PUBLIC, 80),
        ("http://[2606:4700::1111]/", "2606:4700::1111", 80),
        ("http://user:secret@public.net/", PUBLIC, 80),
    ],
)
async def test_a_public_address_is_dialled_as_resolved(url: str, address: str, port: int) -> None:
    network = Network()
    with pytest.raises(FetchFailed, match="connect"):
        await network.client().fetch(url)
    assert network.dialled == [(address, port)]


async def test_a_name_is_resolved_once_a_hop_and_the_second_answer_is_judged_anew() -> None:
    # A rebinding server answers a public address first and loopback the second time.
    network = Network({"rebind.net": [[PUBLIC], ["127.0.0.1"]]})
    redirect = answer(b"", "Location: http://rebind.net/again", status="302 Found")
    async with serving(always(redirect)) as server:

        async def led(address: str, port: int) -> socket.socket:
            network.dialled.append((address, port))
            return await connected("127.0.0.1", server.port)

        network.connect = led  # type: ignore[method-assign]
        with pytest.raises(FetchFailed, match="refused_address"):
            await network.client().fetch("http://rebind.net/")
    assert network.asked == ["rebind.net", "rebind.net"]
    assert network.dialled == [(PUBLIC, 80)]


async def test_the_real_connector_goes_to_the_pinned_address_without_a_look_up() -> None:
    async with serving(always(answer(b"hello"))) as server:
        sock = await connected("127.0.0.1", server.port)
    with sock:
        assert sock.getpeername() == ("127.0.0.1", server.port)


async def test_the_guard_table_may_lead_to_loopback_only() -> None:
    with pytest.raises(ValueError, match="loopback"):
        GuardedClient("https://village.example", {"x.test": ("10.0.0.1", 80)})


async def test_a_name_of_the_table_is_asked_at_its_place_even_for_https() -> None:
    async with serving(always(answer(b"hello"))) as server:
        client = GuardedClient("https://v.example/", {"Known.Test": ("127.0.0.1", server.port)})
        fetched = await client.fetch("https://known.test/a?b=c")
    assert (fetched.content, fetched.url) == (b"hello", "https://known.test/a?b=c")
    assert server.visits[0].header("host") == "known.test"
    assert server.visits[0].header("user-agent") == "VillageBot/1.0 (+https://v.example/bot)"


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2a00:1450::1"])
def test_public_addresses_are_permitted(address: str) -> None:
    assert permitted(address)


async def test_a_silent_resolver_is_a_failure_of_its_own() -> None:
    async def silent(host: str) -> list[str]:
        await asyncio.sleep(60)
        return [PUBLIC]

    network = Network()
    network.resolve = silent  # type: ignore[method-assign]
    with pytest.raises(FetchFailed, match="dns"):
        await network.client(patience=0.05).fetch("http://public.net/")
