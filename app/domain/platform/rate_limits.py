"""Rate limits: the one door that every limited act passes."""

from app.domain.platform.readers import Reader
from app.services import Services


async def spend(services: Services, who: Reader | None, action: str) -> None:
    """Count one `action` (feed_add, opml_import, search …) of a reader.

    Nothing is counted yet; the limits' chapter fills this function and lets it raise TooMany.
    """
