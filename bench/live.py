"""How much memory do 2,000 open event streams take, and how fast does a change reach them? (chapter 20 §9 line 14)"""

import asyncio
import contextlib
import json
import resource
import time
from pathlib import Path

from app.config import Settings
from app.domain.platform.readers import Reader
from app.start import open_services
from bench import _site, _swapped
from bench._load import Target, get, percentile
from tests.people import cookie_of

STREAMS, PEOPLE, CHANGES = 2_000, 400, 20
ADD_PEOPLE = """
INSERT INTO users (kind, email, email_verified_at)
SELECT 'member', 'm' || n || '@example.org', now() FROM generate_series(1, $1::int) AS n RETURNING id
"""
SUBSCRIBE = """
INSERT INTO feed_subscriptions (user_id, feed_id)
SELECT u.id, f.id FROM users u CROSS JOIN feeds f ON CONFLICT DO NOTHING
"""


async def main() -> None:
    """Open the streams on both servers in turn, weigh them, make changes, print."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, 20_000), limit))
    settings, cookie = await _site.filled(2_000, 20)
    cookies = await people(settings)
    async with _site.bare(settings, b"x") as (port, pid):
        bare, _ = await weighed(pid, [get(port, "/stream")] * STREAMS, "bare")
    # One stream more than are weighed: that of the Chromium which looks on while all others are open.
    async with _site.village(settings, LIVE_STREAMS=str(STREAMS + 1)) as (port, pid):
        targets = [
            get(port, "/live", f"Cookie: vu_session={cookies[n % PEOPLE]}") for n in range(STREAMS)
        ]
        ours, delays = await weighed(pid, targets, "ours", settings)
        async with contextlib.AsyncExitStack() as stack:
            await opened(stack, targets, [])
            seen = await _swapped.measured(settings, port, cookie)
    p95 = percentile(delays, 0.95)
    ratio = round(ours / bare, 2)
    print(
        f"a change reached {len(delays):,} times: p50 {percentile(delays, 0.5):.3f} s, p95 {p95:.3f} s"
    )
    detail = {
        "streams": STREAMS,
        "bare_kib": round(bare),
        "ours_kib": round(ours),
        "received_p95_s": round(p95, 3),
        **seen,
    }
    print(json.dumps({"bench": "live", "ratio": ratio, "detail": detail}))


async def people(settings: Settings) -> list[str]:
    """Members who read all feeds, and a session of each."""
    async with open_services(settings) as services:
        ids = [row["id"] for row in await services.db.fetch(ADD_PEOPLE, PEOPLE)]
        await services.db.execute(SUBSCRIBE)
        return [await cookie_of(services, Reader(id=user_id, kind="member")) for user_id in ids]


async def weighed(
    pid: int, targets: list[Target], name: str, settings: Settings | None = None
) -> tuple[float, list[float]]:
    """KiB a stream of a server that holds one stream a target; with settings, the delays of changes too."""
    before = resident(pid)
    heard: list[float] = []
    async with contextlib.AsyncExitStack() as stack:
        await opened(stack, targets, heard)
        await asyncio.sleep(1)
        each = (resident(pid) - before) / len(targets)
        print(f"{name}: {before / 1024:.0f} MiB before, {each:.1f} KiB a stream")
        delays = await changed(settings, heard) if settings else []
    return each, delays


async def opened(
    stack: contextlib.AsyncExitStack, targets: list[Target], heard: list[float]
) -> None:
    """Open one stream a target, fifty at a time; the stack closes them."""
    for start in range(0, len(targets), 50):
        some = targets[start : start + 50]
        assert all(await asyncio.gather(*(listening(stack, target, heard) for target in some)))


async def listening(stack: contextlib.AsyncExitStack, target: Target, heard: list[float]) -> bool:
    """Open one stream, wait for its first event, and note when others come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    writer.write(target.request)
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readuntil(b"event: hello")

    async def listen() -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"event: change")
                heard.append(time.perf_counter())

    task = asyncio.create_task(listen())
    stack.callback(task.cancel)
    stack.callback(writer.close)
    return head.startswith(b"HTTP/1.1 200")


async def changed(settings: Settings, heard: list[float]) -> list[float]:
    """Bump one feed some times; how long until each of the streams has heard of it."""
    connection = await _site.connected(settings)
    delays: list[float] = []
    for _ in range(CHANGES):
        heard.clear()
        begin = time.perf_counter()
        await connection.execute("UPDATE feeds SET version = version + 1 WHERE id = 1")
        while len(heard) < STREAMS and time.perf_counter() - begin < 10:
            await asyncio.sleep(0.01)
        delays += [at - begin for at in heard] + [10.0] * (STREAMS - len(heard))
    await connection.close()
    return delays


def resident(pid: int) -> float:
    """Resident memory of a process in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith("VmRSS")).split()[1])


if __name__ == "__main__":
    asyncio.run(main())
