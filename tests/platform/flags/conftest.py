"""What tests of flags share: the shipped flags, admins, and a flag with some settings."""

from typing import Any

import pytest

from app.domain.platform.flags import changes, memory, shipped
from app.domain.platform.flags.changes import Author
from app.domain.platform.readers import Reader
from app.services import Services
from tests.people import member


@pytest.fixture(autouse=True)
async def shipped_flags(services: Services) -> None:
    """The flags of a new installation, in the database and in memory."""
    await shipped.seed(services)
    await memory.refresh(services)


@pytest.fixture
async def root(services: Services) -> Reader:
    """A super_admin."""
    return await member(services, "root@example.org", role="super_admin")


async def set_flag(services: Services, key: str = "stocks_widget", **fields: Any) -> None:
    """Change a flag by the program's own hand, and read it into memory."""
    await changes.change(services, Author(None, "test"), key, fields)
    await memory.refresh(services)
