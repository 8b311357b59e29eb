"""The fast lane: one ARQ queue a family, whose jobs are lists of bare ids and nothing else."""

import asyncio
import math
import time
import uuid
from collections.abc import Sequence
from typing import Any

import arq.worker
import orjson
import structlog
from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.jobs import DeserializationError, deserialize_job, serialize_job
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from jobs.families import Family

log = structlog.get_logger("jobs")

POLL_SECONDS = 0.01
IDLE_POLL_SECONDS = 0.25
RECONNECT_SECONDS = 1.0
CHUNKS_AT_ONCE = 2
LARGEST_CHUNK = 50


def lane(url: str) -> ArqRedis:
    """The connection to Redis that ARQ speaks through, with JSON instead of pickles."""
    pool = ConnectionPool.from_url(url, socket_timeout=5, socket_connect_timeout=2)
    return ArqRedis(pool, job_serializer=orjson.dumps, job_deserializer=orjson.loads)


def queue_name(queue: str) -> str:
    """What a family's queue is called in Redis."""
    return f"village:{queue}"


# What ARQ's enqueue_job writes, in one step with the count of what lies there: whichever relay writes, and however late
# its words arrive, no more than the most is ever there. A piece says in its name how many hints it holds.
PUSH = """
local lying = 0
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    lying = lying + tonumber(string.match(name, ':(%d+)$') or 0)
end
if lying + tonumber(ARGV[1]) > tonumber(ARGV[2]) then
    return 0
end
redis.call('PSETEX', KEYS[2], ARGV[3], ARGV[5])
redis.call('ZADD', KEYS[1], ARGV[4], ARGV[6])
return 1
"""
# A hint that lay longer was relayed again long ago.
KEPT_MS = 86_400_000


async def push(
    redis: ArqRedis, queue: str, ids: Sequence[int], workers: int, most: int
) -> list[int]:
    """Put hints into a family's queue, in pieces small enough that every worker may get some.

    No more than `most` lie there at any time: return those for which there was no room. Raises RedisError.
    """
    size = min(LARGEST_CHUNK, math.ceil(len(ids) / max(1, workers)))
    script = redis.register_script(PUSH)
    for start in range(0, len(ids), size):
        piece = list(ids[start : start + size])
        now = time.time_ns() // 1_000_000
        name = f"{uuid.uuid4().hex}:{len(piece)}"
        text = serialize_job("take_hints", (piece,), {}, None, now, serializer=orjson.dumps)
        keys = (queue_name(queue), job_key_prefix + name)
        if not await script(keys, (len(piece), most, KEPT_MS, now, text, name)):
            return list(ids[start:])
    return []


async def lying(redis: ArqRedis, queue: str) -> list[int]:
    """The ids of all hints that nobody has taken out of a family's queue yet. Raises RedisError."""
    names = await redis.zrange(queue_name(queue), 0, -1)
    if not names:
        return []
    texts = await redis.mget([job_key_prefix.encode() + name for name in names])
    return [job_id for text in texts if text for job_id in ids_of(text)]


def ids_of(text: bytes) -> list[int]:
    """The ids of one hint; none where somebody else wrote it."""
    try:
        [ids] = deserialize_job(text, deserializer=orjson.loads).args
    except (DeserializationError, ValueError, TypeError):
        return []
    return ids if isinstance(ids, list) and all(type(one) is int for one in ids) else []


async def take_hints(context: dict[str, Any], ids: list[int]) -> None:
    """ARQ's job: hand ids to the family; whether they may run is decided in PostgreSQL."""
    context["family"].take_hints(ids)


class HintWorker(arq.worker.Worker):  # type: ignore[misc]
    """The ARQ worker of one family: it keeps no results, retries nothing and schedules nothing."""

    def __init__(self, family: Family, redis: ArqRedis) -> None:
        super().__init__(
            functions=[arq.worker.func(take_hints, name="take_hints", keep_result=0, timeout=30)],
            queue_name=queue_name(family.queue),
            redis_pool=redis,
            handle_signals=False,
            max_jobs=CHUNKS_AT_ONCE,
            queue_read_limit=CHUNKS_AT_ONCE,
            poll_delay=POLL_SECONDS,
            keep_result=0,
            retry_jobs=False,
            job_serializer=orjson.dumps,
            job_deserializer=orjson.loads,
            log_results=False,
            ctx={"family": family},
        )
        self.family = family

    async def _poll_iteration(self) -> None:
        """Poll each 10 ms while something is going on, else four times a second."""
        family = self.family
        if time.monotonic() >= family.eager_until and not self.tasks:
            family.called.clear()
            timer = self.loop.call_later(IDLE_POLL_SECONDS, family.called.set)
            await family.called.wait()
            timer.cancel()
        self.allow_pick_jobs = family.wants_hints
        await super()._poll_iteration()
        family.lane_away = False


async def listen(family: Family, redis: ArqRedis) -> None:
    """Take hints for ever; while Redis is away the family claims from PostgreSQL."""
    while True:
        worker = HintWorker(family, redis)
        try:
            await worker.async_run()
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("fast lane away", queue=family.queue, error=type(error).__name__)
            family.lose_lane()
        finally:
            for task in worker.tasks.values():
                task.cancel()
            await asyncio.gather(*worker.tasks.values(), return_exceptions=True)
        await asyncio.sleep(RECONNECT_SECONDS)
