"""The raw baselines: a bare Starlette application on the same server with the same settings.

/bytes answers constant bytes, /query one asyncpg news query and bytes of the same size, /stream an event stream that
only waits. Started as `python -m bench._bare PORT FILE`; FILE holds the bytes.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

BODY = Path(sys.argv[2]).read_bytes() if len(sys.argv) > 2 else b""
NEWS = """
SELECT id, title, url, published_at FROM feed_items WHERE feed_id = ANY($1) ORDER BY published_at DESC, id DESC LIMIT 20
"""


async def constant(request: Request) -> Response:
    return Response(BODY, media_type="text/html")


async def one_query(request: Request) -> Response:
    await request.state.pool.fetch(NEWS, request.state.feeds)
    return Response(BODY, media_type="text/html")


async def waiting() -> AsyncIterator[bytes]:
    yield b"event: hello\ndata: {}\n\n"
    await asyncio.Event().wait()


async def stream(request: Request) -> Response:
    return StreamingResponse(waiting(), media_type="text/event-stream")


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, object]]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=2, max_size=20) as pool:
        feeds = [row["id"] for row in await pool.fetch("SELECT id FROM feeds")]
        yield {"pool": pool, "feeds": feeds}


app = Starlette(
    routes=[Route("/bytes", constant), Route("/query", one_query), Route("/stream", stream)],
    lifespan=lifespan,
)

if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="error",
        ws="none",
    )
