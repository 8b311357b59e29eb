"""The connections of the ledger's own statements, apart from those that jobs use."""

import contextlib
import dataclasses
from collections.abc import AsyncIterator

import asyncpg

from app.db import Connection, Database, prepare_connection
from app.services import Services

CONNECTIONS = 8


@contextlib.asynccontextmanager
async def opened(services: Services) -> AsyncIterator[Services]:
    """Services whose statements never wait for a connection that a job holds.

    Each statement of the ledger has an index to go by. A plan is kept for minutes, and one made while
    the table was empty would read all of it later: here none may.
    """
    pool = await asyncpg.create_pool(
        services.settings.database_url,
        min_size=0,
        max_size=CONNECTIONS,
        max_inactive_connection_lifetime=60,
        init=prepare_connection,
        connection_class=Connection,
        server_settings={
            "application_name": "village jobs",
            "timezone": "UTC",
            "jit": "off",
            "enable_seqscan": "off",
        },
        command_timeout=30,
        timeout=10,
    )
    try:
        yield dataclasses.replace(services, db=Database(pool))
    finally:
        try:
            await pool.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pool.terminate()
