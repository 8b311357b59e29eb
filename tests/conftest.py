"""What every test stands on: real servers once a run, one rolled-back transaction a test."""

import asyncio
import dataclasses
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from app import config
from app.box import Box
from app.config import Settings
from app.db import Connection, Database, migrate, prepare_connection
from app.domain.platform.jobs.ledger import Ledger
from app.main import application
from app.services import Services
from app.web import letters
from jobs.registry import REGISTRY
from tests.people import Browser

ROOT = Path(__file__).resolve().parent.parent
SECRET = {name.lower(): "k1:" * name.endswith("_KEYS") + "5e" * 32 for name in config.DEV_SECRETS}


@pytest.fixture(scope="session")
def box() -> Iterator[Box]:
    """PostgreSQL, Redis and S3 of this run."""
    with Box(ROOT / "var" / "test", durable=False, spare=True) as box:
        os.environ.update(box.env)
        yield box


@pytest.fixture(scope="session")
def settings(box: Box, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a test installation with its own database, made anew from schema.sql and seeded."""
    url = asyncio.run(new_database(box.env["DATABASE_URL"], "village_test"))
    settings = config.load(
        {**box.env, "DATABASE_URL": url, "ENVIRONMENT": "test", "PUBLIC_URL": "http://testserver"},
        var_dir=str(tmp_path_factory.mktemp("var")),
        **SECRET,
    )
    asyncio.run(migrate(settings))
    return settings


async def new_database(url: str, name: str) -> str:
    """Make an empty database of that name on the server of `url`; answer its address."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    return url.rsplit("/", 1)[0] + f"/{name}"


@pytest.fixture
async def connection(settings: Settings) -> AsyncIterator[Any]:
    """One connection in a transaction that is rolled back."""
    connection = await asyncpg.connect(settings.database_url, connection_class=Connection)
    await prepare_connection(connection)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


@pytest.fixture
def services(settings: Settings, connection: Any) -> Services:
    """Services on the test's transaction; every tx() inside is a savepoint."""
    return Services(
        settings=settings,
        db=Database(None, connection),
        ledger=Ledger(REGISTRY),
        letters=letters.write,
    )


@pytest.fixture
async def browser(services: Services) -> AsyncIterator[Browser]:
    """A visitor's browser on the test's transaction."""
    async with client_on(services) as client:
        yield Browser(client, services)


def client_on(services: Services) -> httpx2.AsyncClient:
    """A client that speaks to the application in this loop."""
    app = application(services.settings, services)
    # Nothing is renewed behind a test's back: all of it runs on one connection.
    app.state["shared"].look_again = float("inf")
    transport = httpx2.ASGITransport(app=app, client=("127.0.0.1", 1))
    return httpx2.AsyncClient(transport=transport, base_url="http://testserver")


@pytest.fixture
def changed(services: Services) -> Any:
    """Services with some settings changed: changed(site_place="45.50,-73.57,Montréal")."""
    return lambda **settings: dataclasses.replace(
        services, settings=dataclasses.replace(services.settings, **settings)
    )
