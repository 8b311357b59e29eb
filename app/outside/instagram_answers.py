"""Answers of Instagram, as far as they are read, and its posts in our words."""

import msgspec
from msgspec import Struct

from app.outside.meta_answers import (
    CAPTION,
    Id,
    Post,
    figures,
    kind_or,
    moment,
    pictures,
    text,
    web_address,
)

FIELDS = (
    "id,caption,media_type,media_product_type,media_url,thumbnail_url,permalink,timestamp,like_count,comments_count,"
    "children{media_type,media_url,thumbnail_url}"
)
KINDS = {"IMAGE": "image", "VIDEO": "video", "CAROUSEL_ALBUM": "carousel"}
PRODUCTS = {"REELS": "reel", "STORY": "story"}


class CodeAnswer(Struct):
    """What a code brings: a token of one hour; the endpoint may wrap its one answer into a list."""

    access_token: str = ""
    user_id: Id = ""
    permissions: str | list[str] = ""
    data: list["CodeAnswer"] = []

    @property
    def scopes(self) -> list[str]:
        """What the person allowed."""
        said = self.permissions
        found = [text(one, 100) for one in (said.split(",") if isinstance(said, str) else said)]
        return [one for one in found if one][:50]


class Me(Struct):
    """The account that a token opens: `user_id` is the professional account's, `id` the one with our app."""

    id: Id = ""
    user_id: Id = ""
    username: str = ""


class Child(Struct):
    """One picture or video of a carousel."""

    media_type: str = ""
    media_url: str | None = None
    thumbnail_url: str | None = None

    @property
    def picture(self) -> str | None:
        """A picture of it: a video's own address is none."""
        return self.thumbnail_url if self.media_type == "VIDEO" else self.media_url


class Children(Struct):
    """What a carousel holds."""

    data: list[Child] = []


class Media(Child, kw_only=True):
    """One post."""

    id: Id
    caption: str | None = None
    media_product_type: str = ""
    permalink: str | None = None
    timestamp: str | None = None
    like_count: int | None = None
    comments_count: int | None = None
    children: Children = msgspec.field(default_factory=Children)


def in_our_words(media: Media) -> Post:
    """One post of Instagram's."""
    permalink = web_address(media.permalink)
    inside = [child.picture for child in media.children.data]
    kind = PRODUCTS.get(media.media_product_type) or KINDS.get(media.media_type)
    return Post(
        id=str(media.id),
        kind=kind_or(kind, permalink),
        caption=text(media.caption, CAPTION),
        permalink=permalink,
        posted_at=moment(media.timestamp),
        pictures=pictures([*inside, media.picture] if inside else [media.picture]),
        engagement=figures(likes=media.like_count, comments=media.comments_count),
    )
