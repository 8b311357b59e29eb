"""How much the ledger costs beside its raw parts: bare ARQ, and a bare insert-claim-finish queue in PostgreSQL."""

import asyncio
import sys
import time
from typing import Any

import arq.worker
import asyncpg
import uvloop
from arq.connections import ArqRedis, RedisSettings, create_pool

from app.domain.platform.jobs.types import Registry
from app.services import Services
from bench import _job_ground as job_ground
from jobs.working import Worker

JOBS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
ROUNDS = 3
SLOTS = 10
TUNED_SLOTS = 100
IDLE_JOBS = 200
TYPES = Registry()

ran = 0
started: dict[int, float] = {}


@TYPES.job(queue="DEFAULT")
async def do_nothing(services: Services) -> None:
    """The no-op."""
    global ran
    ran += 1


@TYPES.job(queue="HIGH")
async def note_start(services: Services, number: int) -> None:
    """Say when it started."""
    started[number] = time.perf_counter()


async def arq_nothing(context: dict[str, Any]) -> None:
    """The no-op of bare ARQ."""


async def arq_note_start(context: dict[str, Any], number: int) -> None:
    """The same of bare ARQ."""
    started[number] = time.perf_counter()


def arq_worker(redis: ArqRedis, slots: int, *, burst: bool) -> arq.worker.Worker:
    """Bare ARQ, tuned."""
    return arq.worker.Worker(
        functions=[arq_nothing, arq_note_start],
        redis_pool=redis,
        burst=burst,
        max_jobs=slots,
        poll_delay=0.01,
        keep_result=0,
        handle_signals=False,
        log_results=False,
    )


async def through_arq(redis: ArqRedis, slots: int) -> dict[str, float]:
    """Seconds to enqueue all jobs, one call each from 20 tasks, and to run them."""
    begun = time.perf_counter()

    async def some(many: int) -> None:
        for _ in range(many):
            await redis.enqueue_job("arq_nothing")

    await asyncio.gather(*(some(JOBS // 20) for _ in range(20)))
    enqueued = time.perf_counter()
    worker = arq_worker(redis, slots, burst=True)
    await worker.async_run()
    assert worker.jobs_complete == JOBS, worker.jobs_complete
    return {"enqueue": enqueued - begun, "drain": time.perf_counter() - enqueued}


async def until_done(worker: Worker, wanted: int) -> None:
    """Wait until the jobs have run and PostgreSQL says they are done."""
    while ran < wanted:
        await asyncio.sleep(0.005)
    query = "SELECT count(*) FROM delayed_jobs WHERE status IN ('pending', 'running')"
    while await worker.services.db.fetchval(query):
        await asyncio.sleep(0.005)


async def through_ledger(
    services: Services, slots: int, *, one_statement: bool
) -> dict[str, float]:
    """Seconds to enqueue all jobs, in one statement or each in its own transaction, and until all are done."""
    global ran
    ran = 0
    await services.db.execute("TRUNCATE delayed_jobs")
    async with job_ground.working(services, DEFAULT=slots) as worker:
        begun = time.perf_counter()
        if one_statement:
            async with services.tx() as tx:
                await tx.enqueue_many("do_nothing", [()] * JOBS)
        else:
            for _ in range(JOBS):
                async with services.tx() as tx:
                    await tx.enqueue("do_nothing")
        enqueued = time.perf_counter()
        await until_done(worker, JOBS)
        ended = time.perf_counter()
    done = await services.db.fetchval("SELECT count(*) FROM delayed_jobs WHERE status = 'done'")
    assert done == JOBS, done
    return {"enqueue": enqueued - begun, "drain": ended - enqueued, "all": ended - begun}


BARE_CLAIM = """
UPDATE bare_jobs SET status = 'running'
WHERE id = (SELECT id FROM bare_jobs WHERE status = 'pending' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id
"""


async def through_bare_queue(pool: asyncpg.Pool) -> float:
    """Seconds to insert each job in its own transaction, and to claim and finish each in its own with 10 takers."""
    await pool.execute("DROP TABLE IF EXISTS bare_jobs")
    await pool.execute(
        "CREATE TABLE bare_jobs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, status text NOT NULL)"
    )
    await pool.execute("CREATE INDEX bare_jobs_next ON bare_jobs (id) WHERE status = 'pending'")
    begun = time.perf_counter()
    async with pool.acquire() as connection:
        for _ in range(JOBS):
            await connection.execute("INSERT INTO bare_jobs (status) VALUES ('pending')")

    async def take() -> None:
        async with pool.acquire() as connection:
            while job := await connection.fetchval(BARE_CLAIM):
                await connection.execute("UPDATE bare_jobs SET status = 'done' WHERE id = $1", job)

    await asyncio.gather(*(take() for _ in range(SLOTS)))
    return time.perf_counter() - begun


async def idle_waits(services: Services, redis: ArqRedis) -> dict[str, float]:
    """Milliseconds from enqueue to start on an idle box, ours and bare ARQ's in turn."""
    ours, theirs = [], []
    worker = arq_worker(redis, SLOTS, burst=False)
    async with job_ground.working(services, HIGH=SLOTS, DEFAULT=SLOTS):
        bare = asyncio.create_task(worker.async_run())
        for number in range(IDLE_JOBS):
            await asyncio.sleep(0.02 + number % 7 / 500)
            begun = time.perf_counter()
            async with services.tx() as tx:
                await tx.enqueue("note_start", number)
            ours.append(await waited(number, begun))
            await asyncio.sleep(0.02 + number % 7 / 500)
            begun = time.perf_counter()
            await redis.enqueue_job("arq_note_start", number)
            theirs.append(await waited(number, begun))
        bare.cancel()
        await asyncio.gather(bare, return_exceptions=True)
    return {
        "ours_p95": round(job_ground.percentile(ours, 0.95) * 1000, 1),
        "arq_p95": round(job_ground.percentile(theirs, 0.95) * 1000, 1),
        "ours_p50": round(job_ground.percentile(ours, 0.5) * 1000, 1),
        "arq_p50": round(job_ground.percentile(theirs, 0.5) * 1000, 1),
    }


async def waited(number: int, begun: float) -> float:
    """Seconds until the job with that number started."""
    while number not in started:
        await asyncio.sleep(0.001)
    return started.pop(number) - begun


async def measure() -> None:
    """Rounds of all four in turn, and the waits."""
    job_ground.log_to_nowhere()
    with job_ground.servers() as box:
        settings = await job_ground.fresh(box, "bench_jobs")
        redis = await create_pool(RedisSettings.from_dsn(settings.redis_url))
        await redis.flushall()
        pool = await asyncpg.create_pool(settings.database_url, min_size=SLOTS, max_size=SLOTS + 2)
        async with job_ground.services_on(settings, TYPES) as services:
            rounds = []
            for number in range(ROUNDS):
                one = await through_ledger(services, TUNED_SLOTS, one_statement=True)
                tuned = await through_arq(redis, TUNED_SLOTS)
                each = await through_ledger(services, SLOTS, one_statement=False)
                arq10 = await through_arq(redis, SLOTS)
                bare = await through_bare_queue(pool)
                rounds.append(figures(one, tuned, each, arq10, bare))
                print(
                    f"round {number + 1}:",
                    {k: round(v, 2) for k, v in rounds[-1].items()},
                    flush=True,
                )
            waits = await idle_waits(services, redis)
        await pool.close()
        await redis.aclose()
    found = job_ground.median_of(rounds)
    detail = {key: round(value, 3) for key, value in found.items()}
    detail |= {f"idle_{key}_ms": value for key, value in waits.items()}
    detail["idle_p95_ratio"] = round(waits["ours_p95"] / waits["arq_p95"], 2)
    job_ground.report("jobs", found["ratio"], detail)


def figures(
    one: dict[str, float],
    tuned: dict[str, float],
    each: dict[str, float],
    arq10: dict[str, float],
    bare: float,
) -> dict[str, float]:
    """One round in numbers; the ratio counts enqueueing on both sides."""
    theirs = tuned["enqueue"] + tuned["drain"]
    raw = bare + arq10["enqueue"] + arq10["drain"]
    return {
        "ratio": theirs / one["all"],
        "ratio_to_arq_drain_alone": tuned["drain"] / one["all"],
        "ours_jobs_a_second": JOBS / one["all"],
        "arq_jobs_a_second": JOBS / theirs,
        "ours_enqueue_seconds": one["enqueue"],
        "each_own_transaction_seconds": each["all"],
        "bare_queue_seconds": bare,
        "bare_arq_seconds": raw - bare,
        "each_own_transaction_to_raw": each["all"] / raw,
    }


if __name__ == "__main__":
    uvloop.run(measure())
