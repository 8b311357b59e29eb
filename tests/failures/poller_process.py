"""A real process that polls the mailbox once: python -m tests.failures.poller_process."""

import asyncio

from app.config import load
from app.domain.platform import mailboxes
from app.start import open_services


async def main() -> None:
    """Take in what lies there, and end."""
    async with open_services(load()) as services:
        await mailboxes.poll(services, 0)


if __name__ == "__main__":
    asyncio.run(main())
