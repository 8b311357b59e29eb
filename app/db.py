"""PostgreSQL: the pool, its errors as problems, and the schema's version."""

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from app.config import Settings
from app.errors import Contended, ServiceDown

SCHEMA_VERSION = 4
ROOT = Path(__file__).resolve().parent.parent

# What a connection says when the server behind it goes. InternalClientError: asyncpg met the server's farewell between
# two statements.
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
# What says that PostgreSQL is away or will be back soon, rather than that a statement is wrong.
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,
    *LOST,
)
# What says that a start cannot go on: there is no such server, database, user or password.
UNREACHABLE = (
    *AWAY,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)


# What PostgreSQL says to one of two that wait for each other (40P01, 40001): nothing of what it asked for was done.
CONTENDED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
# So often what has done nothing is begun again.
TRIES = 3


def contended() -> Contended:
    """The problem that a request gets whose transaction was ended so that another one could go on."""
    return Contended(
        "Somebody changed the same thing at this very moment. Nothing of yours was saved. Please try again.",
        retry_after=1,
    )


def is_away(error: BaseException) -> bool:
    """Whether an error says that PostgreSQL is away; InterfaceError also says that a call is wrong, which is our fault."""
    return isinstance(error, AWAY) and (
        not isinstance(error, asyncpg.InterfaceError) or "clos" in str(error)
    )


def database_away() -> ServiceDown:
    """The problem that a request gets while PostgreSQL does not answer."""
    return ServiceDown(
        "Our database is not answering at the moment. Nothing you saved is lost. Please try again in a few seconds.",
        code="database_away",
        retry_after=5,
    )


class Connection(asyncpg.Connection):
    """A connection that needs no clean-up after use: nothing here sets session state."""

    def get_reset_query(self) -> str:
        """Save the round trip that RESET ALL costs at each release; transactions clean up after themselves."""
        return ""


class Database:
    """Statements on the pool, or on one connection: `fetch`, `fetchrow`, `fetchval`, `execute`, `executemany`."""

    def __init__(
        self, pool: asyncpg.Pool | None, connection: Any = None, timeout: float = 10.0
    ) -> None:
        self.pool = pool
        self.connection = connection
        self.timeout = timeout

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[Any]:
        """One connection for several statements. Raises ServiceDown when there is none."""
        if self.connection is not None:
            yield self.connection
            return
        assert self.pool is not None
        try:
            connection = await self.pool.acquire(timeout=self.timeout)
        except AWAY as error:
            if not is_away(error):
                raise
            raise database_away() from error
        try:
            yield connection
        finally:
            await self.pool.release(connection)

    async def _run(self, method: str, *arguments: Any) -> Any:
        try:
            if self.connection is not None:
                return await getattr(self.connection, method)(*arguments)
            return await self._run_alone(method, *arguments)
        except CONTENDED as error:
            # In a transaction it is for its owner to say what becomes of the whole.
            if self.connection is None or self.connection.is_in_transaction():
                raise
            raise contended() from error
        except AWAY as error:
            if not is_away(error):
                raise
            raise database_away() from error

    async def _run_alone(self, method: str, *arguments: Any) -> Any:
        # A statement by itself is a transaction: one that was ended for another's sake is simply said again.
        for left in reversed(range(TRIES)):
            async with self.held() as connection:
                try:
                    return await getattr(connection, method)(*arguments)
                except CONTENDED as error:
                    if not left:
                        raise contended() from error
        raise AssertionError

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        """All rows."""
        return await self._run("fetch", query, *values)  # type: ignore[no-any-return]

    async def fetchrow(self, query: str, *values: Any) -> Any:
        """The first row, or None."""
        return await self._run("fetchrow", query, *values)

    async def fetchval(self, query: str, *values: Any) -> Any:
        """The first column of the first row, or None."""
        return await self._run("fetchval", query, *values)

    async def execute(self, query: str, *values: Any) -> str:
        """Run a statement; its command tag, as 'UPDATE 1'."""
        return await self._run("execute", query, *values)  # type: ignore[no-any-return]

    async def executemany(self, query: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once a row, in one go."""
        await self._run("executemany", query, rows)


async def prepare_connection(connection: Any) -> None:
    """Let jsonb columns read and write Python values."""
    for kind in ("jsonb", "json"):
        await connection.set_type_codec(
            kind,
            encoder=lambda value: orjson.dumps(value).decode(),
            decoder=orjson.loads,
            schema="pg_catalog",
        )


async def open_pool(settings: Settings, *, size: int | None = None) -> asyncpg.Pool:
    """Open the pool. Connections are made when needed, so that a start does not fail while PostgreSQL is away."""
    return await asyncpg.create_pool(
        settings.database_url,
        min_size=0,
        max_size=size or settings.database_pool_size + settings.database_pool_max_overflow,
        max_inactive_connection_lifetime=60,
        init=prepare_connection,
        connection_class=Connection,
        server_settings={"application_name": "village", "timezone": "UTC", "jit": "off"},
        command_timeout=60,
        timeout=10,
    )


async def schema_version(db: Database) -> int:
    """The version of the schema that the database has; 0 for an empty one."""
    if await db.fetchval("SELECT to_regclass('schema_versions')") is None:
        return 0
    return await db.fetchval("SELECT coalesce(max(version), 0) FROM schema_versions") or 0


# The running month and two ahead of every append-only table.
MAKE_MONTHS = """
SELECT make_month_partitions(relname, now()::date, 3) FROM pg_class
WHERE relkind = 'p' AND relnamespace = current_schema()::regnamespace
"""


async def migrate(settings: Settings) -> list[int]:
    """Bring the database to SCHEMA_VERSION, one numbered file a transaction; answer the versions taken. Raises ServiceDown."""
    try:
        connection = await asyncpg.connect(settings.database_url)
    except UNREACHABLE as error:
        raise ServiceDown(
            f"The database cannot be reached ({error}). Start PostgreSQL, or change DATABASE_URL."
        ) from error
    try:
        await connection.execute("SELECT pg_advisory_lock(713)")
        await connection.execute("SET lock_timeout = '10s'; SET client_min_messages = warning")
        version = await schema_version(Database(None, connection))
        taken = list(range(version + 1, SCHEMA_VERSION + 1)) if version else [SCHEMA_VERSION]
        for number in taken:
            file = (
                ROOT / "schema.sql"
                if version == 0
                else ROOT / "app" / "migrations" / f"{number:04}.sql"
            )
            async with connection.transaction():
                await connection.execute(file.read_text())
                await connection.execute(
                    "INSERT INTO schema_versions (version) VALUES ($1)", number
                )
        await connection.execute(MAKE_MONTHS)
        return taken if version < SCHEMA_VERSION else []
    finally:
        await connection.close()
