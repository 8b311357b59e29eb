"""Notices of templates: one tells a person with changes of their own what the site changed of their page (rule 5)."""

import msgspec

from app.domain.homepage import (
    layout_templates,
    page_changes,
    pages,
    template_differences,
    widget_offers,
)
from app.domain.homepage.page_rows import HOME
from app.domain.homepage.pages import PageView
from app.domain.homepage.template_merging import is_there
from app.domain.homepage.versions import bump
from app.domain.platform.readers import Reader
from app.services import Services


async def shown(services: Services, who: Reader | None, slug: str = HOME) -> PageView:
    """A person's page, with what its template changed since they were told last. Raises NotFound."""
    view = await pages.shown(services, who, slug)
    if not is_behind(view):
        return view
    # What the reader does not have is not named to them either.
    hidden = widget_offers.hidden(services, who)
    before, after = [
        [item for item in items if is_there(item, hidden)]
        for items in (
            await layout_templates.widgets(services, *view.known),
            await layout_templates.widgets(services, *view.template),
        )
    ]
    said = template_differences.sentence(template_differences.between(before, after))
    return msgspec.structs.replace(view, said=f"The site changed this page: {said}" if said else "")


def is_behind(view: PageView) -> bool:
    """Whether the template changed below a page that its person arranged."""
    return view.slug == HOME and view.is_touched and view.template != view.known


async def acknowledge(services: Services, who: Reader, slug: str) -> PageView:
    """Say that the notice was read. Raises NotFound."""
    async with services.tx() as tx:
        page = await page_changes.locked(tx, who, slug)
        await page_changes.follow(tx, page)
        await bump(tx, who.id, "page")
        return await pages.shown(tx, who, slug)
