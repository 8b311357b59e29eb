"""python -m app first-admin-link: print the one-time link, or nothing when there is an admin."""

from app.config import Settings
from app.domain.platform import admins
from app.start import open_services


async def print_link(settings: Settings) -> int:
    """Print the link on a line of its own."""
    async with open_services(settings) as services:
        if link := await admins.new_link(services):
            print(link)
    return 0
