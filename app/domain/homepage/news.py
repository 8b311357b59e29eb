"""The news list: what one person's feeds brought, without what they have put aside (chapter 20 rules 30–36)."""

import base64
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from app.domain.homepage import news_rows, news_top
from app.domain.homepage.news_rows import NewsQuery
from app.domain.platform.readers import Reader
from app.domain.profiles import clicks
from app.errors import Invalid
from app.services import Services


class Tag(msgspec.Struct):
    """One word of the closed list on an item."""

    slug: str
    name: str


class Story(msgspec.Struct):
    """One event, shown by its lead item as one reader sees it."""

    id: int
    item_id: int
    title: str
    href: str
    host: str
    source: str
    feed_id: int
    summary_html: str
    author: str
    published_at: datetime
    image: str | None
    tags: list[Tag]
    read: bool
    saved: bool
    language: str | None = None
    also_in: int = 0
    # When it was told last; and whether this item stands by itself because the reader took it out of its story.
    last_at: datetime | None = None
    is_apart: bool = False

    @property
    def row(self) -> str:
        """What its row is called on a page."""
        return f"{self.id}-{self.item_id}" if self.is_apart else str(self.id)


class NewsPage(msgspec.Struct):
    """One page of the list; `next` leads on."""

    items: list[Story]
    next: str | None
    total: None = None
    as_of: datetime | None = None


async def latest(
    services: Services, who: Reader | None, asked: NewsQuery, container: str = "page"
) -> NewsPage:
    """One page of the reader's news in the order they asked for. Raises Invalid for a cursor that is not ours."""
    async with services.held() as held:
        if order_of(who, asked) == "top":
            shown, after = await news_top.of_page(held, who, asked)
        else:
            found = await news_rows.of_page(held, who, asked, cursor(asked.cursor))
            shown = found.rows[: asked.limit]
            after = following(found, shown)
    return NewsPage(
        [story(services, row, container, place) for place, row in enumerate(shown)],
        after,
        as_of=max((row["last_ok_at"] for row in shown if row["last_ok_at"]), default=None),
    )


def order_of(who: Reader | None, asked: NewsQuery) -> str:
    """The order that is asked for, else the one that the reader prefers."""
    preferred = who.preferences.get("news", {}).get("order") if who else None
    return asked.order or preferred or "latest"


def following(found: news_rows.Rows, shown: list[Any]) -> str | None:
    """Where the next page begins, if there is one."""
    if len(found.rows) > len(shown):
        return cursor_of((shown[-1]["last_at"], shown[-1]["last_item"]))
    return cursor_of(found.after) if found.was_long else None


def story(services: Services, row: Any, container: str, place: int) -> Story:
    """One row as the reader sees it; the way out is a signed token, beside it stands the host."""
    token = clicks.token(services.settings, "item", row["item_id"], container, place)
    return Story(
        id=row["id"],
        item_id=row["item_id"],
        title=row["title"],
        href=f"/track/click?t={token}" if row["url"] else f"/news/stories/{row['id']}",
        host=host_of(row["url"]),
        source=row["source"],
        feed_id=row["feed_id"],
        summary_html=row["summary_html"],
        author=row["author"],
        published_at=row["published_at"],
        image=f"/media/news/{row['image_key']}?v=1" if row["image_key"] else None,
        tags=[Tag(*text.split("=", 1)) for text in row["tags"]],
        read=row["read"],
        saved=row["saved"],
        language=row["language"],
        also_in=row.get("also_in", 0),
        last_at=row.get("last_at"),
        is_apart=row.get("is_apart", False),
    )


def host_of(url: str | None) -> str:
    """The host a link leads to, without www."""
    if not url:
        return ""
    return url.split("//", 1)[-1].split("/", 1)[0].split("@")[-1].split(":")[0].removeprefix("www.")


CURSOR = struct.Struct(">qq")
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def cursor_of(place: news_rows.Place) -> str:
    """Where a page ended: the time in microseconds and the item."""
    at, item_id = place
    micros = ((at or BEGINNING) - BEGINNING) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(CURSOR.pack(micros, item_id)).rstrip(b"=").decode()


def cursor(text: str | None) -> tuple[datetime | None, int]:
    """The place a cursor names. Raises Invalid."""
    if not text:
        return None, 0
    try:
        raw = base64.b64decode(
            text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
        )
        micros, item_id = CURSOR.unpack(raw)
        return BEGINNING + timedelta(microseconds=micros), item_id
    except (ValueError, struct.error, OverflowError):
        raise Invalid(
            "This page of the list is not known. Start again from the top.", code="bad_cursor"
        ) from None
