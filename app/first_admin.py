"""python -m app first-admin-link: print the one-time link, or nothing when there is an admin."""

import dataclasses

from app.config import Settings
from app.domain.platform import admins, audit
from app.ops import origin
from app.start import open_services


async def print_link(settings: Settings) -> int:
    """Print the link on a line of its own."""
    async with open_services(settings) as services:
        if link := await admins.new_link(services):
            caller = dataclasses.replace(services, origin=origin())
            await audit.add(caller, None, "cli.called", ("command", "first-admin-link"))
            print(link)
    return 0
