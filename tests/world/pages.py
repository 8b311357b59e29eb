"""What a person or a link checker sees at a publisher's address: a home page and an article."""

from html import escape

from tests.world.documents import TYPES, iso, picture_url
from tests.world.publishers import Publisher
from tests.world.timeline import Item

STYLE = (
    "body{font:17px/1.5 Georgia,serif;max-width:42rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fdfcf9}"
    "h1{line-height:1.15}img{width:100%;height:auto;border-radius:8px}a{color:#7a3b1d}.by{color:#666;font-size:14px}"
)


def page(publisher: Publisher, title: str, body: str) -> bytes:
    """Return a whole document that names the publisher's feed."""
    return (
        f'<!doctype html><html lang="{publisher.language}"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f'<link rel="alternate" type="{TYPES[publisher.format]}" title="{escape(publisher.title)}" '
        f'href="{escape(publisher.feed_path)}">{body}</html>'
    ).encode()


def home_page(publisher: Publisher, items: list[Item], base: str) -> bytes:
    """Return the publisher's front page."""
    rows = "".join(
        f'<h2><a href="{base}{item.path}">{escape(item.telling.title)}</a></h2><p>{escape(item.telling.summary)}</p>'
        for item in items
    )
    return page(publisher, publisher.title, f'<h1 dir="auto">{escape(publisher.title)}</h1>{rows}')


def article_page(item: Item, base: str) -> bytes:
    """Return one article with its picture; a page says its picture to those who share it."""
    publisher = item.publisher
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in item.telling.paragraphs)
    picture = picture_url(item).removeprefix(f"https://{publisher.host}") if item.pictured else ""
    shown = f'<img src="{picture}" alt="">' if picture else ""
    shared = f'<meta property="og:image" content="{picture_url(item)}">' if picture else ""
    body = (
        f'{shared}<p><a href="{base}/">{escape(publisher.title)}</a></p><article dir="auto">'
        f"<h1>{escape(item.telling.title)}</h1>{shown}"
        f'<p class="by">{escape(item.author)}, <time datetime="{iso(item.at)}">{iso(item.at)}</time></p>'
        f"{paragraphs}</article>"
    )
    return page(publisher, item.telling.title, body)
