"""Page files: one page as a JSON document that can be kept, given away and brought in again (chapter 20 §3)."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from app.domain.homepage import page_changes, pages, widget_offers
from app.domain.homepage.page_rows import Item
from app.domain.homepage.page_widgets import Arranged
from app.domain.homepage.pages import NAME_CEILING, PageView
from app.domain.homepage.placement import Box
from app.domain.homepage.widget_edits import MEMBER_CEILING, refuse_overhang, sparing
from app.domain.homepage.widget_types import by_name
from app.domain.platform.readers import Reader
from app.errors import Invalid
from app.services import Services


class FileWidget(Arranged, frozen=True, kw_only=True):
    """One widget of a page file."""

    key: Annotated[str, Meta(pattern="^[a-z0-9_]{1,32}$")]
    type: str
    title: Annotated[str, Meta(max_length=80, pattern=r"^[^\x00]*$")] | None = None
    settings: dict[str, Any] = {}


class PageFile(msgspec.Struct, frozen=True, kw_only=True):
    """A page as a document; `format` and `version` say how to read it."""

    format: Literal["village.page"] = "village.page"
    version: Literal[1] = 1
    name: Annotated[str, Meta(min_length=1, max_length=NAME_CEILING, pattern=r"^[^\x00]*$")]
    widgets: Annotated[list[FileWidget], Meta(max_length=MEMBER_CEILING)]


async def written(services: Services, who: Reader | None, slug: str) -> PageFile:
    """The page as a file. Raises NotFound."""
    view = await pages.shown(services, who, slug)
    names = [name for name in FileWidget.__struct_fields__ if name != "phone_order"]
    is_own_order = [widget.phone_order for widget in view.widgets] != sorted(
        widget.phone_order for widget in view.widgets
    )
    return PageFile(
        name=view.name,
        widgets=[
            FileWidget(
                **{name: getattr(widget, name) for name in names},
                phone_order=widget.phone_order if is_own_order else None,
            )
            for widget in view.widgets
        ],
    )


def read(document: bytes) -> PageFile:
    """A page file from its bytes. Raises Invalid."""
    try:
        file = msgspec.json.decode(document, type=PageFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid(
            "This is not a page that was saved here.",
            errors={"file": "Please choose a file that “Save as a file” made."},
        ) from None
    for widget in file.widgets:
        refuse_overhang(Box(widget.key, widget.x, widget.y, widget.w, widget.h))
        sparing(by_name(widget.type), widget.settings)
    if len({widget.key for widget in file.widgets}) < len(file.widgets):
        raise Invalid("Two widgets of this file have one key.", errors={"file": "Please mend it."})
    return file


async def bring_in(services: Services, who: Reader, document: bytes) -> PageView:
    """Make a tab from a page file. Raises Invalid, and Conflict when there are ten tabs already."""
    file = read(document)
    for widget in file.widgets:
        widget_offers.named(services, who, widget.type)

    def filled(_: list[Item]) -> Sequence[Item]:
        return [own(widget) for widget in file.widgets]

    async with services.tx() as tx:
        slug = (await pages.add(tx, who, file.name)).slug
        page = await page_changes.locked(tx, who, slug)
        await page_changes.make(tx, who, page, "import", filled)
        return await pages.shown(tx, who, slug)


def own(widget: FileWidget) -> Item:
    """The widget of a file as a person's own."""
    given = msgspec.structs.asdict(widget)
    settings = sparing(by_name(widget.type), widget.settings)
    return Item(**{**given, "origin": "own", "settings": settings})
