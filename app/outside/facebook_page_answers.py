"""Answers about Facebook Pages, as far as they are read, and their posts in our words."""

import msgspec
from msgspec import Struct

from app.outside.meta_answers import (
    CAPTION,
    Id,
    Post,
    Token,
    figures,
    kind_or,
    moment,
    pictures,
    text,
    web_address,
)

FIELDS = (
    "id,message,story,created_time,permalink_url,full_picture,"
    "attachments{media_type,media{image{src}},subattachments{media{image{src}}}},"
    "likes.limit(0).summary(true),comments.limit(0).summary(true),shares"
)
KINDS = {"photo": "image", "album": "carousel", "video": "video", "link": "link", "share": "link"}


class Person(Struct):
    """Who said yes, as our app knows them."""

    id: Id


class Grantor(Struct):
    """The person whose yes a token stands for; a token that is void may lead to nobody."""

    user_id: Id | None = None


class TokenFacts(Struct):
    """What the Graph says of a token."""

    data: Grantor = msgspec.field(default_factory=Grantor)


class Page(Struct):
    """One page with its own token."""

    id: Id
    access_token: Token
    name: str = ""


class Image(Struct):
    """Where a picture lies."""

    src: str | None = None


class Medium(Struct):
    """What an attachment shows."""

    image: Image = msgspec.field(default_factory=Image)


class Inside(Struct):
    """One of several pictures."""

    media: Medium = msgspec.field(default_factory=Medium)


class Insides(Struct):
    """What an album holds."""

    data: list[Inside] = []


class Attachment(Struct):
    """What hangs on a post."""

    media_type: str = ""
    media: Medium = msgspec.field(default_factory=Medium)
    subattachments: Insides = msgspec.field(default_factory=Insides)


class Attachments(Struct):
    """What hangs on a post, in a list."""

    data: list[Attachment] = []


class Total(Struct):
    """A sum of likes or comments."""

    total_count: int | None = None


class Summed(Struct):
    """Likes or comments."""

    summary: Total = msgspec.field(default_factory=Total)


class Shares(Struct):
    """How often it was passed on."""

    count: int | None = None


class PagePost(Struct, kw_only=True):
    """One post of a page."""

    id: Id
    message: str | None = None
    story: str | None = None
    created_time: str | None = None
    permalink_url: str | None = None
    full_picture: str | None = None
    attachments: Attachments = msgspec.field(default_factory=Attachments)
    likes: Summed = msgspec.field(default_factory=Summed)
    comments: Summed = msgspec.field(default_factory=Summed)
    shares: Shares = msgspec.field(default_factory=Shares)


def in_our_words(post: PagePost) -> Post:
    """One post of a page."""
    permalink = web_address(post.permalink_url)
    attached = post.attachments.data[0] if post.attachments.data else None
    kind = KINDS.get(attached.media_type) if attached else None
    if permalink and "/reel/" in permalink:
        kind = "reel"
    if attached is None and post.full_picture is None:
        kind = "text"
    inside = [one.media.image.src for one in attached.subattachments.data] if attached else []
    own = post.full_picture or (attached.media.image.src if attached else None)
    return Post(
        id=str(post.id),
        kind=kind_or(kind, permalink),
        caption=text(post.message or post.story, CAPTION),
        permalink=permalink,
        posted_at=moment(post.created_time),
        pictures=pictures(inside or [own]),
        engagement=figures(
            likes=post.likes.summary.total_count,
            comments=post.comments.summary.total_count,
            shares=post.shares.count,
        ),
    )
